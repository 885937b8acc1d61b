"""Gives the services of this process' program what its settings say."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from lineman.config.options import WorkerOptions
from lineman.config.settings import ConfiguredValue, Settings, load
from lineman.config.worker_description import WorkerDescription

logger = logging.getLogger("lineman")

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Applied:
    """What a service was set to.

    Attributes:
        kind: `worker` or `gateway`.
        name: the service's name; empty for none.
        declared: the dataclass that declares its options.
        options: the object that has them.
        found: those that settings have set, by option.
    """

    kind: str
    name: str
    declared: type
    options: object
    found: Mapping[str, ConfiguredValue]


# The gateways of this process' program; of workers `apply_to_worker` returns it.
gateways: list[Applied] = []
_loaded: Settings | None = None
# Options that the command line has set, which wins.
_settled: frozenset[str] = frozenset()


def loaded() -> Settings:
    """The settings of this process' program, read at the first call.

    Raises:
        ConfigError: see `settings.load`.
    """
    global _loaded
    if _loaded is None:
        _loaded = load(os.environ, sys.argv)
    return _loaded


def leave(options: Collection[str]) -> None:
    """Has settings leave these options, of services and of the program, as they are."""
    global _settled
    _settled = frozenset(options)


def is_settled(option: str) -> bool:
    """Whether the command line has set an option."""
    return option in _settled


def forget() -> None:
    """Has the next call read them again, for another program in this process."""
    global _loaded
    _loaded = None
    leave(())
    gateways.clear()


def of_program() -> dict[str, ConfiguredValue]:
    """What the settings give the whole program, without what the command line has set.

    Raises:
        ConfigError: see `Settings.of_program`.
    """
    return _left(loaded().of_program())


def apply_to_program(worker_class: Any) -> None:
    """Sets the attributes of `Worker` that belong to the whole program.

    Raises:
        ConfigError: see `Settings.of_program`.
    """
    for name, setting in of_program().items():
        setattr(worker_class, name, setting.value)


def apply_to_worker(worker: WorkerDescription) -> Applied | None:
    """Sets the options of a worker.

    Returns:
        What was set; None for a worker that is a part of something else, which stays as it is.

    Raises:
        ConfigError: see `Settings.of_service`.
    """
    if not worker.takes_settings:
        return None
    found = _left(loaded().of_service("worker", worker.name, WorkerOptions))
    for name, setting in found.items():
        setattr(worker, name, setting.value)
    return Applied("worker", worker.name, WorkerOptions, worker, found)


def apply_to_gateway(
    given: Mapping[str, Any], name: str, declared: Callable[..., Made]
) -> tuple[Made, dict[str, Any]]:
    """Makes the options of a Gateway from what the code gives, with the settings over it.

    Args:
        given: the arguments of its constructor.
        name: its name.
        declared: the dataclass that declares its options.

    Returns:
        The options, and what they were made of.

    Raises:
        ConfigError: see `Settings.of_service`.
    """
    assert isinstance(declared, type)
    found = _left(loaded().of_service("gateway", name, declared))
    made = {**given, **{option: setting.value for option, setting in found.items()}}
    options = declared(**made)
    gateways.append(Applied("gateway", name, declared, options, found))
    return options, made


def _left(found: Mapping[str, ConfiguredValue]) -> dict[str, ConfiguredValue]:
    return {name: value for name, value in found.items() if name not in _settled}


def check_names() -> None:
    """Warns of variables that do nothing.

    Raises:
        ConfigError: see `Settings.check_names`.
    """
    for line in loaded().check_names():
        logger.warning("%s", line)
