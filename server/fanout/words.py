"""Decoding rounds: words that have passed their patterns once are not matched again.

A device says its name, its outbox, its boot and its quantities in every round, and to match them takes as long as all
the rest of the decoding. The same words in the same places were good, so they are.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from shared.contract.payloads import ClockStamp, SensorData, Value

_MOST = 10_000
"""Rounds' words that are remembered; then they are learned anew."""

Words = tuple[str | None, ...]


class _AnyClock(ClockStamp, frozen=True, kw_only=True):
    boot_id: str


class _AnyRound(SensorData, frozen=True, kw_only=True):
    """A round whose words are to be looked at."""

    device: str | None = None
    stream: str | None = None
    clock: _AnyClock | None = None
    data: Annotated[dict[str, Value | None], Meta(max_length=64)]


class Rounds:
    """A decoder of `["name", {…}]` with a `SensorData`, as strict as the contract's own."""

    def __init__(self) -> None:
        self._any = msgspec.json.Decoder(tuple[str, _AnyRound]).decode
        self._strict = msgspec.json.Decoder(tuple[str, SensorData]).decode
        self._known: set[Words] = set()

    def decode(self, text: str) -> tuple[str, SensorData]:
        """Decode. Raises `msgspec.MsgspecError`, and what else msgspec raises for text that is none."""
        event = self._any(text)
        body = event[1]
        words = (body.device, body.stream, None if body.clock is None else body.clock.boot_id, *body.data)
        if words in self._known:
            return event
        strict = self._strict(text)
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known.add(words)
        return strict
