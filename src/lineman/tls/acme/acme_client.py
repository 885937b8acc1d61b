"""Talks to an authority: the thin edge over the packages `acme` and `josepy` and over `requests`.

Only the job's process imports it. Every failure is raised as an `AcmeFailure` with its cause and
the fix.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import requests
from acme import errors, messages
from acme.client import ClientNetwork, ClientV2
from cryptography.hazmat.primitives import hashes, serialization
from josepy import b64
from josepy import errors as jose_errors
from josepy.interfaces import JSONDeSerializable
from josepy.jwa import ES256
from josepy.jwk import JWKEC

from lineman.tls.acme.acme_options import AcmeSettings, as_address
from lineman.tls.acme.problems import Problem, explain, retry_moment
from lineman.tls.acme.renewal_schedule import Window
from lineman.tls.acme.renewalinfo import parse

_TIMEOUT = 30  # seconds for one answer
# An authority may refuse a valid nonce (RFC 8555, section 6.5); the package tries each request only
# twice.
_NONCE_ATTEMPTS = 10


class AcmeFailure(Exception):
    """The attempt failed.

    Args:
        problem: why, and what to do.
        code: the error's type where the authority gave one, such as `accountDoesNotExist`.
    """

    def __init__(self, problem: Problem, code: str = "") -> None:
        super().__init__(str(problem))
        self.problem = problem
        self.code = code


class _Network(ClientNetwork):
    """Signed requests that try again with a new nonce, and remember the last answer's headers."""

    last: requests.Response | None = None

    def post(self, *args: Any, **kwargs: Any) -> requests.Response:
        for attempt in range(_NONCE_ATTEMPTS):
            try:
                return super().post(*args, **kwargs)
            except messages.Error as error:
                if error.code != "badNonce" or attempt == _NONCE_ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")


