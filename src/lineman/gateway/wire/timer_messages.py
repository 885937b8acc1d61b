"""The messages about named timers between gateway processes and business workers. Pure.

They are of version 5 of the wire: none is sent to a process that has agreed on an older one.
"""

from __future__ import annotations

from lineman.links.framing import Message


class SetTimer(Message, tag=90):
    """Sets a timer, in place of the one with the same key if there is one.

    Attributes:
        key: the timer's name among all nodes.
        name: the name of the program's function.
        args: its arguments, see `timer_args.py`.
        seconds: until the first call.
        is_repeated: whether calls follow every so many seconds.
    """

    key: str
    name: str
    args: bytes
    seconds: float
    is_repeated: bool = False


class CancelTimer(Message, tag=91):
    """Removes a timer; a call that is under way goes on."""

    key: str


class TimerDue(Message, tag=92):
    """A timer is due: the business worker calls the function, and answers with `TimerDone`.

    Attributes:
        id: of this setting of the timer; a successor with the same key has another.
    """

    id: str
    name: str
    args: bytes


class TimerDone(Message, tag=93):
    """The call of a timer has ended.

    Attributes:
        is_unknown: whether the program of this worker has no such function.
    """

    id: str
    is_unknown: bool = False


class TimersFull(Message, tag=94):
    """Whether the gateway process takes no more timers."""

    is_full: bool


TimerOrder = SetTimer | CancelTimer
