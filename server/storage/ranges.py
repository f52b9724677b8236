"""A set of ids as the ranges it consists of: a stream without gaps is one range, however long."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator


class IdRanges:
    """A set of integers, as disjoint ranges that do not touch, in order. Adding at the end takes constant time."""

    __slots__ = ("_firsts", "_lasts", "changed", "gone")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        """`ranges` are (first, last), both within; they may overlap and come in any order."""
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        self.changed: set[int] = set()
        """First ids of the ranges that were made or grew since `settled`."""
        self.gone: set[int] = set()
        """First ids of the ranges that were swallowed by another since `settled`."""
        for first, last in ranges:
            self.add_range(first, last)
        self.settled()

    def __contains__(self, id_: int) -> bool:
        if not self._lasts or id_ > self._lasts[-1]:
            return False
        at = bisect_right(self._firsts, id_) - 1
        return at >= 0 and id_ <= self._lasts[at]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """The ranges (first, last), in order."""
        return iter(zip(self._firsts, self._lasts, strict=True))

    def __len__(self) -> int:
        """How many ids there are."""
        return sum(last - first + 1 for first, last in self)

    def add(self, id_: int) -> bool:
        """Put in one id. Returns whether none in the set is higher."""
        lasts = self._lasts
        if lasts and lasts[-1] + 1 == id_:
            lasts[-1] = id_
            self.changed.add(self._firsts[-1])
            return True
        if id_ not in self:
            self.add_range(id_, id_)
        return self._lasts[-1] == id_

    def add_range(self, first: int, last: int) -> None:
        """Put in all ids from `first` to `last`. Raises `ValueError` when there are none."""
        if first > last:
            raise ValueError(f"no range: {first} to {last}")
        # All that overlaps or touches the new range: from the first that ends at or after first - 1 on.
        low = bisect_right(self._lasts, first - 2)
        high = bisect_right(self._firsts, last + 1)
        if low < high:
            for swallowed in self._firsts[low:high]:
                self.gone.add(swallowed)
                self.changed.discard(swallowed)
            first, last = min(first, self._firsts[low]), max(last, self._lasts[high - 1])
        self._firsts[low:high] = [first]
        self._lasts[low:high] = [last]
        self.gone.discard(first)
        self.changed.add(first)

    def last_of(self, first: int) -> int:
        """Where the range that begins with `first` ends."""
        return self._lasts[bisect_right(self._firsts, first) - 1]

    def holes(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The ranges of ids from `start` to `end` that are not in the set."""
        for first, last in self:
            if first > end:
                break
            if first > start:
                yield start, min(first - 1, end)
            start = max(start, last + 1)
        if start <= end:
            yield start, end

    def settled(self) -> None:
        """Forget what has changed: it is saved."""
        self.changed = set()
        self.gone = set()
