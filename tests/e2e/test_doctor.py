"""Each fault is made on purpose: the doctor names it first, and names none without a fault."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from e2e.support import raw
from e2e.support.client import DOMAIN
from e2e.support.clinic import Clinic
from e2e.support.diagnosis import diagnose, facts_of, first, names
from e2e.support.proxies import Proxy, StartProxy
from kit.program import free_ports
from lineman.base.finding import Level
from lineman.doctor.checks import judge
from lineman.doctor.looks.name_resolution import own_addresses
from lineman.protocols.websocket.client.url import parse
from lineman.testing.certificates import TestCA
from lineman.tls.advice.certificate_facts import read_roots

# By what nginx was told: the name of the port, the path, options, and what the doctor must say.
BROKEN_IN_NGINX: list[tuple[str, str, dict[str, Any], str, str]] = [
    ("main", "/lost", {}, "upgrade-headers-lost", "proxy_set_header Upgrade"),
    ("main", "/old", {}, "upgrade-headers-lost", "proxy_http_version 1.1"),
    ("main", "/down", {}, "upstream-down", "ss -ltnp"),
    ("main", "/closed", {}, "upstream-down", "error log"),
    ("main", "/both", {}, "upstream-speaks-tls", "https://"),
    ("main", "/twice", {}, "upstream-down", "proxy_pass says http://"),
    ("main", "/slow", {}, "upstream-timeout", "blocks"),
    ("main", "/nope", {}, "wrong-path", "use the path /wss"),
    ("main", "/moved", {}, "redirect", "wss://domain.com/wss"),
    ("main", "/found", {}, "redirect", "/login"),
    ("main", "/page", {}, "not-a-websocket", "/wss"),
    ("main", "/private", {}, "forbidden", "--origin"),
    ("main", "/login", {}, "login-required", "Authorization"),
    ("main", "/busy", {}, "rate-limited", "limit_req"),
    ("main", "/ill", {}, "handshake-refused", "log"),
    ("main", "/pages", {"origin": "https://evil.test"}, "origin-refused", "origins="),
    ("main", "/wss", {"subprotocols": ("v9",)}, "subprotocol-not-chosen", 'subprotocols=["v9"]'),
    ("main", "/wss", {"size": 100_000}, "message-too-big", "max_message_size=100000"),
    ("main", "/idle", {"patience": 20.0}, "idle-cut", "ping_interval="),
    ("expired", "/wss", {}, "cert-expired", "renew"),
    ("early", "/wss", {}, "cert-not-yet-valid", "timedatectl"),
    ("name", "/wss", {}, "cert-wrong-name", DOMAIN),
    ("leaf", "/wss", {}, "cert-chain-incomplete", "fullchain.pem"),
    ("private", "/wss", {}, "cert-chain-incomplete", "private"),
    ("tls11", "/wss", {}, "tls-too-old", "ssl_protocols TLSv1.2 TLSv1.3"),
    ("weak", "/wss", {}, "tls-no-common-cipher", "ssl_ciphers"),
    ("header", "/wss", {}, "proxy-protocol-required", "proxy_protocol"),
    ("plain", "/wss", {}, "wss-to-ws-port", "ws://domain.com"),
]


@pytest.mark.parametrize(
    ("port", "path", "options", "name", "fix"),
    BROKEN_IN_NGINX,
    ids=[f"{port}{path}-{name}" for port, path, _, name, _ in BROKEN_IN_NGINX],
)
def test_what_is_wrong_in_nginx_is_named_first(
    ward: Clinic, port: str, path: str, options: dict[str, Any], name: str, fix: str
) -> None:
    found = first(diagnose(ward, ward.url(port, path), **options))
    assert found.name == name, found
    assert fix in found.fix, found


@pytest.mark.parametrize("url", ["good", "secure", "main", "plain"])
def test_a_healthy_line_has_no_error(ward: Clinic, url: str) -> None:
    scheme = "ws" if url in ("good", "plain") else "wss"
    found = diagnose(ward, ward.url(url, scheme=scheme), size=1000, patience=0.2)
    assert names(found, Level.ERROR) == []
    assert {"port", "handshake", "ping", "idle", "message-size"} <= set(names(found, Level.OK))


def test_a_healthy_line_asked_about_everything_has_no_warning_either(ward: Clinic) -> None:
    found = diagnose(
        ward,
        ward.url("main"),
        upstream=parse(f"ws://127.0.0.1:{ward.ports['good']}"),
        file=ward.pairs["main"].cert,
        patience=0.2,
    )
    assert names(found, Level.ERROR) == names(found, Level.WARNING) == []
    assert {"upstream", "cert-served", "compression"} <= set(names(found, Level.OK))


@pytest.mark.parametrize(
    ("path", "upstream", "name"),
    [
        ("/twice", "good", "proxy-wrong-upstream"),
        ("/down", "closed", "upstream-down"),
        ("/both", "secure", "upstream-speaks-tls"),
    ],
)
def test_the_service_is_asked_without_its_proxy(
    ward: Clinic, path: str, upstream: str, name: str
) -> None:
    asked = parse(f"ws://127.0.0.1:{ward.ports[upstream]}/")
    assert first(diagnose(ward, ward.url("main", path), upstream=asked)).name == name


def test_ws_to_a_wss_port_of_nginx_and_of_a_worker(ward: Clinic) -> None:
    for port in ("main", "secure"):
        found = first(diagnose(ward, ward.url(port, scheme="ws")))
        assert found.name == "ws-to-wss-port"
        assert found.fix == f"use {ward.url(port)}"


def test_wss_to_a_ws_port_of_a_worker(ward: Clinic) -> None:
    assert first(diagnose(ward, ward.url("good"))).name == "wss-to-ws-port"


def test_old_and_missing_versions_are_warned_of(ward: Clinic) -> None:
    found = diagnose(ward, ward.url("tls10on"))
    assert names(found, Level.ERROR) == []
    assert names(found, Level.WARNING) == ["tls-old-versions"]
    assert names(diagnose(ward, ward.url("tls13")), Level.WARNING) == ["tls12-missing"]


def test_a_certificate_that_ends_soon_is_warned_of(ward: Clinic) -> None:
    found = diagnose(ward, ward.url("soon"))
    assert names(found, Level.ERROR) == []
    assert names(found, Level.WARNING) == ["cert-expires-soon"]


def test_the_missing_intermediate_is_named(ward: Clinic) -> None:
    assert "CN=Lineman test intermediate" in first(diagnose(ward, ward.url("leaf"))).seen


def test_the_certificate_served_is_compared_with_the_one_on_disk(
    ward: Clinic, tmp_path: Path
) -> None:
    found = diagnose(ward, ward.url("main"), file=ward.pairs["soon"].cert)
    assert first(found).name == "cert-served-differs"
    found = diagnose(ward, ward.url("main"), file=tmp_path / "gone.pem")
    assert first(found).name == "cert-file"


def test_a_clock_that_is_wrong_is_warned_of(ward: Clinic) -> None:
    handler = raw.opening("Date: Wed, 21 Oct 2015 07:28:00 GMT", then=raw.pong)
    with raw.serving(handler) as port:
        found = diagnose(ward, f"ws://127.0.0.1:{port}/", given=())
    assert names(found, Level.ERROR) == []
    assert names(found, Level.WARNING) == ["clock-skew"]
    assert "2015-10-21 07:28:00" in found[0].seen


def test_a_clock_that_decides_about_the_certificate_is_to_blame(ward: Clinic) -> None:
    facts = facts_of(ward, ward.url("early"))
    assert facts.server_clock is not None
    later = replace(facts, server_clock=facts.server_clock + timedelta(days=3))
    assert first(judge(later)).name == "clock-skew"


# -- names and ports ---------------------------------------------------------------------------


def unknown(name: str) -> list[str]:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def failing(name: str) -> list[str]:
    raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


def test_a_name_that_leads_nowhere(ward: Clinic) -> None:
    found = diagnose(ward, ward.url("main"), given=(), lookup=unknown)
    assert first(found).name == "dns-unknown-name"
    found = diagnose(ward, ward.url("main"), given=(), lookup=failing)
    assert first(found).name == "dns-no-answer"


def test_a_resolver_that_hangs_does_not_hang_the_doctor(ward: Clinic) -> None:
    with ExitStack() as stack:
        port = stack.enter_context(raw.serving(raw.swallow))

        def hanging(name: str) -> list[str]:
            with socket.create_connection(("127.0.0.1", port)) as link:
                link.recv(1)
            return []

        found = diagnose(ward, ward.url("main"), given=(), lookup=hanging, timeout=0.2)
    assert first(found).name == "dns-no-answer"


def test_an_address_that_is_dead_while_another_answers(ward: Clinic) -> None:
    found = diagnose(ward, ward.url("main"), given=("127.0.0.1", "::1"))
    # A machine without IPv6 cannot tell whether others reach it.
    level = Level.ERROR if "::1" in own_addresses() else Level.WARNING
    assert (found[0].level, found[0].name) == (level, "dns-ipv6-dead")
    assert "AAAA" in found[0].fix
    found = diagnose(ward, ward.url("main"), given=("127.0.0.1", "127.0.0.2"))
    assert first(found).name == "dns-address-dead"


def test_a_name_that_leads_to_another_machine_is_warned_of(ward: Clinic) -> None:
    facts = facts_of(ward, ward.url("main"), upstream=parse(ward.url("good", scheme="ws")))
    assert facts.upstream is not None
    here = replace(facts.upstream, target=parse(f"ws://127.0.0.1:{ward.ports['good']}/"))
    away = replace(facts.names, ipv4=("203.0.113.7",))
    found = judge(replace(facts, names=away, upstream=here))
    assert names(found, Level.WARNING) == ["dns-leads-elsewhere"]


def test_a_closed_port(ward: Clinic) -> None:
    (port,) = free_ports(1)
    found = first(diagnose(ward, f"wss://{DOMAIN}:{port}/"))
    assert found.name == "port-closed"
    assert "0.0.0.0" in found.fix


def test_a_service_that_listens_on_loopback_only(ward: Clinic) -> None:
    # 127.0.0.2 stands for an address of this machine that others come to.
    found = first(diagnose(ward, ward.url("secure"), given=("127.0.0.2",)))
    assert found.name == "worker-loopback-only"
    assert "0.0.0.0" in found.fix


def test_a_filtered_port(ward: Clinic) -> None:
    """A listener whose queue is full drops further connections, as a firewall does."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        while True:
            link = stack.enter_context(socket.socket())
            link.settimeout(0.2)
            try:
                link.connect(("127.0.0.1", port))
            except TimeoutError:
                break
        found = first(diagnose(ward, f"wss://{DOMAIN}:{port}/", timeout=0.5))
    assert found.name == "port-filtered"
    assert "security group" in found.fix


