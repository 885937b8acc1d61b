"""How a service treats the pages of its own site, and the address that a client claims."""

from __future__ import annotations

from collections.abc import Iterator

from lineman.base.finding import Finding
from lineman.doctor.checks.check_type import error, warning
from lineman.doctor.checks.upstream import REAL_IP, software
from lineman.doctor.facts import Facts, HandshakeReply
from lineman.protocols.websocket import checkup
from lineman.protocols.websocket.origins import Standing

FORWARD_HOST = {
    "nginx": "proxy_set_header Host $http_host;",
    "apache": "ProxyPreserveHost On",
    "": "let the proxy forward Host (nginx: proxy_set_header Host $http_host;  Apache: "
    "ProxyPreserveHost On)",
}


def page(facts: Facts) -> Iterator[Finding]:
    """Whether a page of the site may connect, also with its cookies."""
    look, kind = facts.page, software(facts.reply)
    if look is not None and look.is_open_without_cookie:
        yield error(
            "host-hidden",
            f"a page of {look.origin} is refused if its visitor has a cookie (HTTP "
            f"{look.reply.status}), and accepted without: the proxy does not send the name of the "
            "site, so the service takes the page for another site's",
            f'{FORWARD_HOST[kind]}  or name the page: Worker(…, origins=["{look.origin}"])',
        )
    elif look is not None:
        yield warning(
            "origin-refused",
            f"HTTP {look.reply.status} for a page of {look.origin}; programs, which send no "
            "Origin, are accepted",
            f'if such a page shall connect: Worker(…, origins=["{look.origin}"]); if the pages '
            "have another origin, give it: --origin https://…",
        )
    elif _told(facts.reply).get("page") == Standing.STRANGER.value:
        yield warning(
            "host-hidden",
            "pages of this site are accepted, but the program gets neither their cookies nor "
            "credentials: the proxy does not send the name of the site",
            f"{FORWARD_HOST[kind]}  or name the pages: Worker(…, origins=[…])",
        )


def address(facts: Facts) -> Iterator[Finding]:
    """Whether the service knows the client's address, or believes any claim."""
    kind = software(facts.reply)
    if facts.believed:
        yield warning(
            "real-ip-spoofable",
            f"a client that says {' or '.join(facts.believed)}: {checkup.CLAIMED} is believed: any "
            "client may choose the address that the service sees",
            f"{REAL_IP[kind]}  or let the service read a header that the proxy does write "
            '(Apache always writes X-Forwarded-For: real_ip_header="x-forwarded-for")',
        )
    elif _told(facts.reply).get("address") == checkup.NOT_TOLD:
        yield warning(
            "real-ip-missing",
            "the service trusts its proxy, and the proxy does not send the client's address: "
            "remote_ip is "
            "unknown for every client",
            REAL_IP[kind],
        )


def _told(reply: HandshakeReply | None) -> dict[str, str]:
    """What a Lineman service reports about a handshake."""
    return {} if reply is None else checkup.read(reply.header(checkup.QUESTION))


CHECKS = (page, address)
