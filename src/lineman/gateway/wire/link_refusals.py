"""Gateway processes that end each link before they have said their name. Pure.

A process of a version of Lineman that does not understand this one does so, without a reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

# Seconds before the second attempt; each further pause is twice as long, up to the longest one.
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0
# After so many links in a row the process counts as one that refuses.
ENOUGH = 3


@dataclass(slots=True)
class _Refusal:
    reason: str
    count: int
    again_at: float


class LinkRefusals:
    """What is known of the gateway processes that refuse, by the paths of their sockets."""

    def __init__(self) -> None:
        self._found: dict[str, _Refusal] = {}

    def note(self, path: str, reason: str, now: float, *, is_final: bool = False) -> None:
        """Notes that a link has ended before the process said its name.

        Args:
            path: the process' own path.
            reason: why, as a text.
            now: seconds on a clock that only goes forward.
            is_final: whether another attempt cannot end otherwise.
        """
        before = self._found.get(path)
        count = 1 if before is None else before.count + 1
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(count, 10))
        self._found[path] = _Refusal(reason, max(count, ENOUGH if is_final else 0), now + pause)

    def is_time(self, path: str, now: float) -> bool:
        """Whether a process may be dialled now."""
        found = self._found.get(path)
        return found is None or now >= found.again_at

    def forget(self, path: str) -> None:
        """A process has said its name."""
        self._found.pop(path, None)

    def sweep(self, exists: Callable[[str], bool]) -> None:
        """Forgets the processes whose paths are gone."""
        for path in [path for path in self._found if not exists(path)]:
            del self._found[path]

    def __bool__(self) -> bool:
        return bool(self._found)

    @property
    def reason(self) -> str:
        """Why a process refuses this one, as a text; empty while none does."""
        for path, found in self._found.items():
            if found.count >= ENOUGH:
                return f"the gateway process at {path} ends each link: {found.reason}"
        return ""