def test_no_way_there(ward: Clinic) -> None:
    # 240.0.0.0/4 is reserved: the kernel itself says that there is no way.
    found = first(diagnose(ward, f"wss://{DOMAIN}/", given=("255.255.255.255",), timeout=2.0))
    assert found.name == "host-unreachable"


# -- the other proxies ----------------------------------------------------------------------------


def test_a_healthy_line_through_each_proxy_has_no_error(
    ward: Clinic, proxy: Proxy, ca: TestCA
) -> None:
    url = f"wss://{DOMAIN}:{proxy.https_port}/wss"
    roots = tuple(read_roots(ca.ca_path))
    found = diagnose(ward, url, roots=roots, patience=0.2, size=100_000)
    assert names(found, Level.ERROR) == names(found, Level.WARNING) == []


def test_each_proxy_is_told_from_a_port_without_tls(ward: Clinic, proxy: Proxy) -> None:
    found = first(diagnose(ward, f"ws://{DOMAIN}:{proxy.https_port}/wss"))
    assert found.name == "ws-to-wss-port"
    found = first(diagnose(ward, f"wss://{DOMAIN}:{proxy.http_port}/wss"))
    assert found.name == "wss-to-ws-port"


def test_apache_without_its_upgrade_is_told_the_line_of_apache(
    ward: Clinic, start_proxy: StartProxy, ca: TestCA
) -> None:
    replacements = {" upgrade=websocket": ""}
    apache = start_proxy("apache", ward.ports["good"], replacements)
    url = f"wss://{DOMAIN}:{apache.https_port}/wss"
    found = first(diagnose(ward, url, roots=tuple(read_roots(ca.ca_path))))
    assert found.name == "upgrade-headers-lost"
    assert "upgrade=websocket" in found.fix


