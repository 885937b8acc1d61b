import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineman.errors import ConfigError, UsageError
from lineman.protocols.http.requests import Headers
from lineman.protocols.proxies.forwarded import (
    ClientAddress,
    TrustedProxies,
    real_ip_source,
    resolve,
    scheme,
)

TRUSTED = TrustedProxies(["127.0.0.1/32", "10.0.0.0/8", "::1", "2001:db8:1::/48"])
NOBODY = TrustedProxies()

XFF = "X-Forwarded-For"
REAL = "X-Real-IP"
FORWARDED = "Forwarded"


def client(
    *lines: tuple[str, str], source: str | None = None, peer: str = "127.0.0.1"
) -> ClientAddress:
    return resolve(peer, 5000, Headers(list(lines)), TRUSTED, source)


def test_an_untrusted_peer_is_the_client_whatever_it_sends() -> None:
    lines = [(XFF, "1.1.1.1"), (REAL, "1.1.1.1"), (FORWARDED, "for=1.1.1.1")]
    peer = ClientAddress("6.6.6.6", 5000, None)
    assert client(*lines, peer="6.6.6.6") == peer
    assert client(*lines, peer="6.6.6.6", source="x-real-ip") == peer
    assert resolve("127.0.0.1", 5000, Headers(lines), NOBODY, None).ip == "127.0.0.1"


def test_an_ipv4_address_in_ipv6_clothes_is_an_ipv4_address() -> None:
    assert client((REAL, "9.9.9.9"), peer="::ffff:127.0.0.1").ip == "9.9.9.9"
    assert client(peer="::ffff:6.6.6.6") == ClientAddress("6.6.6.6", 5000)
    assert resolve("::ffff:6.6.6.6", 1, Headers([]), NOBODY, None).ip == "6.6.6.6"
    assert client((XFF, "9.9.9.9, ::ffff:10.0.0.1")).ip == "9.9.9.9"
    assert client((REAL, "::ffff:9.9.9.9")).ip == "9.9.9.9"
    assert "::ffff:10.1.2.3" in TRUSTED


@pytest.mark.parametrize(
    ("network", "inside", "outside"),
    [
        ("127.0.0.1/32", "127.0.0.1", "127.0.0.2"),
        ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
        ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
        ("::1", "::1", "::2"),
        ("fe80::/10", "fe80::1%eth0", "fec0::1"),
        ("::ffff:10.0.0.0/104", "10.1.1.1", "11.1.1.1"),
        ("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.2"),
        ("10.0.0.0/8", "10.0.0.1", "::a00:1"),
        ("0::1", "::1", "0:0:0:0:0:0:0:2"),
    ],
)
def test_a_network_holds_its_addresses_and_no_others(
    network: str, inside: str, outside: str
) -> None:
    trusted = TrustedProxies([network])
    assert inside in trusted
    assert outside not in trusted
    assert not trusted.is_empty


@pytest.mark.parametrize("peer", ["", "unknown", "/run/app.sock", "1.2.3", "127.0.0.01", "::ffff:"])
def test_what_is_no_address_is_trusted_by_nobody(peer: str) -> None:
    assert peer not in TRUSTED
    assert client((REAL, "1.1.1.1"), peer=peer).ip == peer


