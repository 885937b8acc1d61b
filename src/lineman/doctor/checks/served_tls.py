"""TLS and the certificate that was served."""

from __future__ import annotations

from collections.abc import Iterator

from lineman.base.finding import Finding, Level
from lineman.doctor.checks.check_type import error, info, ok, warning
from lineman.doctor.checks.handshake_answer import needs_proxy_header, only_h2
from lineman.doctor.facts import Facts, Outcome
from lineman.tls.advice import verdict

MAX_SKEW = 120.0  # seconds; clocks without NTP drift by seconds a day

_OLD = ("TLSv1", "TLSv1.1")
_MODERN = "ssl_protocols TLSv1.2 TLSv1.3;  (Apache: SSLProtocol -all +TLSv1.2 +TLSv1.3)"


def scheme(facts: Facts) -> Iterator[Finding]:
    """`wss` to a port that speaks `ws`, and the other way round."""
    target = facts.target
    if not facts.speaks_other_scheme:
        return
    instead = target.with_scheme("ws" if target.is_tls else "wss")
    if target.is_tls:
        yield error(
            "wss-to-ws-port",
            f"{facts.place}, does not speak TLS: it answers plain HTTP",
            "end TLS in a web server (lineman proxy nginx …) or give the worker a certificate and "
            f"a wss:// address; on this machine {instead} works as it is",
        )
    else:
        yield error(
            "ws-to-wss-port", f"{facts.place}, speaks TLS, and the URL is ws://", f"use {instead}"
        )


def agreement(facts: Facts) -> Iterator[Finding]:
    """Whether the TLS handshake succeeded."""
    look = facts.tls
    if look is None or facts.speaks_other_scheme:
        return
    if look.outcome is Outcome.DONE:
        group = f", key exchange {look.group}" if look.group else ""
        yield ok("tls", f"{look.version} with {look.cipher}{group}")
    elif facts.proxy_header is not None and facts.proxy_header.status:
        yield needs_proxy_header(facts)
    elif look.any_cipher in _OLD:
        yield error(
            "tls-too-old",
            f"the server speaks {look.any_cipher} at most; clients demand 1.2 (RFC 8996)",
            _MODERN,
        )
    elif look.any_cipher:
        yield error(
            "tls-no-common-cipher",
            f"the server accepts {look.any_cipher}, but no cipher that present clients offer",
            "use Mozilla's list, as `lineman proxy` writes it: ssl_ciphers "
            "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:…",
        )
    elif look.h2_alpn:
        yield only_h2(facts)
    elif look.outcome is Outcome.ALERT and "NAME" in look.reason:
        yield error(
            "tls-unknown-name",
            f"the server refuses the name {facts.target.host} ({look.reason})",
            "add the name to the server's configuration (server_name), with a certificate for it",
        )
    elif look.outcome is Outcome.NOT_TLS:
        yield error(
            "not-tls",
            f"{facts.place}, answers with something that is neither TLS nor HTTP",
            f"find out what listens there: ss -ltnp 'sport = :{facts.target.port}'",
        )
    else:
        how = "says nothing" if look.outcome is Outcome.TIMEOUT else "closes the connection"
        yield error(
            "tls-no-answer",
            f"{facts.place}, {how} when TLS begins ({look.reason or look.outcome.value})",
            "likely: something on the way filters by name, the port expects a PROXY header, or the "
            f"service hangs; compare on the server itself: lineman doctor {facts.target} "
            f"--resolve {facts.target.host}:127.0.0.1",
        )


def clock(facts: Facts) -> Iterator[Finding]:
    """Whether both sides agree on the time."""
    if facts.server_clock is None:
        return
    skew = (facts.server_clock - facts.now).total_seconds()
    if abs(skew) <= MAX_SKEW:
        return
    certificate = facts.tls.certificate if facts.tls else None
    seen = (
        f"the server's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} this "
        f"machine's ({facts.server_clock:%Y-%m-%d %H:%M:%S} and {facts.now:%Y-%m-%d %H:%M:%S} UTC)"
    )
    fix = "set the wrong one: timedatectl set-ntp true"
    decides = certificate is not None and (
        (certificate.not_before <= facts.now <= certificate.not_after)
        != (certificate.not_before <= facts.server_clock <= certificate.not_after)
    )
    if decides:
        yield error("clock-skew", f"{seen}, and the certificate is valid by only one of them", fix)
    else:
        yield warning("clock-skew", seen, fix)


def served(facts: Facts) -> Iterator[Finding]:
    """Whether the certificate on disk is the one that is served."""
    if facts.file_fault:
        yield error("cert-file", facts.file_fault, "give the file that the server loads: --cert")
        return
    look = facts.tls
    if not facts.file_fingerprint or look is None or not look.fingerprint:
        return
    if facts.file_fingerprint == look.fingerprint:
        yield ok("cert-served", "the certificate served is the one on disk")
        return
    yield error(
        "cert-served-differs",
        "the server serves another certificate than the one on disk: it was renewed, and the "
        "server has not read it, or another server answers",
        "systemctl reload nginx (or apache2, caddy, haproxy); a worker of Lineman notices the "
        "file; also check which machine the name leads to",
    )


def certificate(facts: Facts) -> Iterator[Finding]:
    """Whether clients accept the certificate."""
    look = facts.tls
    if look is None or look.certificate is None:
        return
    found = verdict.judge(look.certificate, [facts.target.host], facts.now)
    for each in found:
        if each.name and each.name != "cert-for-addresses":
            words = f" (a browser says {each.browser})" if each.browser else ""
            yield Finding(_level(each), each.name, f"{each.seen}{words}", each.fix)
    if not any(each.level is Level.ERROR and each.browser for each in found):
        yield ok("certificate", "; ".join(_good(found)))


def _good(found: list[verdict.Judgement]) -> Iterator[str]:
    for each in found:
        if each.level is Level.OK and not each.seen.startswith("it is for "):
            yield each.seen


def _level(found: verdict.Judgement) -> Level:
    if found.level is Level.ERROR:
        return Level.ERROR if found.browser or found.java else Level.WARNING
    is_urgent = found.name in ("cert-expires-soon", "cert-unknown-roots")
    return Level.WARNING if is_urgent else Level.INFO


def versions(facts: Facts) -> Iterator[Finding]:
    """Which versions of TLS are on."""
    look = facts.tls
    if look is None or look.outcome is not Outcome.DONE or look.versions is None:
        return
    old = [version for version in _OLD if version in look.versions]
    if old:
        yield warning("tls-old-versions", f"{' and '.join(old)} are on (RFC 8996)", _MODERN)
    if "TLSv1.2" not in look.versions:
        yield warning("tls12-missing", "TLS 1.2 is off: older phones cannot connect", _MODERN)
    if "TLSv1.3" not in look.versions:
        yield info("tls13-missing", "TLS 1.3 is off: one round trip more for each client", _MODERN)


# The clock comes first: a wrong clock makes a good certificate look bad.
CHECKS = (scheme, agreement, clock, served, certificate, versions)
