"""The options of a `Worker` and a `Gateway` for their processes."""

from __future__ import annotations

from dataclasses import dataclass

from lineman.base.option_kinds import BYTES_OR_NONE, COUNT_OR_NONE, FLAG, Number, Text, option
from lineman.process.messages.process_rules import MAX_PROCESSES, RuleFields

PROCESSES = Number(
    most=MAX_PROCESSES,
    remedy=f"give the number of processes, 1 or more and {MAX_PROCESSES} at most, as {{name}}=2; "
    "one for each core is a good start",
)


@dataclass(kw_only=True, eq=False, repr=False, init=False)
class ProcessFields(RuleFields):
    """How processes are run."""

    user: str = option("", Text("www-data", "a name"))
    """The user of the processes, from their first instruction on; empty for the user that starts
    the program.
    Only root may change it."""
    group: str = option("", Text("www-data", "a name"))
    """The group of the processes; empty for the user's own."""
    reloadable: bool = option(True, FLAG)
    """Whether a reload replaces them."""
    max_requests: int = option(0, COUNT_OR_NONE)
    """Messages and plain requests after which a process is replaced, give or take a tenth; 0 for
    never."""
    max_memory: int = option(0, BYTES_OR_NONE)
    """Bytes of resident memory after which a process is replaced; 0 for never."""
