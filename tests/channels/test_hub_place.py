"""Where a hub is: for whom it is the same place, and a stranger that has taken it."""

from __future__ import annotations

import subprocess

import pytest

from kit.channel_hubs import new_name
from lineman.channels.hub_place import HubPlace, connect
from lineman.errors import ConfigError

STRANGER = """
import socket, sys
end = socket.socket(socket.AF_UNIX)
end.bind("\\0" + sys.argv[1])
end.listen()
print("ready", flush=True)
sys.stdin.read()
"""


def test_services_and_brokers_have_places_of_their_own() -> None:
    places = [
        HubPlace("chat"),
        HubPlace("shop"),
        HubPlace("chat", "redis://localhost"),
        HubPlace("chat", "redis://localhost/1"),
        HubPlace("chat", path="/run/chat.sock"),
    ]
    assert len({each.address for each in places}) == len(places)
    assert HubPlace("chat").address == HubPlace("chat").address
    assert "secret" not in str(HubPlace("chat", "redis://me:secret@localhost"))


def test_no_hub_is_told_apart_from_one() -> None:
    assert connect(HubPlace(new_name())) is None
    assert connect(HubPlace("", path="/nowhere/at/all.sock")) is None


def test_a_place_that_another_user_has_taken_is_not_used() -> None:
    place = HubPlace(new_name())
    address = place.address
    assert address[0] == "\0"
    with subprocess.Popen(
        ["/usr/bin/python3", "-c", STRANGER, address[1:]],
        user="nobody",
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as stranger:
        assert stranger.stdout is not None
        assert stranger.stdout.readline() == b"ready\n"
        with pytest.raises(ConfigError, match='taken by user "nobody"'):
            connect(place)
        stranger.communicate()
