"""Options of a layer that cannot work, and the name of a service that gives none."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from lineman.channels import Layer
from lineman.errors import ConfigError


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"hosts": [("localhost", 6379)]}, "no option 'hosts'.*broker"),
        ({"prefix": "chat"}, "no option 'prefix'.*name"),
        ({"symmetric_encryption_keys": ["k"]}, "rediss://"),
        ({"capcity": 3}, "no option 'capcity'.*capacity"),
        ({"name": ""}, "name is ''"),
        ({"name": "n" * 101}, "1 to 100 bytes"),
        ({"name": 7}, "name is 7"),
        ({"name": "a\udcff"}, "name is 'a"),
        ({"path": "channels.sock"}, "absolute path"),
        ({"path": None}, "absolute path"),
        ({"broker": "http://localhost"}, "no broker's address"),
        ({"broker": 6379}, "broker is 6379"),
        ({"expiry": 0}, "expiry is 0"),
        ({"expiry": float("nan")}, "expiry is nan"),
        ({"group_expiry": "1d"}, "group_expiry is '1d'"),
        ({"capacity": 0}, "capacity is 0"),
        ({"capacity": True}, "capacity is True"),
        ({"capacity": 1.5}, "capacity is 1.5"),
        ({"channel_capacity": {"http.*": 0}}, r"channel_capacity of 'http\.\*' is 0"),
        ({"channel_capacity": {7: 1}}, "globs"),
        ({"channel_capacity": [("a", 1)]}, "channel_capacity is"),
    ],
)
def test_an_option_that_cannot_work_is_told_with_the_remedy(
    options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        Layer(**options)


def test_without_a_name_it_is_made_from_djangos_key_and_says_nothing_of_it() -> None:
    program = """
import sys
from django.conf import settings
settings.configure(SECRET_KEY=sys.argv[1])
from lineman.channels import layer_options
print(layer_options.name_from_django())
"""

    def name(key: str) -> str:
        command = [sys.executable, "-c", program, key]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    one, same, other = name("secret-one"), name("secret-one"), name("secret-two")
    assert one == same != other
    assert len(one) == 32
    assert "secret" not in one


def test_without_a_name_and_without_django_the_remedy_is_a_name() -> None:
    program = "from lineman.channels import layer_options\nlayer_options.name_from_django()"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 'write "CONFIG": {"name": "chat"}' in done.stderr
