import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineman.errors import ProtocolError, UsageError
from lineman.protocols.websocket import close

# RFC 6455, section 7.4, and the IANA registry: 1004 is reserved; 1005, 1006 and 1015 are never
# on the wire; 3000 to 3999 are registered, 4000 to 4999 private.
SENDABLE = {*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)}
CODES = [*range(5001), 5001, 9999, 32767, 32768, 65535]


def test_the_table_of_codes_is_that_of_the_rfc() -> None:
    assert [code for code in CODES if close.is_sendable(code)] == sorted(SENDABLE)
    for code in (-1, -1000, 65536, 66536, 1 << 16 | 1000, 1 << 32 | 1000, 1 << 64):
        assert close.is_sendable(code) is False


def test_a_code_is_received_if_it_may_be_sent() -> None:
    for code in CODES:
        payload = code.to_bytes(2, "big") + b"why"
        if code in SENDABLE:
            assert close.decode(payload) == (code, "why")
            assert close.decode(payload[:2]) == (code, "")
        else:
            with pytest.raises(ProtocolError, match=str(code)) as caught:
                close.decode(payload)
            assert caught.value.code == 1002


def test_a_code_is_written_if_it_may_be_sent() -> None:
    for code in CODES:
        if code in SENDABLE:
            assert close.encode(code, "why") == code.to_bytes(2, "big") + b"why"
        elif code != close.NO_STATUS:
            with pytest.raises(UsageError, match=f"{code} must not be sent"):
                close.encode(code, "why")


@pytest.mark.parametrize("code", [-1, 65536 + 1000, (1 << 64) + 1000])
def test_a_code_that_two_bytes_cannot_hold_is_refused(code: int) -> None:
    with pytest.raises(UsageError):
        close.encode(code, "")


def test_the_names_stand_for_the_codes_of_the_rfc() -> None:
    names = {
        "NORMAL": 1000,
        "GOING_AWAY": 1001,
        "PROTOCOL_ERROR": 1002,
        "UNSUPPORTED_DATA": 1003,
        "NO_STATUS": 1005,
        "ABNORMAL": 1006,
        "INVALID_DATA": 1007,
        "POLICY_VIOLATION": 1008,
        "MESSAGE_TOO_BIG": 1009,
        "INTERNAL_ERROR": 1011,
        "SERVICE_RESTART": 1012,
        "TRY_AGAIN_LATER": 1013,
    }
    assert {name: getattr(close, name) for name in names} == names


def test_every_known_code_has_words_of_its_own() -> None:
    known = [*range(1000, 1004), *range(1005, 1016)]
    words = [close.words(code) for code in known]
    assert len(set(words)) == len(known)
    assert not any(word.startswith("code") for word in words)
    assert close.words(1000) == "normal closure"
    assert close.words(1006) == "lost without a close frame"


@pytest.mark.parametrize("code", [0, 1004, 2000, 3000, 4001, 65535])
def test_another_code_is_called_by_its_number(code: int) -> None:
    assert close.words(code) == f"code {code}"


# Payloads.


def test_no_status_is_the_empty_payload() -> None:
    assert close.encode(1005, "") == b""
    assert close.encode(1005, "no place for words") == b""
    assert close.decode(b"") == (1005, "")


@pytest.mark.parametrize("byte", [b"\x00", b"\x03", b"\xff"])
def test_a_payload_of_one_byte_is_an_error(byte: bytes) -> None:
    with pytest.raises(ProtocolError, match="one byte") as caught:
        close.decode(byte)
    assert caught.value.code == 1002


@pytest.mark.parametrize("reason", ["bye", "да", "再见", "🪢", "a\0b", "\ufeff", "\uffff"])
def test_a_reason_comes_back_as_it_was(reason: str) -> None:
    payload = close.encode(4000, reason)
    assert type(payload) is bytes
    assert payload == b"\x0f\xa0" + reason.encode()
    assert close.decode(payload) == (4000, reason)


@pytest.mark.parametrize(
    "bad",
    [b"\x80", b"\xff", b"ok\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe5\x86", b"\xc3("],
)
def test_a_reason_that_is_not_utf8_is_an_error(bad: bytes) -> None:
    with pytest.raises(ProtocolError, match="UTF-8") as caught:
        close.decode(b"\x03\xe8" + bad)
    assert caught.value.code == 1007


@pytest.mark.parametrize("size", [122, 123, 124, 125, 1000])
def test_a_long_reason_is_cut_to_what_fits(size: int) -> None:
    payload = close.encode(1000, "r" * size)
    assert payload == b"\x03\xe8" + b"r" * min(size, 123)


@pytest.mark.parametrize("character", ["é", "电", "🪢"])
@pytest.mark.parametrize("before", range(4))
def test_a_long_reason_is_cut_between_characters(character: str, before: int) -> None:
    reason = "r" * before + character * 123
    code, cut = close.decode(close.encode(1000, reason))
    assert code == 1000
    assert reason.startswith(cut)
    size = len(cut.encode())
    assert 123 - len(character.encode()) < size <= 123


def test_half_a_surrogate_pair_does_not_stop_a_close() -> None:
    assert close.decode(close.encode(1000, "a\ud800b")) == (1000, "a?b")


@given(st.sampled_from(sorted(SENDABLE)), st.text(max_size=200))
def test_what_is_encoded_fits_and_is_decoded(code: int, reason: str) -> None:
    payload = close.encode(code, reason)
    assert len(payload) <= 125
    got, words = close.decode(payload)
    assert got == code
    assert reason.startswith(words)
    assert words == reason or len(reason.encode()) > 123


@given(st.binary(max_size=125))
def test_any_payload_is_decoded_or_a_protocol_error(payload: bytes) -> None:
    try:
        code, reason = close.decode(payload)
    except ProtocolError as error:
        failure: ProtocolError | None = error
    else:
        failure = None
        assert payload == (b"" if code == 1005 else code.to_bytes(2, "big") + reason.encode())
    assert failure is None or failure.code in (1002, 1007)
