"""One event at rest, and how it looks on the wire."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from shared.clock import Clock, iso_utc, local_text
from shared.contract.events import CATALOGUE
from shared.contract.payloads import parse
from shared.contract.spec import EventSpec, Role
from shared.errors import Code, Refusal
from shared.wire import MAX_EVENT_CHARS

DIGEST_BYTES = 8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST_ID = 2**53 - 1

OUTGOING = {spec.name: spec for spec in CATALOGUE if spec.publisher is Role.PI}
"""What an agent sends, by its name on the wire."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """When something was true, and how far to trust that."""

    boot_id: str
    monotonic_ns: int
    wall_ms: int
    """Milliseconds since 1970, UTC, as the wall clock had it."""
    synchronised: bool

    @classmethod
    def of(cls, clock: Clock, monotonic_ns: int | None = None) -> "Stamp":
        """Now, or the moment of this boot at `monotonic_ns`."""
        now_ns = clock.monotonic_ns()
        then_ns = now_ns if monotonic_ns is None else min(monotonic_ns, now_ns)
        wall = clock.now() - timedelta(microseconds=(now_ns - then_ns) // 1000)
        return cls(clock.boot_id, then_ns, max(0, (wall - _EPOCH) // timedelta(milliseconds=1)), clock.synchronised())

    def dated(self, clock: Clock) -> tuple[datetime, bool]:
        """The wall time of this moment, and whether it was corrected.

        A sample that was taken before a time source set the clock is dated again afterwards, in the same boot.
        """
        if not self.synchronised and self.boot_id == clock.boot_id and clock.synchronised():
            ago = timedelta(microseconds=(clock.monotonic_ns() - self.monotonic_ns) // 1000)
            return clock.now() - ago, True
        return _EPOCH + timedelta(milliseconds=self.wall_ms), False


@dataclass(frozen=True, slots=True)
class Row:
    """An event of the outbox. `fields` is its body as JSON, without what `envelope` adds."""

    stream: str
    id: int
    event: str
    fields: bytes
    stamp: Stamp

    def digest(self) -> bytes:
        """What the row must hash to when it is read again."""
        stamp = self.stamp
        keys = (self.stream, self.id, self.event, stamp.boot_id, stamp.monotonic_ns, stamp.wall_ms, stamp.synchronised)
        whole = hashlib.blake2b(repr(keys).encode(), digest_size=DIGEST_BYTES)
        whole.update(self.fields)
        return whole.digest()


def envelope(spec: EventSpec, device: str, stamp: Stamp, clock: Clock) -> dict[str, Any]:
    """What every body of an agent carries beside its own fields: who says so, and when it was true."""
    moment, redated = stamp.dated(clock)
    fields: dict[str, Any] = {
        "device": device,
        "taken_at": iso_utc(moment),
        "clock": {
            "boot_id": stamp.boot_id,
            "monotonic_ns": stamp.monotonic_ns,
            "synchronised": stamp.synchronised,
            **({"redated": True} if redated else {}),
        },
    }
    if "datetime" in spec.payload.__struct_fields__:
        fields["datetime"] = local_text(moment)
    return fields


def wire_body(row: Row, device: str, clock: Clock) -> dict[str, Any]:
    """The body of `row` as it is sent now."""
    own: dict[str, Any] = msgspec.json.decode(row.fields)
    return {"id": row.id, "stream": row.stream} | own | envelope(OUTGOING[row.event], device, row.stamp, clock)


def encode(spec: EventSpec, fields: Mapping[str, Any], stamp: Stamp, clock: Clock) -> bytes:
    """`fields` as they are stored. Raises `Refusal`: `invalid_payload`, or `too_large` to be sent at all."""
    stored = msgspec.json.encode(fields)
    row = Row("x" * 64, _LARGEST_ID, spec.name, stored, stamp)
    body = wire_body(row, "x" * 63, clock)
    parse(spec.payload, body)
    length = len(msgspec.json.encode([spec.name, body]).decode())
    if length > MAX_EVENT_CHARS:
        raise Refusal(Code.TOO_LARGE, f"{length} characters; an event may have {MAX_EVENT_CHARS}")
    return stored
