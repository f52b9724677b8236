"""Telemetry packets as protobuf: one table makes the published `.proto` and the class that encodes and decodes it.

No generated code and no compiler: the descriptor is built when this module is imported, which only the relay and its
telemetry programs do.
"""

import math
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from shared.clock import from_ms, iso_utc, parse_iso_utc, to_ms
from shared.contract.door_payloads import TelemetryPacket
from shared.errors import Code, Refusal

PROTO_FILE: Final = "docs/telemetry.proto"
PACKAGE: Final = "breathlight.telemetry.v1"
MAX_BYTES: Final = 65_536
"""Of one packet on the wire."""

_Field = descriptor_pb2.FieldDescriptorProto


@dataclass(frozen=True)
class _Row:
    """One field: its number never changes and is never given again."""

    number: int
    name: str
    kind: str
    comment: str


_ROWS: Final = (
    _Row(1, "source", "string", "Whose packet it is: loggers choose by it. At most 64 characters."),
    _Row(2, "time_ms", "int64", "When it was made: milliseconds since 1970, UTC. 0: not said."),
    _Row(3, "seq", "uint64", "Its number at the source. 0: not said."),
    _Row(4, "values", "map<string, double>", "A finite value per name; at most 256 of them."),
)


def proto_text(note: str) -> str:
    """The `.proto` that is published."""
    lines = [f"// {note}", 'syntax = "proto3";', "", f"package {PACKAGE};", ""]
    lines += ["// One packet of a producer, sent as the binary body of `log_telemetry`.", "message TelemetryPacket {"]
    for row in _ROWS:
        lines += [f"  // {row.comment}", f"  {row.kind} {row.name} = {row.number};"]
    return "\n".join([*lines, "}", ""])


def _message_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="telemetry.proto", package=PACKAGE, syntax="proto3")
    message = file.message_type.add(name="TelemetryPacket")
    kinds = {"string": _Field.TYPE_STRING, "int64": _Field.TYPE_INT64, "uint64": _Field.TYPE_UINT64}
    for row in _ROWS:
        if row.kind in kinds:
            message.field.add(name=row.name, number=row.number, type=kinds[row.kind], label=_Field.LABEL_OPTIONAL)
        else:
            entry = message.nested_type.add(name=f"{row.name.title()}Entry")
            entry.options.map_entry = True
            entry.field.add(name="key", number=1, type=_Field.TYPE_STRING, label=_Field.LABEL_OPTIONAL)
            entry.field.add(name="value", number=2, type=_Field.TYPE_DOUBLE, label=_Field.LABEL_OPTIONAL)
            message.field.add(
                name=row.name,
                number=row.number,
                type=_Field.TYPE_MESSAGE,
                label=_Field.LABEL_REPEATED,
                type_name=f".{PACKAGE}.TelemetryPacket.{entry.name}",
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.TelemetryPacket"))


_Message = _message_class()


def encode(packet: TelemetryPacket) -> bytes:
    """`packet` on the wire. A value that is null has no place there and is left out."""
    message = _Message(
        source=packet.source or "",
        time_ms=to_ms(parse_iso_utc(packet.time)) if packet.time else 0,
        seq=packet.seq or 0,
        values={name: value for name, value in (packet.values or {}).items() if value is not None},
    )
    return bytes(message.SerializeToString(deterministic=True))


def decode(data: bytes) -> TelemetryPacket:
    """The packet that `data` is. Raises `Refusal` with `too_large` or `invalid_payload`."""
    if len(data) > MAX_BYTES:
        raise Refusal(Code.TOO_LARGE, f"{len(data)} bytes; a packet may have {MAX_BYTES}")
    try:
        message = _Message.FromString(data)
    except DecodeError:
        raise Refusal(Code.INVALID_PAYLOAD, f"not a {PACKAGE}.TelemetryPacket; see {PROTO_FILE}") from None
    values = dict(message.values)
    if wrong := next((name for name, value in values.items() if not math.isfinite(value)), None):
        raise Refusal(Code.INVALID_PAYLOAD, f"`values[{wrong[:64]}]` is not finite")
    try:
        time = iso_utc(from_ms(message.time_ms)) if message.time_ms else None
    except (OverflowError, ValueError):
        raise Refusal(Code.INVALID_PAYLOAD, f"`time_ms` is no time: {message.time_ms}") from None
    return TelemetryPacket.build(
        source=message.source or None, time=time, seq=message.seq or None, values=values or None
    )
