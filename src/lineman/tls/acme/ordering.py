"""One order from its beginning to the certificate: prove the names, finalize, download."""

from __future__ import annotations

import base64
import hashlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from lineman.tls.acme.acme_client import AcmeClient, AcmeFailure
from lineman.tls.acme.acme_options import HTTP_01, AcmeSettings
from lineman.tls.acme.acme_store import AcmeStore
from lineman.tls.acme.challenge import alpn_certificate, asked_as, general_name, key_authorization
from lineman.tls.acme.challenge_answers import ChallengeAnswers
from lineman.tls.acme.problems import Problem, explain

_PATIENCE = 180.0  # seconds for one state of an order to change
_FIRST_WAIT = 0.2
_LONGEST_WAIT = 5.0
# Errors with which an authority may refuse the predecessor that an order names: it was replaced
# already (status 409), or is another account's. The order is then repeated without a predecessor.
_REPLACES_REFUSED = ("alreadyReplaced", "conflict", "malformed", "unauthorized")


class Refused(AcmeFailure):
    """The authority does not believe that a name is ours, by one kind of challenge."""


@dataclass(frozen=True, slots=True)
class AcmeOrder:
    """The URL of an order and its last state at the authority (RFC 8555, section 7.1.3)."""

    url: str
    content: dict[str, Any]

    @property
    def status(self) -> str:
        """`pending`, `ready`, `processing`, `valid` or `invalid`."""
        return str(self.content.get("status"))