# -- a stand-in for the service -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "level", "name"),
    [
        ("/down", Level.WARNING, "real-ip-spoofable"),
        ("/anonymous", Level.WARNING, "real-ip-missing"),
        ("/bare", Level.ERROR, "upgrade-headers-lost"),
        ("/tls", Level.ERROR, "proxy-speaks-tls-to-plain-port"),
        ("/host", Level.INFO, "host-header-changed"),
        ("/wss", Level.ERROR, "proxy-wrong-upstream"),
    ],
)
def test_a_stand_in_sees_what_the_proxy_sends_on(
    ward: Clinic, path: str, level: Level, name: str
) -> None:
    place = ("127.0.0.1", ward.ports["closed"])
    found = diagnose(ward, ward.url("main", path), stand_in=place)
    assert found[0].level is level
    assert found[0].name == name


def test_a_stand_in_finds_nothing_where_all_is_right(ward: Clinic) -> None:
    place = ("127.0.0.1", ward.ports["closed"])
    found = diagnose(ward, ward.url("main", "/right"), stand_in=place)
    assert {finding.level for finding in found} == {Level.OK}
    arrived = next(finding.seen for finding in found if finding.name == "stand-in")
    for header in ("Upgrade: websocket", "Connection: upgrade", "Host: ", "X-Real-IP: 127.0.0.1"):
        assert header in arrived


def test_a_stand_in_is_told_when_the_service_still_runs(ward: Clinic) -> None:
    place = ("127.0.0.1", ward.ports["good"])
    assert first(diagnose(ward, ward.url("main"), stand_in=place)).name == "stand-in"


# -- WeChat ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("port", "scheme", "host", "name"),
    [
        ("good", "ws", DOMAIN, "wechat-wss-only"),
        ("main", "wss", "127.0.0.1", "wechat-name-needed"),
        ("leaf", "wss", DOMAIN, "wechat-certificate"),
        ("expired", "wss", DOMAIN, "wechat-certificate"),
    ],
)
def test_what_a_mini_program_would_refuse(
    ward: Clinic, port: str, scheme: str, host: str, name: str
) -> None:
    found = diagnose(ward, ward.url(port, scheme=scheme, host=host), profile="wechat")
    assert name in names(found, Level.ERROR)


def test_a_mini_program_takes_a_healthy_line(ward: Clinic) -> None:
    found = diagnose(ward, ward.url("main"), profile="wechat")
    assert names(found, Level.ERROR) == names(found, Level.WARNING) == []
    assert {"wechat-console", "wechat-background"} <= set(names(found, Level.INFO))
    assert "wechat-certificate" in names(found, Level.OK)
