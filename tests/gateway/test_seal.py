import pytest

from lineman.errors import ConfigError
from lineman.gateway.seal import Seal

SECRET = "0123456789abcdef"


def test_a_sealed_message_opens_with_the_same_secret_on_the_same_topic_only() -> None:
    sealed = Seal(SECRET).close("uid:42", b"hello")
    assert Seal(SECRET).open("uid:42", sealed) == b"hello"
    assert Seal("another secret, as long").open("uid:42", sealed) is None
    assert Seal(SECRET).open("uid:43", sealed) is None


@pytest.mark.parametrize("place", range(21))
def test_a_changed_byte_is_noticed(place: int) -> None:
    sealed = bytearray(Seal(SECRET).close("a", b"hello"))
    sealed[place] ^= 1
    assert Seal(SECRET).open("a", bytes(sealed)) is None


@pytest.mark.parametrize("data", [b"", b"short", b"x" * 15, b"x" * 16, b"x" * 1000])
def test_what_was_never_sealed_does_not_open(data: bytes) -> None:
    assert Seal(SECRET).open("a", data) is None


def test_topic_and_message_do_not_flow_into_each_other() -> None:
    sealed = Seal(SECRET).close("ab", b"c")
    assert Seal(SECRET).open("a", sealed[:16] + b"bc") is None


def test_without_a_secret_messages_are_as_they_are() -> None:
    assert Seal(None).close("a", b"x") == b"x"
    assert Seal(None).open("a", b"x") == b"x"


@pytest.mark.parametrize("secret", ["", "short", "x" * 65])
def test_a_secret_of_another_size_is_refused(secret: str) -> None:
    with pytest.raises(ConfigError, match="16 to 64"):
        Seal(secret)
