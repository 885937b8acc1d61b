"""The facts that were seen of a service without HTTP from outside: values only."""

from __future__ import annotations

from dataclasses import dataclass

from lineman.base.address import Address
from lineman.doctor.facts import Facts, Outcome


@dataclass(frozen=True, slots=True)
class StreamLook:
    """What was seen.

    Attributes:
        address: the service.
        facts: the steps of connecting, as for a websocket.
        outcome: of the silent connection: TIMEOUT if it stayed open, DONE if the service spoke
            first, CLOSED, or why there was none; None if it was not reached.
        first: the first bytes of the service.
        after: seconds until the service spoke, or closed.
    """

    address: Address
    facts: Facts
    outcome: Outcome | None = None
    first: bytes = b""
    after: float = 0.0
