"""Which of the uids that this node holds may be held by other nodes too. Pure.

The first home of a uid knows who holds it, and tells the holders. A uid of which no home has said
so may be held elsewhere: then it is sent to by the broker, and counted by its name. So what a node
does not know costs time and is never wrong.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable


class UidsElsewhere:
    """What the homes have said of the uids that this node holds.

    Args:
        is_alone: whether there are no other nodes, and never will be.

    Attributes:
        is_known: whether the homes have said everything about the uids that were held here when
            nodes came or went, or messages were lost.
        round: counts these events.
    """

    def __init__(self, is_alone: bool = False) -> None:
        self.is_known = is_alone
        self.round = 0
        self._awaited: set[str] = set()
        self._listed: set[str] = set()
        # The uids that may be held elsewhere, with the batch in which their home learns of them; 0
        # for those that are held elsewhere.
        self._unsure: dict[str, int] = {}

    def begin(self, nodes: Iterable[str]) -> None:
        """Everything is unknown until each of these nodes has listed what it knows."""
        self.round += 1
        self.is_known = False
        self._awaited = set(nodes)
        self._listed.clear()
        self._unsure.clear()

    @property
    def awaited(self) -> frozenset[str]:
        """The nodes that have not listed yet which of these uids are held elsewhere too."""
        return frozenset(self._awaited)

    def gain(self, uids: Iterable[str], batch: int) -> None:
        """These uids are held here from now on."""
        self._unsure.update(dict.fromkeys(uids, batch))

    def lose(self, uids: Iterable[str]) -> None:
        """These uids are no longer held here."""
        for uid in uids:
            self._unsure.pop(uid, None)
            self._listed.discard(uid)

    def on_alone(self, uid: str, batch: int) -> None:
        """The home of a uid says that it was held here only when it got this batch."""
        if self._unsure.get(uid) == batch:
            del self._unsure[uid]

    def on_shared(self, uid: str) -> None:
        """The home of a uid says that another node holds it too."""
        self._unsure[uid] = 0

    def on_list(self, node: str, of_round: int, uids: Iterable[str], is_last: bool) -> None:
        """A home lists which of the uids that it was told of are held elsewhere too, in parts."""
        if of_round != self.round or node not in self._awaited:
            return
        self._listed.update(uids)
        if not is_last:
            return
        self._awaited.discard(node)
        if not self._awaited:
            self.is_known = True
            for uid in self._listed:
                self._unsure.setdefault(uid, 0)
            self._listed.clear()

    def is_here_only(self, uid: str) -> bool:
        """Whether no other node holds a uid that is held here."""
        return self.is_known and uid not in self._unsure

    def tally(self, held: Collection[str]) -> list[int | str]:
        """Uids to be counted: the number of those that are here only, and the names of the others.

        Args:
            held: uids that are held here.
        """
        if not self.is_known:
            return [0, *held]
        if len(held) > len(self._unsure):
            names = [uid for uid in self._unsure if uid in held]
        else:
            names = [uid for uid in held if uid in self._unsure]
        return [len(held) - len(names), *names]
