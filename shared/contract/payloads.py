"""One frozen, validated struct per body, with units and ranges.

Fields of the original contract keep their name, type and nulls; all that this product adds is optional, and unknown
fields are ignored, so a program one version older or newer works. msgspec validates what it decodes, not what is
constructed: build a payload with `build`, never by calling its class.
"""

from enum import StrEnum
from typing import Annotated, Any, Literal, Self, TypeVar

import msgspec
from msgspec import Meta, Struct

from shared.contract import quantities
from shared.errors import Code, Refusal

T = TypeVar("T")
P = TypeVar("P", bound="Payload")

DeviceId = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$", description="A device's name: letters, digits, . _ -")
]
Key = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Label = Annotated[str, Meta(min_length=1, max_length=64)]
Text = Annotated[str, Meta(max_length=500)]
Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]
"""At most what JavaScript counts exactly."""
Timestamp = Annotated[
    str,
    Meta(
        pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$",
        description="UTC, ISO 8601, milliseconds",
        examples=["2026-01-31T23:59:59.000Z"],
    ),
]
LocalTime = Annotated[
    str,
    Meta(
        pattern=r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$",
        description="The sender's local time, without a zone, as the original writes it",
        examples=["2026-01-31 23:59:59"],
    ),
]
Seconds = Annotated[float, Meta(ge=0, le=10 * 366 * 86400, extra_json_schema={"unit": "s"})]
Milliseconds = Annotated[float, Meta(ge=0, le=1e12, extra_json_schema={"unit": "ms"})]
Level = Annotated[float, Meta(ge=0, le=1, description="Brightness, 0 dark to 1 full")]
Value = Annotated[float, Meta(ge=quantities.ANY_LOW, le=quantities.ANY_HIGH)]
Readings = Annotated[
    dict[Label, Value | None],
    Meta(
        max_length=64,
        description="A value per quantity, null where its sensor failed. Known quantities have the units and ranges of "
        "the table of quantities; others are passed on as they are.",
        examples=[{"temperature": 21.4, "humidity": 48.2, "PM2.5": None}],
    ),
]


class Accessory(StrEnum):
    """What users switch."""

    BREATH_LIGHT = "breath_light"
    INFRARED_SENSOR = "infrared_sensor"


class Action(StrEnum):
    """What a command asks of a device."""

    CHECK = "check"
    ON = "on"
    OFF = "off"
    CLEAN = "clean"


class Cause(StrEnum):
    """Why a state is what it is."""

    USER = "user"
    RULE = "rule"
    LEASE = "lease"
    CLEAN = "clean"
    LOCAL_FAULT = "local_fault"
    RESTART = "restart"


class QualityState(StrEnum):
    """How far a quantity can be trusted."""

    GOOD = "good"
    DEGRADED = "degraded"
    FAILED = "failed"


class CommandState(StrEnum):
    """Where a command stands at one device. The last five are final."""

    SENT = "sent"
    ACCEPTED = "accepted"
    VERIFIED = "verified"
    EXPIRED = "expired"
    REFUSED = "refused"
    SUPERSEDED = "superseded"
    FAILED = "failed"


FINAL_STATES = frozenset(CommandState) - {CommandState.SENT, CommandState.ACCEPTED}

PASSIVE = "被動"
"""The original's word in `method`: this status answers a check."""


