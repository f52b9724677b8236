"""How far a value has risen or fallen within a span of time, in little memory however many readings come."""

from collections import deque

_SLOTS = 200
"""Readings of one slot of the span are one entry."""


class _Extremes:
    """The lowest value within a span. For the highest, give it the values with their sign changed."""

    def __init__(self, span_s: float) -> None:
        self._span_s = span_s
        self._slot_s = span_s / _SLOTS
        self._rising: deque[tuple[float, float]] = deque()

    def add(self, at_s: float, value: float) -> float:
        """Take a value; return the lowest of the span that ends with it."""
        while self._rising and self._rising[-1][1] >= value:
            self._rising.pop()
        # A reading so soon after a lower one is not kept: it could only matter for less than a slot.
        if not self._rising or at_s - self._rising[-1][0] >= self._slot_s:
            self._rising.append((at_s, value))
        while self._rising[0][0] < at_s - self._span_s:
            self._rising.popleft()
            if not self._rising:
                self._rising.append((at_s, value))
        return self._rising[0][1]


class Window:
    """The readings of one quantity within the last `span_s` seconds."""

    def __init__(self, span_s: float) -> None:
        self._span_s = span_s
        self._low = _Extremes(span_s)
        self._high = _Extremes(span_s)
        self._first_s: float | None = None

    def add(self, at_s: float, value: float) -> tuple[float, float]:
        """Take a value. Returns by how much it lies above the lowest and below the highest of the span: both ≥ 0."""
        if self._first_s is None:
            self._first_s = at_s
        return value - self._low.add(at_s, value), -self._high.add(at_s, -value) - value

    def whole(self, at_s: float) -> bool:
        """Whether readings of all the span are known: after a start, that something is steady is not known yet."""
        return self._first_s is not None and at_s - self._first_s >= self._span_s
