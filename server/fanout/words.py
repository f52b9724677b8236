"""Decoding rounds: what has passed its pattern once is not matched again.

A device says its name, its outbox, its boot and its quantities in every round, many devices say the same second, and to
match all that takes as long as the rest of the decoding. The same words in the same places were good, so they are.
"""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from shared.contract.payloads import ClockStamp, SensorData, Value

_MOST = 10_000
"""Of each kind of words that are remembered; then they are learned anew."""
_FRACTIONS: Final = frozenset(f".{ms:03d}Z" for ms in range(1000))
"""What follows the second in a time stamp."""
_AT: Final = -5
"""Where."""

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
    """A decoder of `["name", {…}]` with a `SensorData`, as strict as the contract's own."""

    def __init__(self) -> None:
        self._any = msgspec.json.Decoder(tuple[str, _AnyRound]).decode
        self._strict = msgspec.json.Decoder(tuple[str, SensorData]).decode
        self._known: set[Words] = set()
        self._local: set[str] = set()
        """Seconds, as `datetime` says them."""
        self._utc: set[str | None] = {None}
        """Seconds, as `taken_at` begins; it may be left out."""

    def decode(self, text: str) -> tuple[str, SensorData]:
        """Decode. Raises `msgspec.MsgspecError`, and what else msgspec raises for text that is none."""
        event = self._any(text)
        body = event[1]
        words = (body.device, body.stream, None if body.clock is None else body.clock.boot_id, *body.data)
        second, fraction = body.taken_at, None
        if second is not None:
            second, fraction = second[:_AT], second[_AT:]
        if (
            words in self._known
            and body.datetime in self._local
            and second in self._utc
            and (second is None or fraction in _FRACTIONS)
        ):
            return event
        strict = self._strict(text)
        self._learn(words, body.datetime, second if fraction in _FRACTIONS else None)
        return strict

    def _learn(self, words: Words, local: str, second: str | None) -> None:
        if max(len(self._known), len(self._local), len(self._utc)) >= _MOST:
            self._known.clear()
            self._local.clear()
            self._utc = {None}
        self._known.add(words)
        self._local.add(local)
        self._utc.add(second)