class _Body(JSONDeSerializable):
    """A request's content as it is."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = dict(fields)

    def to_partial_json(self) -> dict[str, Any]:
        return self._fields

    @classmethod
    def from_json(cls, jobj: Any) -> _Body:
        return cls(jobj)


class AcmeClient:
    """One account at one authority. Every method raises `AcmeFailure`.

    Args:
        settings: which authority.
        account_key: PEM of a P-256 key.
    """

    def __init__(self, settings: AcmeSettings, account_key: bytes) -> None:
        self._settings = settings
        key = serialization.load_pem_private_key(account_key, None)
        self._key = JWKEC(key=key)
        self._net = _Network(
            self._key,
            alg=ES256,
            user_agent=f"lineman/{version('lineman')}",
            timeout=_TIMEOUT,
            # Typed bool, and handed to requests, which takes a file as well.
            verify_ssl=True if settings.ca_file is None else str(settings.ca_file),  # type: ignore[arg-type]
        )
        self._net.session.hooks["response"].append(self._remember)
        self._client = self._try(self._connect)

    def _remember(self, response: requests.Response, *_: Any, **__: Any) -> None:
        self._net.last = response

    def _connect(self) -> ClientV2:
        return ClientV2(ClientV2.get_directory(self._settings.ca_url, self._net), self._net)

    def _try(self, call: Any, *args: Any, name: str = "") -> Any:
        """Returns the call's result; turns each error of the packages into an `AcmeFailure`."""
        self._net.last = None
        try:
            return call(*args)
        except messages.Error as error:
            problem = explain(error.to_json(), name=name, retry_at=self.retry_at)
            raise AcmeFailure(problem, str(error.typ or "").rpartition(":")[2]) from error
        except (
            errors.Error,
            requests.RequestException,
            jose_errors.Error,
            OSError,
            ValueError,
            KeyError,
            AttributeError,  # a directory without an entry that it must have
        ) as error:
            is_conflict = isinstance(error, errors.ConflictError)  # any answer with status 409
            code = "conflict" if is_conflict else ""
            raise AcmeFailure(self._unreadable(error), code) from error

    def _unreadable(self, error: Exception) -> Problem:
        """Why the authority was not reached, or its answer not understood."""
        url = self._settings.ca_url
        last = self._net.last
        if isinstance(error, requests.exceptions.SSLError):
            return Problem(
                f"the authority's own certificate at {url} is not trusted ({_cause(error)})",
                'for your own authority give its root: AcmeOptions(..., ca_file="root.pem")',
            )
        if isinstance(error, requests.RequestException) and last is None:
            return Problem(
                f"the authority cannot be reached at {url}: {_cause(error)}",
                f"wait if it is down: the worker tries again; otherwise try: curl -v {url}",
            )
        status = f" with HTTP status {last.status_code}" if last is not None else ""
        return Problem(
            f"the authority at {url} answers{status} something that is not ACME ({_cause(error)})",
            "check that acme_ca is the URL of an ACME directory; if it is, wait: the worker tries "
            "again",
            self.retry_at,
        )

    @property
    def retry_at(self) -> datetime | None:
        """When to ask again, by the last answer."""
        last = self._net.last
        header = None if last is None else last.headers.get("Retry-After")
        return retry_moment(header, datetime.now(UTC))

    # The account.

    @property
    def thumbprint(self) -> str:
        """The thumbprint of the account's key, for key authorizations (RFC 8555, section 8.1)."""
        return b64.b64encode(self._key.thumbprint(hash_function=hashes.SHA256)).decode("ascii")

    @property
    def terms(self) -> str | None:
        """The URL of the authority's terms of service."""
        meta = getattr(self._client.directory, "meta", None)
        terms: str | None = getattr(meta, "terms_of_service", None)
        return terms

    def register(self) -> str:
        """Makes the account, or finds the one that this key already has; returns its URL."""
        settings = self._settings
        self._net.account = None  # else the request would be signed as from the account
        binding = None
        if settings.eab_key_id is not None and settings.eab_hmac_key is not None:
            binding = self._try(
                messages.ExternalAccountBinding.from_data,
                self._key.public_key(),
                settings.eab_key_id,
                settings.eab_hmac_key,
                self._client.directory,
            )
        wanted = messages.NewRegistration.from_data(
            email=settings.email or None,
            terms_of_service_agreed=True,
            external_account_binding=binding,
        )
        try:
            account = self._try(self._client.new_account, wanted)
        except AcmeFailure as failure:
            if not isinstance(failure.__cause__, errors.ConflictError):
                raise
            url = failure.__cause__.location  # the key has an account already
        else:
            url = account.uri
        self.use(url)
        return str(url)

    def use(self, url: str) -> None:
        """Uses an account that exists."""
        self._net.account = messages.RegistrationResource(body=messages.Registration(), uri=url)

    # Orders.

    def post(self, url: str, fields: Mapping[str, Any] | None, *, name: str = "") -> dict[str, Any]:
        """The authority's answer to a request; without fields the content of the URL."""
        return self._object(self._signed(url, fields, name))

    def _signed(self, url: str, fields: Mapping[str, Any] | None, name: str) -> requests.Response:
        body = None if fields is None else _Body(fields)

        def send() -> requests.Response:
            return self._net.post(url, body, new_nonce_url=self._client.directory["newNonce"])

        response: requests.Response = self._try(send, name=name)
        return response

    def _object(self, response: requests.Response) -> dict[str, Any]:
        found = self._try(response.json)
        if not isinstance(found, dict):
            raise AcmeFailure(self._unreadable(ValueError("not a JSON object")))
        return found

    def new_order(self, domains: Sequence[str], replaces: str | None) -> tuple[str, dict[str, Any]]:
        """Asks for a certificate; returns the order's URL and content.

        Args:
            domains: its names.
            replaces: which certificate it renews (RFC 9773, section 5); None for none.
        """
        directory = self._client.directory.to_partial_json()
        fields: dict[str, Any] = {
            "identifiers": [
                {"type": "dns" if as_address(domain) is None else "ip", "value": domain}
                for domain in domains
            ]
        }
        if self._settings.profile is not None:
            fields["profile"] = self._settings.profile
        if replaces is not None and "renewalInfo" in directory:
            fields["replaces"] = replaces
        response = self._signed(self._try(lambda: directory["newOrder"]), fields, "")
        return self._try(lambda: response.headers["Location"]), self._object(response)

    def download(self, url: str) -> str:
        """The certificate with its chain, PEM."""
        return self._signed(url, None, "").text

    def renewal_info(self, certificate_id: str) -> tuple[Window | None, float | None]:
        """When the authority suggests a renewal, and in how many seconds to ask again."""
        base = self._client.directory.to_partial_json().get("renewalInfo")
        if not isinstance(base, str):
            return None, None
        answer = self._try(lambda: self._net.get(f"{base.rstrip('/')}/{certificate_id}").json())
        moment = self.retry_at
        wait = None if moment is None else (moment - datetime.now(UTC)).total_seconds()
        return parse(answer), wait


def _cause(error: BaseException) -> str:
    """The innermost reason, on one line: requests and urllib3 wrap it several times."""
    reason: BaseException = error
    while True:
        inner = getattr(reason, "reason", None) or reason.__cause__ or reason.__context__
        if not isinstance(inner, BaseException):
            break
        reason = inner
    text = " ".join(str(reason).split()) or type(reason).__name__
    return text[:300]
