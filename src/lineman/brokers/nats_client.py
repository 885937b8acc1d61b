"""What Lineman needs of nats-py beyond its public functions: the one place that knows its insides.

The library makes a task and a queue of 5 KiB for each subscription, and sends the ping of a flush
before the commands that wait. With a million subscriptions its event loop would stop for seconds.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from lineman.errors import ConfigError

# The insides that are used, with their parameters. The releases 2.6 to 2.16 have them.
INSIDES = {
    "_process_msg": ("self", "sid", "subject", "reply", "data", "headers"),
    "_send_command": ("self", "cmd", "priority"),
    "_flush_pending": ("self", "force_flush"),
}


def check_library(client: type | None = None) -> None:
    """Checks that nats-py is there, and has the insides that are used.

    Args:
        client: the library's class; None for the installed one.

    Raises:
        ConfigError: it is missing, or a release that is built in another way.
    """
    if client is None:
        try:
            from nats.aio.client import Client as client
        except ImportError:
            raise ConfigError(
                "a nats:// broker needs the package nats-py", "pip install 'lineman[nats]'"
            ) from None
    for name, parameters in INSIDES.items():
        function = getattr(client, name, None)
        if function is None or tuple(inspect.signature(function).parameters) != parameters:
            raise ConfigError(
                f"this release of nats-py has no {name}({', '.join(parameters[1:])})",
                "pip install 'nats-py>=2.6,<=2.16', or a newer Lineman",
            )


def make_client(on_number: Callable[[int, bytes], None]) -> Any:
    """A client of nats-py that hands messages over by the number of their subscription.

    Args:
        on_number: gets the number and the data of each message.
    """
    from nats.aio.client import Client

    class DirectClient(Client):
        async def _process_msg(self, sid: int, *message: Any) -> None:
            on_number(sid, message[2])  # the arguments are subject, reply subject and data

        @property
        def cluster(self) -> str:
            """The name of the server's cluster; empty if it belongs to none."""
            return str(getattr(self, "_server_info", {}).get("cluster") or "")

        async def send_commands(self, commands: str) -> None:
            """Sends lines of the protocol, behind what was published before."""
            await self._send_command(commands.encode())

        async def send_all(self, timeout: int) -> None:
            """Returns when the server has all that was sent."""
            # The ping of `flush` would be sent before the commands that wait.
            await self._flush_pending(force_flush=True)
            await self.flush(timeout)

        async def end(self) -> None:
            """Closes the connection, also if closing it is cancelled."""
            transport = getattr(self, "_transport", None)
            try:
                await self.close()
            finally:
                if transport is not None:
                    transport.close()

    return DirectClient()
