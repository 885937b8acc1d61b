import pytest

from lineman.errors import UsageError
from lineman.gateway.push.api import _ids, check_names
from lineman.gateway.wire import names


@pytest.mark.parametrize("given", [None, 1.5, object(), True, b"a", [None]])
def test_what_is_no_name_is_refused_in_words(given: object) -> None:
    with pytest.raises(UsageError, match="a uid is text or a whole number, got "):
        check_names("uid", given)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="is no client and no client's id"):
        _ids(given)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["42", "a b\n*.>", "é" * 128, "\0"])
def test_a_name_is_any_text_of_up_to_256_bytes(value: str) -> None:
    assert names.check_name("uid", value) == value


def test_a_whole_number_is_its_digits() -> None:
    assert names.check_name("uid", 42) == "42"


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("", "empty"),
        ("a" * 257, "257 bytes"),
        ("é" * 129, "258 bytes"),
        ("x" * 1024 * 1024, "1048576 bytes"),
        pytest.param(10**5000, "too large a number", id="5001 digits"),
        (10**256, "257 bytes"),
        (b"42", "got bytes"),
        (True, "got bool"),
        (None, "got NoneType"),
        (4.2, "got float"),
        ("\ud800", "UTF-8"),
    ],
)
def test_anything_else_is_refused_in_few_words(value: object, seen: str) -> None:
    with pytest.raises(UsageError, match=seen) as caught:
        names.check_name("uid", value)
    assert len(str(caught.value)) < 200


def test_a_clients_id_leads_to_its_node_and_tells_nothing_else() -> None:
    node = names.new_node()
    ids = {names.new_client_id(node) for _ in range(100)}
    assert len(ids) == 100
    assert {names.node_of(client_id) for client_id in ids} == {node}


@pytest.mark.parametrize("value", ["", "x" * 32, "0" * 31, "0" * 33, "0" * 31 + "\n", None, 7])
def test_what_is_no_clients_id_leads_nowhere(value: str) -> None:
    assert names.node_of(value) is None
