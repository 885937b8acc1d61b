"""The client whose callback runs, in callbacks and outside of them."""

from __future__ import annotations

from typing import Any

import pytest

from kit.gateway import System
from lineman import Client, UsageError
from lineman.gateway.business.business_worker import Business


def test_in_a_callback_it_is_the_client_that_has_sent(system: System) -> None:
    system.add_node("on_message")

    def on_message(client: Client, message: str) -> None:
        assert business.current_client is client
        if message == "close":
            business.close_current_client("bye", 4000)
        elif message == "destroy":
            business.destroy_current_client()
        else:
            business.send_to_current_client(message)

    business: Business = system.add_business(on_message=on_message)
    one, other = system.connect(), system.connect()
    for client in (one, other, one):
        client.send("hello")
        assert client.receive() == "hello"
    one.send("close")
    assert one.receive() == "bye"
    other.send("destroy")
    with pytest.raises(EOFError):
        other.receive()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("send_to_current_client", ("x",)),
        ("close_current_client", ()),
        ("destroy_current_client", ()),
    ],
)
def test_outside_of_a_callback_there_is_none(
    system: System, name: str, arguments: tuple[Any, ...]
) -> None:
    system.add_node("on_message")
    business = system.add_business()
    assert business.current_client is None
    with pytest.raises(UsageError, match=rf"{name}\(\) works in a client's callback only"):
        getattr(business, name)(*arguments)
