import pytest

from lineman.brokers.signing import Signer
from lineman.errors import ConfigError

SECRET = "0123456789abcdef"


def test_a_signed_message_is_taken_with_the_same_secret_on_the_same_topic_only() -> None:
    signed = Signer(SECRET).sign("uid:42", b"hello")
    assert Signer(SECRET).verify("uid:42", signed) == b"hello"
    assert Signer("another secret, as long").verify("uid:42", signed) is None
    assert Signer(SECRET).verify("uid:43", signed) is None


@pytest.mark.parametrize("place", range(21))
def test_a_changed_byte_is_noticed(place: int) -> None:
    signed = bytearray(Signer(SECRET).sign("a", b"hello"))
    signed[place] ^= 1
    assert Signer(SECRET).verify("a", bytes(signed)) is None


@pytest.mark.parametrize("data", [b"", b"short", b"x" * 15, b"x" * 16, b"x" * 1000])
def test_what_was_never_signed_is_not_taken(data: bytes) -> None:
    assert Signer(SECRET).verify("a", data) is None


def test_topic_and_message_do_not_flow_into_each_other() -> None:
    signed = Signer(SECRET).sign("ab", b"c")
    assert Signer(SECRET).verify("a", signed[:16] + b"bc") is None


def test_without_a_secret_messages_are_as_they_are() -> None:
    assert Signer(None).sign("a", b"x") == b"x"
    assert Signer(None).verify("a", b"x") == b"x"


@pytest.mark.parametrize("secret", ["", "short", "x" * 65])
def test_a_secret_of_another_size_is_refused(secret: str) -> None:
    with pytest.raises(ConfigError, match="16 to 64"):
        Signer(secret)


def test_secrets_are_changed_one_node_at_a_time() -> None:
    old, both, new = Signer("o" * 16), Signer(["n" * 16, "o" * 16]), Signer("n" * 16)
    assert both.verify("a", old.sign("a", b"x")) == b"x"
    assert both.verify("a", new.sign("a", b"x")) == b"x"
    assert new.verify("a", both.sign("a", b"x")) == b"x"
    assert old.verify("a", both.sign("a", b"x")) is None


def test_a_message_to_another_service_with_the_same_secret_is_not_taken() -> None:
    signed = Signer(SECRET, "shop").sign("a", b"x")
    assert Signer(SECRET, "shop").verify("a", signed) == b"x"
    assert Signer(SECRET, "chat").verify("a", signed) is None


@pytest.mark.parametrize("secrets", [[], ["short"], [SECRET, None], [SECRET, ""]])
def test_a_list_of_secrets_has_good_ones_only(secrets: list[str]) -> None:
    with pytest.raises(ConfigError, match="secret"):
        Signer(secrets)
