"""Decoding rounds: what has passed its pattern once is not matched again.

A device says its name, its outbox, its boot, its quantities and the hour in every round, and to match all that takes as
long as the rest of the decoding. The same words in the same places were good, so they are.
"""

from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta

from shared.contract.payloads import ClockStamp, SensorData, Value

_MOST = 10_000
"""Of each kind of words that are remembered; then they are learned anew."""
_HOUR: Final = len("2026-01-31T23")
_SECOND: Final = len("2026-01-31T23:59:59")
_SECONDS: Final = frozenset(f":{second // 60:02d}:{second % 60:02d}" for second in range(3600))
_FRACTIONS: Final = frozenset(f".{ms:03d}Z" for ms in range(1000))
"""What follows the hour in a time, and what follows that in a time stamp."""

T = TypeVar("T")
Words = tuple[str | None, ...]


class _AnyClock(ClockStamp, frozen=True, kw_only=True):
    boot_id: str


class _AnyRound(SensorData, frozen=True, kw_only=True):
    """A round whose words are to be looked at."""

    device: str | None = None
    stream: str | None = None
    datetime: str
    taken_at: str | None = None
    clock: _AnyClock | None = None
    data: Annotated[dict[str, Value | None], Meta(max_length=64)]


class Rounds:
    """A decoder of `["name", {…}]` with a `SensorData`, as strict as the contract's own.

    But for a key that is said twice: there the last one alone need be good, as it alone is kept.
    """

    def __init__(self) -> None:
        self._any = msgspec.json.Decoder(tuple[str, _AnyRound]).decode
        self._strict = msgspec.json.Decoder(tuple[str, SensorData]).decode
        self._known: set[Words] = set()
        self._hours: set[tuple[str, str | None]] = set()
        """As `datetime` and `taken_at` begin, where that is not left out."""

    def decode(self, text: str) -> tuple[str, SensorData]:
        """Decode. Raises `msgspec.MsgspecError`, and what else msgspec raises for text that is none."""
        event = self._any(text)
        body = event[1]
        words = (body.device, body.stream, None if body.clock is None else body.clock.boot_id, *body.data)
        local, utc = body.datetime, body.taken_at
        usual = local[_HOUR:] in _SECONDS and (
            utc is None or (utc[_HOUR:_SECOND] in _SECONDS and utc[_SECOND:] in _FRACTIONS)
        )
        hours = (local[:_HOUR], None if utc is None else utc[:_HOUR])
        if usual and words in self._known and hours in self._hours:
            return event
        strict = self._strict(text)
        if usual:
            _learn(self._known, words)
            _learn(self._hours, hours)
        return strict


def _learn(known: set[T], words: T) -> None:
    if len(known) >= _MOST:
        known.clear()
    known.add(words)
