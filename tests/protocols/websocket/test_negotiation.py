"""permessage-deflate is agreed on, or not, as RFC 7692 says; `websockets` is the other side."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import NegotiationError
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    PerMessageDeflate,
    ServerPerMessageDeflateFactory,
)
from websockets.headers import build_extension, parse_extension

from lineman.errors import ConfigError, HttpError, ProtocolError
from lineman.protocols.websocket.negotiation import (
    Agreement,
    DeflateOptions,
    accept,
    negotiate,
    offer,
)

DEFAULTS = DeflateOptions()
# Asks for nothing, so that the answer shows what the offer alone makes of it.
OPEN = DeflateOptions(server_no_context_takeover=False, client_no_context_takeover=False)
P = "permessage-deflate"


# Options.


def test_the_default_keeps_no_context() -> None:
    assert DEFAULTS.server_no_context_takeover
    assert DEFAULTS.client_no_context_takeover


@pytest.mark.parametrize(
    ("options", "seen"),
    [
        ({"server_max_window_bits": 8}, "server_max_window_bits=8: zlib cannot compress"),
        ({"client_max_window_bits": 8}, "client_max_window_bits=8: zlib cannot compress"),
        ({"server_max_window_bits": 7}, "server_max_window_bits=7 is not an integer from 9 to 15"),
        ({"client_max_window_bits": 16}, "client_max_window_bits=16"),
        ({"client_max_window_bits": "12"}, "client_max_window_bits='12'"),
        ({"level": 0}, "level=0 is not an integer from 1 to 9"),
        ({"level": 10}, "level=10"),
        ({"level": True}, "level=True"),
        ({"memory_level": 0}, "memory_level=0"),
        ({"memory_level": 10}, "memory_level=10"),
        ({"threshold": -1}, "threshold=-1 is not a number of bytes"),
        ({"threshold": "1 KiB"}, "threshold='1 KiB'"),
        ({"threshold": None}, "threshold=None"),
        ({"server_no_context_takeover": 1}, "server_no_context_takeover=1 is not a bool"),
        ({"client_no_context_takeover": "no"}, "client_no_context_takeover='no'"),
    ],
)
def test_an_option_that_cannot_work_is_refused_with_the_fix(
    options: dict[str, Any], seen: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        DeflateOptions(**options)
    assert seen in caught.value.seen
    assert caught.value.fix.startswith("write")


def test_every_option_may_have_its_lowest_and_its_highest_value() -> None:
    DeflateOptions(server_max_window_bits=9, client_max_window_bits=9, level=1, memory_level=1)
    DeflateOptions(server_max_window_bits=15, client_max_window_bits=15, level=9, memory_level=9)
    assert DeflateOptions(threshold=0).threshold == 0


def test_options_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        DEFAULTS.level = 3  # type: ignore[misc]


# Agreements.


def test_connections_share_by_what_the_server_compresses_with() -> None:
    alone = Agreement(server_no_context_takeover=True, server_max_window_bits=12)
    assert alone.share_key == 12
    assert replace(alone, client_max_window_bits=9).share_key == alone.share_key
    assert replace(alone, server_max_window_bits=11).share_key != alone.share_key


def test_connections_with_context_takeover_share_nothing() -> None:
    assert Agreement().share_key is None


def test_equal_agreements_are_one_key() -> None:
    assert len({Agreement(True, False, 12, 15), Agreement(True, False, 12, 15), Agreement()}) == 2


# The server's side.


@pytest.mark.parametrize(
    ("value", "answer", "agreement"),
    [
        (P, P, Agreement()),
        (f"{P}; server_no_context_takeover", f"{P}; server_no_context_takeover", Agreement(True)),
        (
            f"{P}; client_no_context_takeover",
            f"{P}; client_no_context_takeover",
            Agreement(False, True),
        ),
        (f"{P}; client_max_window_bits", P, Agreement()),
        (
            f"{P}; client_max_window_bits=10",
            f"{P}; client_max_window_bits=10",
            Agreement(client_max_window_bits=10),
        ),
        (
            f"{P}; client_max_window_bits=8",
            f"{P}; client_max_window_bits=8",
            Agreement(client_max_window_bits=8),
        ),
        (
            f"{P}; server_max_window_bits=10",
            f"{P}; server_max_window_bits=10",
            Agreement(server_max_window_bits=10),
        ),
        # Offered, so it must be answered, default or not.
        (f"{P}; server_max_window_bits=15", f"{P}; server_max_window_bits=15", Agreement()),
        (
            f"{P}; client_max_window_bits; server_max_window_bits=9; client_no_context_takeover;"
            " server_no_context_takeover",
            f"{P}; server_no_context_takeover; client_no_context_takeover;"
            " server_max_window_bits=9",
            Agreement(True, True, 9, 15),
        ),
    ],
)
def test_an_offer_is_answered(value: str, answer: str, agreement: Agreement) -> None:
    assert negotiate([value], OPEN) == (agreement, answer)


def test_the_memory_saving_default_is_what_a_browser_is_answered() -> None:
    assert negotiate([f"{P}; client_max_window_bits"], DEFAULTS) == (
        Agreement(True, True, 15, 15),
        f"{P}; server_no_context_takeover; client_no_context_takeover",
    )


def test_smaller_windows_that_the_operator_wants_are_in_the_answer() -> None:
    options = replace(OPEN, server_max_window_bits=11, client_max_window_bits=12)
    assert negotiate([f"{P}; client_max_window_bits"], options) == (
        Agreement(False, False, 11, 12),
        f"{P}; server_max_window_bits=11; client_max_window_bits=12",
    )


def test_the_smaller_of_two_windows_counts() -> None:
    options = replace(OPEN, server_max_window_bits=11, client_max_window_bits=12)
    value = f"{P}; server_max_window_bits=10; client_max_window_bits=9"
    assert negotiate([value], options) == (Agreement(False, False, 10, 9), value)
    value = f"{P}; server_max_window_bits=14; client_max_window_bits=13"
    assert negotiate([value], options) == (
        Agreement(False, False, 11, 12),
        f"{P}; server_max_window_bits=11; client_max_window_bits=12",
    )


def test_a_client_that_cannot_be_asked_for_a_smaller_window_is_not() -> None:
    # "... the server MUST NOT include it in the response": section 7.1.2.2.
    options = replace(OPEN, client_max_window_bits=9)
    assert negotiate([P], options) == (Agreement(), P)


DECLINED = [
    f"{P}; server_max_window_bits=8",  # zlib cannot
    f"{P}; server_max_window_bits",
    f"{P}; server_max_window_bits=7",
    f"{P}; server_max_window_bits=16",
    f"{P}; server_max_window_bits=010",
    f"{P}; server_max_window_bits=+9",
    f"{P}; server_max_window_bits=ten",
    f'{P}; client_max_window_bits="1x"',
    f"{P}; client_max_window_bits=16",
    f"{P}; client_max_window_bits=09",
    f"{P}; client_max_window_bits=99999999999999999999",
    f"{P}; server_no_context_takeover=true",
    f"{P}; client_no_context_takeover=1",
    f"{P}; server_no_context_takeover; server_no_context_takeover",
    f"{P}; client_max_window_bits; client_max_window_bits=10",
    f"{P}; unknown",
    f"{P}; unknown=1",
    f"{P}; Server_No_Context_Takeover",
]


@pytest.mark.parametrize("value", DECLINED)
def test_an_offer_that_cannot_be_met_is_declined(value: str) -> None:
    assert negotiate([value], OPEN) is None


@pytest.mark.parametrize("value", DECLINED)
def test_after_a_declined_offer_the_next_is_tried(value: str) -> None:
    expected = (Agreement(server_max_window_bits=12), f"{P}; server_max_window_bits=12")
    following = f"{P}; server_max_window_bits=12"
    assert negotiate([f"{value}, {following}"], OPEN) == expected
    assert negotiate([value, following], OPEN) == expected


@pytest.mark.parametrize(
    "lines",
    [[], [""], ["  "], [","], [" , ,\t"], ["x-webkit-deflate-frame"], ["foo; a=1, bar", "baz"]],
)
def test_without_an_offer_of_it_there_is_no_compression(lines: list[str]) -> None:
    assert negotiate(lines, OPEN) is None


@pytest.mark.parametrize(
    "lines",
    [
        [f"foo, {P}; server_max_window_bits=10"],
        [f'foo; a; b=2; c="3", {P}; server_max_window_bits=10, bar'],
        ["foo", f"{P}; server_max_window_bits=10"],
        [f"\t {P} ;\tserver_max_window_bits = 10 "],
        [f"{P};server_max_window_bits=10"],
        [f'{P}; server_max_window_bits="10"'],
        [f'{P}; server_max_window_bits="1\\0"'],
        [f",, {P}; server_max_window_bits=10,,"],
        [f"{P}; server_max_window_bits=10", P],
    ],
)
def test_blanks_quotes_other_extensions_and_lines_change_nothing(lines: list[str]) -> None:
    expected = (Agreement(server_max_window_bits=10), f"{P}; server_max_window_bits=10")
    assert negotiate(lines, OPEN) == expected


@pytest.mark.parametrize(
    "line",
    [
        ";",
        "=",
        f"{P};",
        f"{P}; ;",
        f"{P}; =10",
        f"{P}; server_max_window_bits=",
        f'{P}; server_max_window_bits="10',
        f'{P}; server_max_window_bits=""',
        f'{P}; server_max_window_bits="1 0"',
        f'{P}; server_max_window_bits="10\\"',
        f'{P}; server_max_window_bits="10"x',
        f"{P} server_max_window_bits",
        f"{P}; server_max_window_bits=10 11",
        f"{P}/1",
        "foo@bar",
        "a, b, (c)",
        f"{P}, f\xf6\xf6",
        f"{P}\x00",
        f'foo; a="b, {P}',
    ],
)
def test_a_malformed_header_is_400(line: str) -> None:
    # RFC 6455, section 9.1: the recipient "MUST immediately _Fail the WebSocket Connection_".
    for lines in ([line], [P, line]):
        with pytest.raises(HttpError) as caught:
            negotiate(lines, OPEN)
        assert caught.value.status == 400
        assert caught.value.text.startswith("Sec-WebSocket-Extensions is malformed: ")


PIECES = [
    P, "permessage", ";", ",", "=", '"', "\\", " ", "\t", "8", "10", "15", "x", "\xe9", "\x00",
    "server_no_context_takeover", "client_no_context_takeover", "server_max_window_bits",
    "client_max_window_bits", f"{P}; client_max_window_bits", "=12",
]  # fmt: skip

options_of_any_kind = st.builds(
    DeflateOptions,
    server_no_context_takeover=st.booleans(),
    client_no_context_takeover=st.booleans(),
    server_max_window_bits=st.integers(9, 15),
    client_max_window_bits=st.integers(9, 15),
)


def answer_or_status(
    lines: list[str], options: DeflateOptions
) -> tuple[Agreement, str] | int | None:
    try:
        return negotiate(lines, options)
    except HttpError as error:
        return error.status


@given(
    st.lists(st.lists(st.sampled_from(PIECES), max_size=12).map("".join), max_size=3),
    options_of_any_kind,
)
def test_any_header_is_answered_declined_or_400(lines: list[str], options: DeflateOptions) -> None:
    answer = answer_or_status(lines, options)
    if isinstance(answer, tuple):
        agreement, value = answer
        assert value.startswith(P)
        assert 9 <= agreement.server_max_window_bits <= options.server_max_window_bits
        assert 8 <= agreement.client_max_window_bits <= 15
    else:
        assert answer in (None, 400)


def test_a_header_of_nothing_but_commas_is_read_once() -> None:
    assert negotiate(["," * 1_000_000], OPEN) is None


# The client's side.


@given(options_of_any_kind, options_of_any_kind)
def test_our_two_sides_agree(server: DeflateOptions, client: DeflateOptions) -> None:
    answer = negotiate([offer(client)], server)
    assert answer is not None
    agreement, value = answer
    assert accept(value, client) == agreement
    assert agreement.server_no_context_takeover == (
        server.server_no_context_takeover or client.server_no_context_takeover
    )
    assert agreement.client_no_context_takeover == (
        server.client_no_context_takeover or client.client_no_context_takeover
    )
    assert agreement.server_max_window_bits == min(
        server.server_max_window_bits, client.server_max_window_bits
    )
    assert agreement.client_max_window_bits == min(
        server.client_max_window_bits, client.client_max_window_bits
    )


def test_a_client_offers_what_its_options_say() -> None:
    assert offer(OPEN) == f"{P}; client_max_window_bits"
    assert offer(replace(OPEN, client_max_window_bits=11)) == f"{P}; client_max_window_bits=11"
    assert offer(replace(DEFAULTS, server_max_window_bits=12)) == (
        f"{P}; server_no_context_takeover; client_no_context_takeover;"
        " server_max_window_bits=12; client_max_window_bits"
    )


def test_a_client_takes_less_than_it_offered() -> None:
    value = f"{P}; server_no_context_takeover; server_max_window_bits=8; client_max_window_bits=10"
    assert accept(value, OPEN) == Agreement(True, False, 8, 10)


def test_a_client_keeps_to_the_context_it_said() -> None:
    options = replace(OPEN, client_no_context_takeover=True)
    assert accept(P, options) == Agreement(client_no_context_takeover=True)


@pytest.mark.parametrize(
    ("value", "options", "reason"),
    [
        ("", OPEN, "it is not one permessage-deflate"),
        ("foo", OPEN, "it is not one permessage-deflate"),
        (f"{P}, {P}", OPEN, "it is not one permessage-deflate"),
        (f"{P}, foo", OPEN, "it is not one permessage-deflate"),
        (f"{P};", OPEN, "no parameter"),
        (f"{P}; unknown", OPEN, "unknown"),
        (f"{P}; client_max_window_bits", OPEN, "client_max_window_bits is a number"),
        (f"{P}; client_max_window_bits=16", OPEN, "client_max_window_bits is a number"),
        (f"{P}; client_max_window_bits=8", OPEN, "more than zlib can do"),
        (f"{P}; server_no_context_takeover=1", OPEN, "has no value"),
        (f"{P}; client_no_context_takeover; client_no_context_takeover", OPEN, "doubled"),
        (P, DEFAULTS, "server_no_context_takeover was offered"),
        (P, replace(OPEN, server_max_window_bits=12), "more than the 12 that were offered"),
        (
            f"{P}; server_max_window_bits=13",
            replace(OPEN, server_max_window_bits=12),
            "more than the 12 that were offered",
        ),
    ],
)
def test_a_client_fails_a_response_it_did_not_offer(
    value: str, options: DeflateOptions, reason: str
) -> None:
    with pytest.raises(ProtocolError) as caught:
        accept(value, options)
    assert caught.value.code == 1002
    assert reason in caught.value.reason
    assert len(caught.value.reason) <= 123


# With `websockets` on the other side.


def seen_by_server(extension: PerMessageDeflate) -> Agreement:
    return Agreement(
        extension.local_no_context_takeover,
        extension.remote_no_context_takeover,
        extension.local_max_window_bits,
        extension.remote_max_window_bits,
    )


def seen_by_client(extension: PerMessageDeflate) -> Agreement:
    return Agreement(
        extension.remote_no_context_takeover,
        extension.local_no_context_takeover,
        extension.remote_max_window_bits,
        extension.local_max_window_bits,
    )


FLAGS = (True, False)
ALL_OPTIONS = [
    DeflateOptions(*values) for values in product(FLAGS, FLAGS, (9, 12, 15), (9, 12, 15))
]


def test_a_websockets_client_sees_the_same_agreement() -> None:
    for ours, flags, bits, own in product(
        ALL_OPTIONS, product(FLAGS, FLAGS), (None, 9, 12, 15), (None, True, 9, 12, 15)
    ):
        factory = ClientPerMessageDeflateFactory(*flags, bits, own)
        header = build_extension([(factory.name, list(factory.get_request_params()))])
        answer = negotiate([header], ours)
        assert answer is not None
        [(name, parameters)] = parse_extension(answer[1])
        assert name == P
        theirs = factory.process_response_params(parameters, [])
        assert seen_by_client(theirs) == answer[0], (ours, header, answer)


def test_a_websockets_server_sees_the_same_agreement() -> None:
    for ours, flags, bits, theirs in product(
        ALL_OPTIONS, product(FLAGS, FLAGS), (None, 9, 12, 15), (None, 9, 12, 15)
    ):
        [(name, parameters)] = parse_extension(offer(ours))
        factory = ServerPerMessageDeflateFactory(*flags, bits, theirs)
        try:
            response, extension = factory.process_request_params(parameters, [])
        except NegotiationError:
            pytest.fail(f"{ours} is not taken")
        agreement = accept(build_extension([(name, list(response))]), ours)
        assert agreement == seen_by_server(extension), (ours, parameters, response)
