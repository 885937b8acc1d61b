"""What was seen of a service without HTTP (pure)."""

from __future__ import annotations

from collections.abc import Iterator

from lineman.base.finding import Finding
from lineman.doctor.checks import reach, served_tls
from lineman.doctor.checks.check_type import error, info, ok, warning
from lineman.doctor.facts import Outcome
from lineman.doctor.stream_facts import StreamLook

# Those of a websocket's checks that mean the same here.
SHARED = (
    reach.host,
    reach.names,
    reach.private,
    reach.ports,
    served_tls.agreement,
    served_tls.served,
    served_tls.certificate,
    served_tls.versions,
)


def judge(seen: StreamLook) -> list[Finding]:
    """Every finding, the worst first; of equals, the one that explains the others first."""
    found = [finding for check in SHARED for finding in check(seen.facts)]
    found += _silence(seen)
    return sorted(found, key=lambda finding: -finding.level)


def _silence(seen: StreamLook) -> Iterator[Finding]:
    address, outcome = seen.address, seen.outcome
    if outcome is None:
        return
    if outcome is Outcome.DONE:
        yield ok("stream-greeting", f"the service speaks first: {seen.first!r}")
    elif outcome is Outcome.TIMEOUT:
        yield ok("stream-open", f"a silent connection to {address} stays open")
        if not address.is_tls and not address.path:
            yield info(
                "stream-silent",
                f"{address} waits for the client's first bytes, and these may have to be TLS",
                f"if the service speaks TLS, its clients use {address.over(is_tls=True)}",
            )
    elif address.path and outcome is Outcome.REFUSED:
        yield error("socket-dead", f"nobody listens at {address.path}", "start the service")
    elif outcome is Outcome.CLOSED:
        yield warning(
            "stream-closed",
            f"{address} closes a silent connection after {seen.after:.1f} s",
            "look into the service's log: it may expect a PROXY header, have reached a limit "
            "(lineman status), or close silent clients (idle_timeout)",
        )
    else:
        yield error(
            "stream-unreachable",
            f"{address} cannot be connected to: {outcome.value}",
            "see that the service runs, and that this user may open its socket",
        )
