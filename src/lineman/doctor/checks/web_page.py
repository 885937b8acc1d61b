"""What a service makes of the pages of its own site, and of who a client claims to be."""

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
    "": "have the proxy forward Host (nginx: proxy_set_header Host $http_host;  Apache: "
    "ProxyPreserveHost On)",
}


def page(facts: Facts) -> Iterator[Finding]:
    """Whether a page of the site may connect, and bring its cookies."""
    look, kind = facts.page, software(facts.reply)
    if look is not None and look.is_open_without_cookie:
        yield error(
            "host-hidden",
            f"a page of {look.origin} is refused once its visitor has a cookie (HTTP "
            f"{look.reply.status}), and let in without: the proxy does not tell the service which "
            "site was asked for, so it takes the page for another site's",
            f'{FORWARD_HOST[kind]}  or name the page: Worker(…, origins=["{look.origin}"])',
        )
    elif look is not None:
        yield warning(
            "origin-refused",
            f"HTTP {look.reply.status} for a page of {look.origin}; programs, which send no Origin,"
            " are let in",
            f'if such a page shall connect: Worker(…, origins=["{look.origin}"]); if the pages are '
            "elsewhere, ask for one of them: --origin https://…",
        )
    elif _told(facts.reply).get("page") == Standing.STRANGER.value:
        yield warning(
            "host-hidden",
            "pages of this site are let in as strangers, so the program is shown neither cookies "
            "nor credentials: the proxy does not tell the service which site was asked for",
            f"{FORWARD_HOST[kind]}  or name the pages: Worker(…, origins=[…])",
        )


def address(facts: Facts) -> Iterator[Finding]:
    """Whether the service knows who the client is, or believes whatever it claims."""
    kind = software(facts.reply)
    if facts.believed:
        yield warning(
            "real-ip-spoofable",
            f"a client that says {' or '.join(facts.believed)}: {checkup.CLAIMED} is taken for it: "
            "anybody may choose the address that the service sees",
            f"{REAL_IP[kind]}  or have the service read a header that the proxy does write "
            '(Apache always writes X-Forwarded-For: real_ip_header="x-forwarded-for")',
        )
    elif _told(facts.reply).get("address") == checkup.NOT_TOLD:
        yield warning(
            "real-ip-missing",
            "the service trusts its proxy, and is not told the client's address: remote_ip is "
            "unknown for every client",
            REAL_IP[kind],
        )


def _told(reply: HandshakeReply | None) -> dict[str, str]:
    """What a service of Lineman says of a handshake."""
    return {} if reply is None else checkup.read(reply.header(checkup.QUESTION))


CHECKS = (page, address)