class Ordering:
    """Obtains one certificate.

    Args:
        settings: for which names.
        store: keeps the order in progress.
        client: with an account.
        say: takes a line for the log.
    """

    def __init__(
        self,
        settings: AcmeSettings,
        store: AcmeStore,
        client: AcmeClient,
        say: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._store = store
        self._client = client
        self._say = say
        self._answers = ChallengeAnswers(settings.root)

    def obtain(self, kinds: Sequence[str], replaces: str | None) -> str:
        """The chain of a new certificate for the store's `order_key`.

        Args:
            kinds: challenges to try, in order; each that fails costs one failed validation.
            replaces: which certificate it renews, for the authority.

        Raises:
            AcmeFailure: no challenge worked; the reason of the last one.
            OSError: the store cannot be written.
        """
        order = self._resumed()
        for number, kind in enumerate(kinds, 1):
            if order is None:
                order = self._new(replaces)
            try:
                return self._finish(order, kind)
            except AcmeFailure as failure:
                if failure.code or isinstance(failure, Refused):
                    self._store.forget_order(with_key=False)  # else the next job can continue it
                if number == len(kinds) or not isinstance(failure, Refused):
                    raise
                self._say(f"{kind} does not work: {failure.problem}; trying {kinds[number]}")
                order = None
        raise AssertionError("no challenge to try")

    def _resumed(self) -> AcmeOrder | None:
        """The order of a job that was killed, if it can be continued."""
        url = self._store.order_url()
        if url is None:
            return None
        try:
            order = AcmeOrder(url, self._client.post(url, None))
        except AcmeFailure as failure:
            if not failure.code:  # the authority cannot be reached: the order may still be there
                raise
            order = None
        if order is None or order.status not in ("pending", "ready", "processing", "valid"):
            self._store.forget_order(with_key=True)
            return None
        self._say("continuing the order of a job that was interrupted")
        return order

    def _new(self, replaces: str | None) -> AcmeOrder:
        self._store.order_key()  # first, so that a disk that cannot be written to is found here
        try:
            order = AcmeOrder(*self._client.new_order(self._settings.domains, replaces))
        except AcmeFailure as failure:
            if replaces is None or failure.code not in _REPLACES_REFUSED:
                raise
            order = AcmeOrder(*self._client.new_order(self._settings.domains, None))
        self._store.save_order_url(order.url)
        return order

    def _finish(self, order: AcmeOrder, kind: str) -> str:
        if order.status == "pending":
            self._prove(order, kind)
            order = self._awaited(order, "pending")
        if order.status == "ready":
            csr = self._request()
            order = AcmeOrder(order.url, self._client.post(order.content["finalize"], {"csr": csr}))
        if order.status == "processing":
            order = self._awaited(order, "processing")
        if order.status != "valid":
            said = order.content.get("error")
            if isinstance(said, dict):
                raise AcmeFailure(explain(said))
            raise AcmeFailure(
                Problem(f"the order is {order.status}", "wait: the worker tries again")
            )
        return self._client.download(order.content["certificate"])

    def _request(self) -> str:
        """The signing request, as the authority wants it (RFC 8555, section 7.4)."""
        key = serialization.load_pem_private_key(self._store.order_key(), None)
        assert isinstance(key, EllipticCurvePrivateKey)
        names = [general_name(domain) for domain in self._settings.domains]
        request = (
            x509.CertificateSigningRequestBuilder()
            .subject_name(x509.Name([]))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(key, hashes.SHA256())
        )
        der = request.public_bytes(serialization.Encoding.DER)
        return base64.urlsafe_b64encode(der).rstrip(b"=").decode("ascii")

    def _awaited(self, order: AcmeOrder, status: str) -> AcmeOrder:
        content = self._poll(order.url, lambda found: found.get("status") != status)
        return AcmeOrder(order.url, content)

    def _poll(self, url: str, is_done: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The content of a URL once the authority has finished its work."""
        deadline = time.monotonic() + _PATIENCE
        wait = _FIRST_WAIT
        while True:
            found = self._client.post(url, None)
            if is_done(found):
                return found
            if time.monotonic() >= deadline:
                raise AcmeFailure(
                    Problem(
                        f"the authority has not decided within {_PATIENCE:.0f} s",
                        "wait: the worker tries again",
                    )
                )
            time.sleep(wait)
            wait = min(wait * 1.5, _LONGEST_WAIT)

    # Proving.

    def _prove(self, order: AcmeOrder, kind: str) -> None:
        """Shows the authority that every name is ours."""
        published: list[Path] = []
        try:
            waiting = []
            for url in order.content.get("authorizations", ()):
                authorization = self._client.post(url, None)
                if authorization.get("status") == "valid":  # of an earlier order
                    continue
                name = str(authorization.get("identifier", {}).get("value"))
                waiting.append((url, name, self._publish(authorization, name, kind, published)))
            for _, name, challenge in waiting:
                self._say(f"{name}: answering {kind}")
                self._client.post(challenge["url"], {}, name=name)
            for url, name, _ in waiting:
                found = self._poll(url, lambda content: content.get("status") != "pending")
                if found.get("status") != "valid":
                    raise Refused(_refused(found, name, kind))
        finally:
            self._answers.withdraw(published)

    def _publish(
        self, authorization: dict[str, Any], name: str, kind: str, published: list[Path]
    ) -> dict[str, Any]:
        """The challenge of this kind, after its answer was made available."""
        for challenge in authorization.get("challenges", ()):
            if challenge.get("type") != kind:
                continue
            token = str(challenge.get("token"))
            answer = key_authorization(token, self._client.thumbprint)
            if kind != HTTP_01:
                digest = hashlib.sha256(answer.encode()).digest()
                pem = alpn_certificate(name, digest)
                published.append(self._answers.publish_tls(asked_as(name), pem))
            else:
                try:
                    published.append(self._answers.publish_http(token, answer))
                except ValueError as error:
                    raise AcmeFailure(Problem(str(error), "wait: the worker tries again")) from None
                if self._settings.webroot is not None:
                    published.append(_in_webroot(self._settings.webroot, token, answer))
            found: dict[str, Any] = challenge
            return found
        raise Refused(
            Problem(
                f"{name}: the authority does not offer {kind}",
                "leave challenges out, or give the other challenge",
            )
        )


def _in_webroot(webroot: Path, token: str, answer: str) -> Path:
    """Writes the file with which a web server answers http-01."""
    path = webroot / ".well-known" / "acme-challenge" / token
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The web server's user may write here too, so symbolic links are not followed.
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags, 0o644), "w", encoding="ascii") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(answer)
    except OSError as error:
        raise AcmeFailure(
            Problem(
                f"cannot write below the webroot {webroot}: {(error.strerror or '').lower()}",
                f"let this process write there: mkdir -p {path.parent}, and chown it",
            )
        ) from None
    return path


def _refused(authorization: dict[str, Any], name: str, kind: str) -> Problem:
    """Why the authority does not believe that a name is ours."""
    for challenge in authorization.get("challenges", ()):
        if isinstance(challenge.get("error"), dict):
            return explain(challenge["error"], name=name)
    status = authorization.get("status")
    return Problem(f"{name}: {kind} is {status}, without a reason", "wait: the worker tries again")
