"""The insides of nats-py that are used: its newest release has them, and another one is named."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

import lineman
from lineman.brokers import nats_client
from lineman.errors import ConfigError


def test_the_installed_release_has_the_insides_that_are_used() -> None:
    nats_client.check_library()


@pytest.mark.parametrize("name", nats_client.INSIDES)
def test_a_release_without_one_of_them_is_refused_with_the_releases_that_have_it(name: str) -> None:
    from nats.aio.client import Client

    class Renamed(Client):
        """A release whose function was renamed, or takes something else."""

    async def other(self: Renamed, something: int) -> None:
        """Takes something else."""

    setattr(Renamed, name, other)
    with pytest.raises(ConfigError, match=rf"has no {name}\(.*\).*nats-py>=2\.6"):
        nats_client.check_library(Renamed)


def test_no_other_module_knows_insides_of_a_client_library() -> None:
    package = Path(inspect.getfile(lineman)).parent
    names = {*nats_client.INSIDES, "._transport"}
    found = {
        path.name
        for path in package.joinpath("brokers").glob("*.py")
        if any(name in path.read_text(encoding="utf-8") for name in names)
    }
    assert found == {"nats_client.py"}