@pytest.mark.parametrize(
    ("entry", "seen", "fix"),
    [
        ("10.0.0.1/8", "bits set", '"10.0.0.0/8"'),
        ("10.0.0.1/8", "bits set", '"10.0.0.1"'),
        ("2001:db8::1/32", "bits set", '"2001:db8::/32"'),
        ("10.0.0.0/33", "not a network", "10.0.0.0/8"),
        ("localhost", "not a network", "127.0.0.1/32"),
        ("10.0.0.0/255.0.0.0", "prefix length", "10.0.0.0/8"),
        ("*", "not a network", "127.0.0.1/32"),
        ("", "not a network", "127.0.0.1/32"),
        ("0.0.0.0/0", "covers everybody", "own address"),
        ("::/0", "covers everybody", "own address"),
        (5, "not a network", "127.0.0.1/32"),
    ],
)
def test_an_entry_that_is_no_network_is_refused_with_the_right_one(
    entry: str, seen: str, fix: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        TrustedProxies([entry])
    assert seen in caught.value.seen
    assert fix in caught.value.fix


def test_a_single_string_is_not_a_list_of_networks() -> None:
    with pytest.raises(ConfigError, match=r"trusted_proxies=\['127.0.0.1'\]"):
        TrustedProxies("127.0.0.1")


def test_the_source_is_one_of_three_or_all() -> None:
    assert real_ip_source(None) is None
    assert real_ip_source("X-Real-IP") == "x-real-ip"
    with pytest.raises(ConfigError, match="'cf-connecting-ip'"):
        real_ip_source("cf-connecting-ip")
    with pytest.raises(UsageError):
        client(source="X-Real-IP")


@pytest.mark.parametrize(
    ("lines", "ip", "port"),
    [
        (["9.9.9.9"], "9.9.9.9", 0),
        (["6.6.6.6, 9.9.9.9"], "9.9.9.9", 0),
        (["6.6.6.6", "9.9.9.9"], "9.9.9.9", 0),
        (["6.6.6.6, 9.9.9.9, 10.0.0.3,10.0.0.2"], "9.9.9.9", 0),
        (["6.6.6.6, 9.9.9.9", "10.0.0.3", "2001:db8:1::5"], "9.9.9.9", 0),
        (["10.0.0.9, 10.0.0.3"], "10.0.0.9", 0),
        (["garbage, 9.9.9.9"], "9.9.9.9", 0),
        ([", 9.9.9.9"], "9.9.9.9", 0),
        (["9.9.9.9:1234"], "9.9.9.9", 1234),
        (["[2001:db8::1]:1234"], "2001:db8::1", 1234),
        (["[2001:db8::1]"], "2001:db8::1", 0),
        (["2001:DB8:0::1"], "2001:db8::1", 0),
        (["9.9.9.9:1234, 10.0.0.3:99"], "9.9.9.9", 1234),
    ],
)
def test_x_forwarded_for_is_walked_from_the_right(lines: list[str], ip: str, port: int) -> None:
    found = client(*((XFF, line) for line in lines), source="x-forwarded-for")
    assert found == ClientAddress(ip, port, None)


@pytest.mark.parametrize(
    "hop",
    [
        "unknown", "_hidden", "garbage", "010.0.0.1", "fe80::1%eth0", "[fe80::1%eth0]", "1.2.3",
        "1.2.3.4:99999", "1.2.3.4:", "1.2.3.4:x", "[1.2.3.4]", "[::1", "::1]:5", "", " ",
        "<script>", "1.2.3.4 5.6.7.8", "1.2.3.\u0664", "0x7f.0.0.1", "2130706433", "[]", "[]:1",
        '"1.2.3.4"',
    ],
)  # fmt: skip
def test_a_hop_that_is_no_address_ends_the_walk_as_unknown(hop: str) -> None:
    found = client((XFF, f"9.9.9.9, {hop}, 10.0.0.1"), source="x-forwarded-for")
    assert (found.ip, found.port) == ("unknown", 0)
    assert found.problem is not None
    assert "X-Forwarded-For" in found.problem
    assert "\n" not in found.problem


def test_more_than_32_hops_are_no_set_up() -> None:
    hops = ", ".join(["9.9.9.9"] + ["10.0.0.1"] * 31)
    assert client((XFF, hops)).ip == "9.9.9.9"
    found = client((XFF, f"{hops}, 10.0.0.1"))
    assert found.ip == "unknown"
    assert found.problem is not None
    assert "32" in found.problem


@pytest.mark.parametrize(
    ("lines", "ip", "port"),
    [
        (["for=9.9.9.9"], "9.9.9.9", 0),
        (["For=9.9.9.9;proto=https;by=10.0.0.1"], "9.9.9.9", 0),
        (["proto=https ; for=9.9.9.9"], "9.9.9.9", 0),
        (['for="9.9.9.9:1234"'], "9.9.9.9", 1234),
        (['for="[2001:db8::1]:1234"'], "2001:db8::1", 1234),
        (['for="[2001:db8::1]"'], "2001:db8::1", 0),
        (['for="[2001:db8::1]:_port"'], "2001:db8::1", 0),
        (['for="9.9.9\\.9"'], "9.9.9.9", 0),
        (["for=6.6.6.6, for=9.9.9.9, for=10.0.0.1"], "9.9.9.9", 0),
        (["for=6.6.6.6", "for=9.9.9.9", 'for="[::1]"'], "9.9.9.9", 0),
        (["for=10.0.0.9, for=10.0.0.3"], "10.0.0.9", 0),
        (['for=9.9.9.9;host="a, for=6.6.6.6"'], "9.9.9.9", 0),
        (['for=6.6.6.6;x="', "for=9.9.9.9"], "9.9.9.9", 0),
        (["for=unknown, for=9.9.9.9"], "9.9.9.9", 0),
    ],
)
def test_forwarded_is_walked_from_the_right(lines: list[str], ip: str, port: int) -> None:
    found = client(*((FORWARDED, line) for line in lines), source="forwarded")
    assert found == ClientAddress(ip, port, None)


@pytest.mark.parametrize(
    "line",
    [
        "for=unknown", "for=_hidden", "for=9.9.9.9, for=_SEVKISEK", "proto=https", "for", "for=",
        "for=9.9.9.9;for=8.8.8.8", "for=9.9.9.9, proto=https", 'for="9.9.9.9', "9.9.9.9", "",
        "for=9.9.9.9,", "for=9.9.9.9;", "for = 9.9.9.9", "for=[2001:db8::1]", 'for="9.9.9.9"x',
        'for=6.6.6.6;x=", for=9.9.9.9;host=",for=6.6.6.6;y="', "for=9.9.9.9 for=8.8.8.8",
        'for=6.6.6.6;x=", for="[::1]:1"', 'for=""',
    ],
)  # fmt: skip
def test_a_forwarded_that_cannot_be_read_is_unknown(line: str) -> None:
    found = client((FORWARDED, line), source="forwarded")
    assert found.ip == "unknown"
    assert found.problem is not None
    assert "Forwarded" in found.problem


@pytest.mark.parametrize(
    ("value", "ip", "port"),
    [
        ("9.9.9.9", "9.9.9.9", 0),
        ("9.9.9.9:77", "9.9.9.9", 77),
        ("[2001:db8::1]:77", "2001:db8::1", 77),
        ("2001:db8::1", "2001:db8::1", 0),
        ("10.0.0.1", "10.0.0.1", 0),
    ],
)
def test_x_real_ip_is_one_address(value: str, ip: str, port: int) -> None:
    assert client((REAL, value), source="x-real-ip") == ClientAddress(ip, port, None)


def test_several_x_real_ip_are_unknown() -> None:
    for lines in ([(REAL, "9.9.9.9"), (REAL, "9.9.9.9")], [(REAL, "6.6.6.6, 9.9.9.9")]):
        found = client(*lines, source="x-real-ip")
        assert found.ip == "unknown"
        assert found.problem is not None
        assert "several" in found.problem
    assert client((REAL, "garbage"), source="x-real-ip").ip == "unknown"


@pytest.mark.parametrize(
    ("source", "name"), [("x-real-ip", REAL), ("x-forwarded-for", XFF), ("forwarded", FORWARDED)]
)
def test_an_explicit_source_is_the_only_one(source: str, name: str) -> None:
    values = {REAL: "9.9.9.1", XFF: "9.9.9.2", FORWARDED: "for=9.9.9.3"}
    expected = values[name].removeprefix("for=")
    assert client(*values.items(), source=source).ip == expected
    del values[name]
    found = client(*values.items(), source=source)
    assert found.ip == "unknown"
    assert found.problem is not None
    assert f"127.0.0.1 sent no {name}" in found.problem


def test_without_a_source_the_headers_that_are_there_must_agree() -> None:
    assert client((REAL, "9.9.9.9")).ip == "9.9.9.9"
    assert client((XFF, "6.6.6.6, 9.9.9.9"), (REAL, "9.9.9.9")).ip == "9.9.9.9"
    assert client((XFF, "9.9.9.9"), (FORWARDED, 'for="9.9.9.9:7"')) == ClientAddress("9.9.9.9", 7)


@pytest.mark.parametrize(
    "lines",
    [
        [(REAL, "6.6.6.6"), (XFF, "9.9.9.9")],
        [(FORWARDED, "for=6.6.6.6"), (XFF, "9.9.9.9"), (REAL, "9.9.9.9")],
        [(REAL, "garbage"), (XFF, "9.9.9.9")],
    ],
)
def test_headers_that_disagree_are_unknown_and_say_what_to_set(
    lines: list[tuple[str, str]],
) -> None:
    found = client(*lines)
    assert (found.ip, found.port) == ("unknown", 0)
    assert found.problem is not None
    assert "real_ip_header=" in found.problem
    assert "9.9.9.9" in found.problem
    assert lines[0][0] in found.problem


def test_a_trusted_proxy_that_sends_nothing_is_unknown_and_never_its_own_address() -> None:
    found = client()
    assert (found.ip, found.port) == ("unknown", 0)
    assert found.problem is not None
    assert "127.0.0.1 sent none of X-Real-IP, X-Forwarded-For, Forwarded" in found.problem
    assert "proxy_set_header X-Real-IP $remote_addr;" in found.problem


def test_a_header_with_underscores_is_another_header() -> None:
    assert client(("X_Real_IP", "6.6.6.6"), (REAL, "9.9.9.9")).ip == "9.9.9.9"
    assert client(("X_Forwarded_For", "6.6.6.6")).ip == "unknown"


VALUES = st.text(st.characters(max_codepoint=255), max_size=40) | st.lists(
    st.sampled_from(
        ["for=", '"', "\\", ",", ";", "[", "]", ":", "::1", "1.2.3.4", "10.0.0.1", " ", "unknown",
         "by=x", "%", "80"]
    ),
    max_size=12,
).map("".join)  # fmt: skip


@given(
    st.lists(st.tuples(st.sampled_from([XFF, REAL, FORWARDED]), VALUES), max_size=4),
    st.sampled_from([None, "x-real-ip", "x-forwarded-for", "forwarded"]),
)
def test_garbage_never_raises(lines: list[tuple[str, str]], source: str | None) -> None:
    found = client(*lines, source=source)
    assert (found.ip == "unknown") == (found.problem is not None)


@given(VALUES)
def test_what_a_client_writes_never_outranks_what_the_proxy_appends(value: str) -> None:
    assert client((XFF, f"{value}, 9.9.9.9")).ip == "9.9.9.9"
    assert client((FORWARDED, value), (FORWARDED, "for=9.9.9.9")).ip == "9.9.9.9"
    appended = client((FORWARDED, f'{value}, for=9.9.9.9;host="h"'))
    assert appended.ip in ("9.9.9.9", "unknown")


@given(st.text(max_size=40))
def test_any_text_is_a_peer_or_not(ip: str) -> None:
    assert isinstance(ip in TRUSTED, bool)
    assert resolve(ip, 0, Headers([]), TRUSTED, None).port == 0


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["https"], "https"),
        ([" HTTP "], "http"),
        (["wss"], "https"),
        (["ws"], "http"),
        ([], None),
        (["https", "https"], None),
        (["https, http"], None),
        (["ftp"], None),
        ([""], None),
    ],
)
def test_the_scheme_is_one_word_that_is_known(lines: list[str], found: str | None) -> None:
    headers = Headers([("X-Forwarded-Proto", line) for line in lines])
    assert scheme(headers) == found


def test_whoever_comes_through_a_unix_socket_is_trusted_by_that_name() -> None:
    trusted = TrustedProxies(["unix", "10.0.0.0/8"])
    assert "unix" in trusted
    assert "unix" not in TRUSTED
    headers = Headers([(XFF, "9.9.9.9, 10.0.0.1")])
    assert resolve("unix", 0, headers, trusted, None).ip == "9.9.9.9"
    assert resolve("unix", 0, headers, TRUSTED, None) == ClientAddress("unix", 0)
    # As a hop it is no address: a client could write it.
    assert resolve("unix", 0, Headers([(XFF, "9.9.9.9, unix")]), trusted, None).ip == "unknown"