class Payload(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The base of every body.

    A field that holds its default is not sent. So the original's fields have none: its programs expect all of them.
    """

    @classmethod
    def build(cls, **fields: Any) -> Self:
        """A validated payload. Raises `Refusal` with `invalid_payload`."""
        return parse(cls, fields)


def parse(kind: type[T], body: object) -> T:
    """Validate a decoded JSON value as `kind`. Raises `Refusal` with `invalid_payload`, naming the field."""
    try:
        return msgspec.convert(body, kind, strict=True)
    except msgspec.ValidationError as error:
        raise Refusal(Code.INVALID_PAYLOAD, str(error)) from None


def extend(kind: type[P], payload: Payload, **more: Any) -> P:
    """`payload` as its extension `kind`, with `more` fields. All its parts have been validated; nothing is checked."""
    return kind(**{**msgspec.structs.asdict(payload), **more})


# --- parts of bodies ------------------------------------------------------------------------------------------------


class ClockStamp(Payload, frozen=True, kw_only=True):
    """How far to trust the wall time of a sample."""

    boot_id: Label
    """Monotonic times compare only within one boot."""
    monotonic_ns: Count
    """Monotonic time of the sample, in nanoseconds."""
    synchronised: bool
    """True when a time source had set the wall clock at that moment."""
    redated: bool = False
    """True when `taken_at` was computed later in the same boot, after a time source had set the wall clock."""


class Quality(Payload, frozen=True, kw_only=True):
    """The state of one quantity, and why."""

    state: QualityState
    reason: Text = ""


class Fault(Payload, frozen=True, kw_only=True):
    """What went wrong, as a stable code and in words."""

    code: Code
    message: Text = ""


class Outboxed(Payload, frozen=True, kw_only=True):
    """What every event of an agent may carry beside the original's fields."""

    device: DeviceId | None = None
    """The sender's name. The relay trusts the connection, not this field."""
    stream: Key | None = None
    """The outbox's epoch. With `id` it makes the dedupe key (device, stream, id)."""
    taken_at: Timestamp | None = None
    clock: ClockStamp | None = None


# --- agent to relay -------------------------------------------------------------------------------------------------


class SensorData(Outboxed, frozen=True, kw_only=True):
    """One sampling round of every sensor on a Pi. A sensor that failed is named in `fail`; its values are null."""

    id: Count
    """The event's number, gapless per stream."""
    datetime: LocalTime
    fail: Annotated[tuple[Label, ...], Meta(max_length=64)]
    data: Readings
    quality: Annotated[dict[Label, Quality], Meta(max_length=64)] = {}
    """Per quantity, where it is not `good`."""

    def __post_init__(self) -> None:
        for name, value in self.data.items():
            if value is not None and (trouble := quantities.problem(name, value)):
                raise ValueError(trouble)


class AccessoryStatus(Outboxed, frozen=True, kw_only=True):
    """What one accessory is, read back from its pin. For the infrared sensor, `status` means *watching*, not motion."""

    status: bool
    method: Text | None = None
    """`被動` (passive) when it answers a check."""
    id: Count | None = None
    """Set for a change, which goes through the outbox; a periodic report has none."""
    level: Level | None = None
    """The light's brightness at that moment."""
    command: Key | None = None
    """The command that this status answers."""
    cause: Cause | None = None
    fault: Fault | None = None
    """Why the status is not what the command asked for."""


class Motion(Outboxed, frozen=True, kw_only=True):
    """The infrared sensor saw somebody move, or the movement ended."""

    id: Count
    motion: bool
    count: Count = 0
    """Movements seen since the agent started."""


class TrainingPhase(StrEnum):
    """Where a training job stands."""

    STARTED = "started"
    PROGRESS = "progress"
    FINISHED = "finished"
    SKIPPED = "skipped"
    FAILED = "failed"


class DropReason(StrEnum):
    """Why an agent gave events up."""

    OVERFLOW = "overflow"
    AGE = "age"
    DISK_FULL = "disk_full"
    OVERSIZE = "oversize"
    REFUSED = "refused"
    CORRUPT = "corrupt"


class Dropped(Outboxed, frozen=True, kw_only=True):
    """Events that the agent gave up on purpose, or lost and knows it: what a gap in a stream's ids means."""

    id: Count
    reason: DropReason
    count: Annotated[Count, Meta(description="How many events; of a lost file the most it can have been")]
    first_id: Count | None = None
    """The first id that is not coming; null where the events had not been given one yet."""
    last_id: Count | None = None
    """The last one. What was stored from between the two stays so."""
    of_stream: Key | None = None
    """The stream they belonged to; null: the stream of this record."""
    message: Text = ""


class ModelTrain(Outboxed, frozen=True, kw_only=True):
    """A training job's news. `status` is true while it trains: false is sent on success and on failure alike."""

    status: bool
    id: Count | None = None
    job: Key | None = None
    phase: TrainingPhase | None = None
    reason: Text | None = None
    progress: Annotated[float, Meta(ge=0, le=1)] | None = None
    samples: Count | None = None
    duration_s: Seconds | None = None
    metrics: dict[Label, Value] = {}
    """Error metrics by name, in the unit of what was forecast."""


# --- relay to agent -------------------------------------------------------------------------------------------------


class CommandBody(Payload, frozen=True, kw_only=True):
    """What every command may carry: the original reads none of it."""

    command: Key | None = None
    """The command's id; the status that answers carries it back."""
    ttl_s: Seconds | None = None
    """From its arrival on, the command may wait this long for its turn; after that it is not executed."""


class CheckCommand(CommandBody, frozen=True, kw_only=True):
    """Ask an accessory to report its status."""

    action: Text


class CleanCommand(CommandBody, frozen=True, kw_only=True):
    """Turn off everything but the sensors."""

    action: Text


class SwitchCommand(CommandBody, frozen=True, kw_only=True):
    """Turn one accessory off or on."""

    pin: Count | None
    """BCM number, null where the device did not tell."""
    mode: Text
    code: int
    accessory: Label
    status: bool
    type: Text
    msg: Text
    lease_s: Seconds | None = None
    """An *on* that is not renewed ends after this time; the accessory goes to its safe state."""


# --- relay to client ------------------------------------------------------------------------------------------------


class ClientSensorData(SensorData, frozen=True, kw_only=True):
    """The agent's body, passed through, with the relay's cursor."""

    cursor: Count | None = None
    """Relay-wide, persistent and increasing: what replay counts by."""


class AccessoryState(AccessoryStatus, frozen=True, kw_only=True):
    """The state of one accessory of one device: what was asked, what it reported, and how fresh that is.

    `status` is what the device last reported, after reading the pin back.
    """

    datatime: LocalTime
    """As the original spells it."""
    accessory: Label
    desired: bool | None = None
    """What was last asked for; null when nobody asked."""
    link: bool | None = None
    """Whether the device is connected now."""
    reported_at: Timestamp | None = None
    cursor: Count | None = None


class ClientMotion(Motion, frozen=True, kw_only=True):
    """The agent's body, passed through."""

    cursor: Count | None = None


class ClientModelTrain(ModelTrain, frozen=True, kw_only=True):
    """A training job's news, for pages. `status` is true from the start of training to its end."""

    datatime: LocalTime
    accessory: Label
    cursor: Count | None = None


class DeviceStatus(Payload, frozen=True, kw_only=True):
    """A device came or went."""

    device: DeviceId
    online: bool
    since: Timestamp
    """When it became so."""
    cursor: Count | None = None


class LastReading(Payload, frozen=True, kw_only=True):
    """The newest value of one quantity."""

    value: Value | None
    unit: Text = ""
    taken_at: Timestamp
    quality: Quality | None = None


class AccessoryInfo(Payload, frozen=True, kw_only=True):
    """What a device says of one of its accessories when it connects."""

    accessory: Label
    pin: Count | None = None
    mode: Text = "BCM"
    sensor: bool = False
    """True for what *clean* leaves alone."""


class DeviceSnapshot(Payload, frozen=True, kw_only=True):
    """All that the relay knows of one device now."""

    device: DeviceId
    online: bool
    since: Timestamp
    sample_interval_s: Seconds | None = None
    status_interval_s: Seconds | None = None
    simulated: bool = False
    tags: tuple[Label, ...] = ()
    readings: dict[Label, LastReading] = {}
    accessories: tuple[AccessoryState, ...] = ()
    motion: ClientMotion | None = None
    training: ClientModelTrain | None = None


class Snapshot(Payload, frozen=True, kw_only=True):
    """What a page that joins needs to be right at once."""

    at: Timestamp
    """The relay's time."""
    role: Label
    """What the page's token allows: viewer or operator."""
    cursor: Count
    """Everything up to here is in this snapshot or in the history."""
    devices: tuple[DeviceSnapshot, ...]
    contract: Label
    demo: bool = False


class CommandResult(Payload, frozen=True, kw_only=True):
    """Where a command stands at one device."""

    command: Key
    device: DeviceId
    action: Action
    state: CommandState
    code: Code
    at: Timestamp
    accessory: Label | None = None
    message: Text = ""
    status: bool | None = None
    """What the pin read back, once it did."""
    elapsed_ms: Milliseconds | None = None


# --- client to relay ------------------------------------------------------------------------------------------------


class CommandRequest(Payload, frozen=True, kw_only=True):
    """Ask for one action at one device, at all with a tag, or at all there are."""

    action: Action
    accessory: Label | None = None
    """Not needed for `clean`."""
    device: DeviceId | None = None
    tag: Label | None = None
    all: Literal[True] | None = None
    ttl_s: Annotated[float, Meta(gt=0, le=86400, extra_json_schema={"unit": "s"})] | None = None
    lease_s: Annotated[float, Meta(gt=0, le=86400, extra_json_schema={"unit": "s"})] | None = None

    def __post_init__(self) -> None:
        if sum(target is not None for target in (self.device, self.tag, self.all)) != 1:
            raise ValueError("name exactly one of `device`, `tag` and `all`")
        if self.accessory is None and self.action is not Action.CLEAN:
            raise ValueError(f"`{self.action}` needs an `accessory`")
        if self.lease_s is not None and self.action is not Action.ON:
            raise ValueError("only an `on` may carry a lease")


class ReplayRequest(Payload, frozen=True, kw_only=True):
    """Ask for every reading, change and motion after a cursor."""

    since: Count


# --- both ways ------------------------------------------------------------------------------------------------------


class ErrorBody(Payload, frozen=True, kw_only=True):
    """A refusal that nobody asked an ack for."""

    code: Code
    message: Text
    event: Text = ""
    """The event that was refused."""
    retry: bool = False


class Ack(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The one shape of every ack."""

    ok: bool
    code: Code
    message: str | None = None
    retry: bool | None = None
    id: int | None = None
    """The id of the event that was stored."""
    command: str | None = None
    devices: tuple[str, ...] | None = None
    """Whom a command was addressed to."""
    cursor: int | None = None
    """How far a replay went."""

    @classmethod
    def refused(cls, refusal: Refusal) -> "Ack":
        """The ack that carries `refusal`."""
        return cls(ok=False, code=refusal.code, message=refusal.message, retry=refusal.retry)


# --- what a connection says first -----------------------------------------------------------------------------------


class PiHello(Payload, frozen=True, kw_only=True):
    """The Socket.IO `auth` object of an agent. An original agent sends none."""

    token: Text | None = None
    device: DeviceId | None = None
    """Its name, in demo mode; elsewhere the token decides."""
    version: Label | None = None
    contract: Label | None = None
    boot_id: Label | None = None
    stream: Key | None = None
    sample_interval_s: Seconds | None = None
    status_interval_s: Seconds | None = None
    simulated: bool = False
    accessories: Annotated[tuple[AccessoryInfo, ...], Meta(max_length=64)] = ()


class ClientHello(Payload, frozen=True, kw_only=True):
    """The Socket.IO `auth` object of a page or program."""

    token: Text | None = None
    since: Count | None = None
    """The last cursor seen, on a reconnect: what was missed is replayed before anything live."""
