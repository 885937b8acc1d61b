"""The URL, the name and the port: what must work before the first byte is sent."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from lineman.base.finding import Finding
from lineman.doctor.checks.check_type import error, info, ok, warning
from lineman.doctor.facts import Facts, Outcome


def scheme(facts: Facts) -> Iterator[Finding]:
    """`ws://` is blocked on https pages, and can be read by anybody on the way."""
    target = facts.target
    if not target.is_tls and not _is_loopback(target.host):
        yield warning(
            "insecure-scheme",
            f"{target} is not encrypted: pages on https, phones and mini-programs may not open it "
            "(mixed content)",
            f"serve TLS and use {target.with_scheme('wss')}",
        )


def host(facts: Facts) -> Iterator[Finding]:
    """An address in place of a name: certificates for those are rare."""
    target = facts.target
    if target.is_tls and _is_address(target.host) and not _is_loopback(target.host):
        yield warning(
            "host-is-address",
            f"the URL holds the address {target.host}, and certificates are for names",
            "use the domain's name in the URL",
        )


def names(facts: Facts) -> Iterator[Finding]:
    """Whether the name has an address."""
    found, name = facts.names, facts.target.host
    if found.fault == "unknown":
        yield error(
            "dns-unknown-name",
            f"there is no address for {name}",
            f"check the spelling; add an A record for {name} at your DNS provider, then look: "
            f"dig +short {name}",
        )
    elif found.fault:
        yield error(
            "dns-no-answer",
            f"the resolver gives no answer for {name} ({found.fault})",
            "check this machine's network and /etc/resolv.conf; from elsewhere: "
            f"dig {name} @1.1.1.1",
        )
    elif found.ipv6 and not found.ipv4 and not _is_address(name):
        yield warning(
            "dns-ipv6-only",
            f"{name} has IPv6 addresses only ({', '.join(found.ipv6)}): many networks have none",
            f"add an A record for {name}",
        )
    if len(found.all) > 1:
        yield info(
            "dns-several-addresses",
            f"{name} has {len(found.all)} addresses, and clients choose: {', '.join(found.all)}",
        )


def leads_here(facts: Facts) -> Iterator[Finding]:
    """Where the service is on this machine, the name should lead to it, or to its proxy."""
    found = facts.names
    is_here = facts.upstream is not None and _is_loopback(facts.upstream.target.host)
    if not found.all or not found.own or not is_here or set(found.all) & set(found.own):
        return
    if any(_is_loopback(ip) for ip in found.all):
        return
    yield warning(
        "dns-leads-elsewhere",
        f"{facts.target.host} leads to {', '.join(found.all)}, and this machine, where the "
        f"service is, has {', '.join(found.own)}",
        "this is right if a load balancer, a CDN or a router with port forwarding is there; "
        "otherwise set "
        "the A record to this machine's address",
    )


def private(facts: Facts) -> Iterator[Finding]:
    """Clients outside cannot use a private address."""
    name, found = facts.target.host, facts.names.all
    inside = [ip for ip in found if _is_private(ip)]
    if inside and not _is_address(name) and not facts.names.is_given and name != "localhost":
        yield warning(
            "dns-private-address",
            f"{name} leads to {', '.join(inside)}, which can be reached only from inside that "
            "network",
            "set the A record to the public address",
        )


def ports(facts: Facts) -> Iterator[Finding]:
    """Whether something listens, at each address."""
    bad = [reach for reach in facts.reach if reach.outcome is not Outcome.DONE]
    if not facts.reach:
        return
    if not bad:
        fastest = min(reach.seconds for reach in facts.reach)
        where = ", ".join(reach.ip for reach in facts.reach)
        yield ok("port", f"port {facts.target.port} is open ({where}; {fastest * 1000:.0f} ms)")
        return
    if len(bad) < len(facts.reach):
        yield from _some_address(facts)
        return
    yield from _no_address(facts)


def _some_address(facts: Facts) -> Iterator[Finding]:
    for reach in facts.reach:
        if reach.outcome is Outcome.DONE:
            continue
        if _is_loopback(facts.target.host):
            yield info(
                "dns-loopback-address",
                f"{reach.ip} of {facts.target.host} is {_words(reach.outcome)}, and another answers"
                ": clients on this machine try both",
            )
            continue
        is_six = ":" in reach.ip
        record = "AAAA" if is_six else "A"
        has_own = (
            "this machine has no IPv6 itself, so check from another machine too; "
            if (is_six and reach.outcome is Outcome.UNREACHABLE)
            else ""
        )
        yield (warning if has_own else error)(
            "dns-ipv6-dead" if is_six else "dns-address-dead",
            f"{reach.ip} (an {record} record of {facts.target.host}) is "
            f"{_words(reach.outcome)}, while other addresses answer: some clients try it first",
            f"{has_own}listen on it (nginx: listen [::]:{facts.target.port} ssl;) or remove the "
            f"{record} record",
        )


def _no_address(facts: Facts) -> Iterator[Finding]:
    outcomes = {reach.outcome for reach in facts.reach}
    port, where = facts.target.port, ", ".join(reach.ip for reach in facts.reach)
    if facts.loopback is not None and facts.loopback.outcome is Outcome.DONE:
        yield error(
            "worker-loopback-only",
            f"the service listens on {facts.loopback.ip} only, and clients connect to {where}",
            f'listen on 0.0.0.0: Worker("{facts.target.scheme}://0.0.0.0:{port}"); or put a web '
            "server in front (lineman proxy)",
        )
    elif Outcome.REFUSED in outcomes:
        is_here = all(_is_loopback(ip) or ip in facts.names.own for ip in facts.names.all)
        yield error(
            "port-closed",
            f"nothing listens on {where}, port {port}: connection refused",
            f"start the service (or the web server); see who listens, and on what: ss -ltnp "
            f"'sport = :{port}' (127.0.0.1 there is reached from that machine only: listen on "
            f"0.0.0.0)" + ("" if is_here else "; run it on the server"),
        )
    elif Outcome.TIMEOUT in outcomes:
        yield error(
            "port-filtered",
            f"{where}, port {port}, does not answer at all: something drops the packets",
            f"open port {port} in the cloud's console (security group) and on the machine: "
            f"ufw allow {port}/tcp, or firewall-cmd --add-port={port}/tcp --permanent",
        )
    else:
        yield error(
            "host-unreachable",
            f"there is no route to {where} from here",
            f"check the address and this machine's network: ip route get {facts.reach[0].ip}",
        )


def _words(outcome: Outcome) -> str:
    return {
        Outcome.REFUSED: "closed there (connection refused)",
        Outcome.TIMEOUT: "silent",
        Outcome.UNREACHABLE: "not reachable from here",
    }.get(outcome, outcome.value)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_loopback(text: str) -> bool:
    if text == "localhost" or text.endswith(".localhost"):
        return True
    return _is_address(text) and ip_address(text).is_loopback


def _is_private(text: str) -> bool:
    return _is_address(text) and ip_address(text).is_private


CHECKS = (names, ports, leads_here, private, host, scheme)
