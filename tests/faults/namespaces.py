"""Networks for each machine of a run, where it may make them: as root, by `ip`."""

from __future__ import annotations

import contextlib
import os
import subprocess

# A part of 10.0.0.0/8 for this run; several may run at a time.
NET = f"10.{100 + os.getpid() % 100}"
# The address of the brokers for all machines.
BROKERS = f"{NET}.0.1"


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=10)


def can_be_made() -> bool:
    """Whether this process may make network namespaces."""
    trial = Namespace(99)
    try:
        trial.open()
    except (OSError, subprocess.SubprocessError):
        return False
    finally:
        trial.close()
    return True


class Namespace:
    """The network of one machine: a wire to the brokers, which can be cut, and one to its clients.

    Args:
        number: of the machine.
    """

    def __init__(self, number: int) -> None:
        tag = f"{os.getpid() % 10_000}n{number}"
        self._name = f"lm{tag}"
        self._wires = {"b": (f"lb{tag}", 2 * number + 1), "c": (f"lc{tag}", 2 * number + 2)}
        self.host = f"{NET}.{2 * number + 2}.2"

    @property
    def words(self) -> list[str]:
        """What stands before a command that is to run in it."""
        return ["ip", "netns", "exec", self._name]

    def open(self) -> None:
        ip("netns", "add", self._name)
        ip("-n", self._name, "link", "set", "lo", "up")
        for end, (outside, part) in self._wires.items():
            peer = ("peer", "name", end, "netns", self._name)
            ip("link", "add", outside, "type", "veth", *peer)
            ip("addr", "add", f"{NET}.{part}.1/24", "dev", outside)
            ip("link", "set", "dev", outside, "up")
            ip("-n", self._name, "addr", "add", f"{NET}.{part}.2/24", "dev", end)
            ip("-n", self._name, "link", "set", "dev", end, "up")
        ip("addr", "replace", f"{BROKERS}/32", "dev", "lo")
        gate = f"{NET}.{self._wires['b'][1]}.1"
        ip("-n", self._name, "route", "add", f"{BROKERS}/32", "via", gate)

    def cut(self) -> None:
        """Nothing passes to the brokers and back; nobody is told."""
        ip("link", "set", self._wires["b"][0], "down")

    def mend(self) -> None:
        ip("link", "set", self._wires["b"][0], "up")

    def close(self) -> None:
        for outside, _ in self._wires.values():  # without a namespace they would end a little later
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                ip("link", "del", outside)
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            ip("netns", "del", self._name)
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            ip("addr", "del", f"{BROKERS}/32", "dev", "lo")
