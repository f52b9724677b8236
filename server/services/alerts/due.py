"""What must be looked at although nothing comes, by time."""

import heapq
import itertools
from collections.abc import Iterator

from server.services.alerts.watch import Watch


class Due:
    """A heap of watches. An entry holds while it says the same time as its watch; the others are left over."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Watch]] = []
        self._numbers = itertools.count()

    def __len__(self) -> int:
        return len(self._heap)

    def put(self, watch: Watch, due_s: float) -> None:
        """Have `watch` looked at then, unless it is earlier."""
        if watch.armed_s is None or due_s < watch.armed_s:
            watch.armed_s = due_s
            heapq.heappush(self._heap, (due_s, next(self._numbers), watch))

    def take(self, now_s: float) -> Iterator[Watch]:
        """Those whose time has come; further ones may be put meanwhile."""
        while self._heap and self._heap[0][0] <= now_s:
            _, _, watch = heapq.heappop(self._heap)
            watch.armed_s = None
            yield watch

    def tidy(self) -> None:
        """Let go of what is left over: rules that change often would fill the memory with it."""
        self._heap = [entry for entry in self._heap if entry[0] == entry[2].armed_s]
        heapq.heapify(self._heap)
