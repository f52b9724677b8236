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
Label = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""A name or a word, without control characters."""
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
Share = Annotated[float, Meta(ge=0, le=1)]
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

    QUEUED = "queued"
    """On record; the device is away, and gets it when it comes back before the time to live has ended."""
    SENT = "sent"
    ACCEPTED = "accepted"
    """The device has it, and will answer."""
    APPLIED = "applied"
    """The pin was driven; it has not been read back yet."""
    VERIFIED = "verified"
    EXPIRED = "expired"
    REFUSED = "refused"
    SUPERSEDED = "superseded"
    FAILED = "failed"


FINAL_STATES = frozenset(
    {
        CommandState.VERIFIED,
        CommandState.EXPIRED,
        CommandState.REFUSED,
        CommandState.SUPERSEDED,
        CommandState.FAILED,
    }
)


class SafeState(StrEnum):
    """What becomes of an accessory when nobody answers for it any more."""

    OFF = "off"
    ON = "on"
    KEEP = "keep"
    """Whatever it is: for what must not change by itself."""


class Absence(StrEnum):
    """Why a device is offline."""

    ENDED = "ended"
    """It said that it ends."""
    CONNECTION_LOST = "connection_lost"
    HEARTBEAT_MISSED = "heartbeat_missed"
    """Its connection is open, and it says nothing."""
    RELAY_RESTARTED = "relay_restarted"
    """It has not come back since the relay was started."""


class AlertState(StrEnum):
    """Where an alert stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    """Somebody has seen it; it is still so."""
    CLOSED = "closed"


class Severity(StrEnum):
    """How urgent an alert is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class FindingKind(StrEnum):
    """What an agent notices by itself in what it measures."""

    SPIKE = "spike"
    OPEN_WINDOW = "open_window"
    OFFSET = "offset"
    DRIFT = "drift"
    STUCK = "stuck"
    SILENT = "silent"
    UNUSUAL_MOTION = "unusual_motion"


PASSIVE = "被動"
"""The original's word in `method`: this status answers a check."""


class Payload(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The base of every body. What came out of JSON has no cycles: the garbage collector need not look at it.

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


class LightOptions(Payload, frozen=True, kw_only=True):
    """How a breathing light breathes; null: as its settings say."""

    level: Annotated[float, Meta(ge=0.05, le=1, description="Brightest moment, 1 is full power")] | None = None
    period_s: Annotated[float, Meta(ge=0.5, le=60, extra_json_schema={"unit": "s"})] | None = None
    """One breath in and out."""
    gamma: Annotated[float, Meta(ge=1, le=4)] | None = None
    """2.2 looks even to the eye; 1 is linear in power."""


class Finding(Payload, frozen=True, kw_only=True):
    """Something began to be unusual, or ended. A spike has no end."""

    kind: FindingKind
    active: bool
    severity: Severity
    quantity: Label
    cause: Text
    """What was seen, with its figures."""


class Forecast(Payload, frozen=True, kw_only=True):
    """One quantity some minutes after the round, and the band in which nine of ten values come to lie."""

    quantity: Label
    minutes: Annotated[int, Meta(ge=1, le=1440, extra_json_schema={"unit": "min"})]
    value: Value
    low: Value
    high: Value


class Insight(Payload, frozen=True, kw_only=True):
    """What the agent makes of its readings. Of a kind that is missing there is nothing new to say."""

    scores: Annotated[dict[Label, Share], Meta(max_length=64)] = {}
    """Per quantity how unusual this reading is: 0 not at all, 1 as nothing before."""
    findings: Annotated[tuple[Finding, ...], Meta(max_length=16)] = ()
    forecast: Annotated[tuple[Forecast, ...], Meta(max_length=16)] = ()
    model: Count | None = None
    """The version of the model that forecast."""


class HorizonResult(Payload, frozen=True, kw_only=True):
    """What a new model is worth for one quantity, on two days that it had not seen. Errors in the quantity's unit."""

    quantity: Label
    minutes: Annotated[int, Meta(ge=1, le=1440, extra_json_schema={"unit": "min"})]
    mae: Value
    """Mean absolute error."""
    mae_persistence: Value
    """The same, had each value stayed what it was."""
    gate: Share
    """How much of the forecast change is believed; 0 is persistence."""


class TrainingPlot(Payload, frozen=True, kw_only=True):
    """Truth and forecast of one quantity for the same moments, one hour ahead."""

    quantity: Label
    at_ms: Annotated[tuple[Count, ...], Meta(max_length=48, description="Milliseconds since 1970, UTC")]
    truth: Annotated[tuple[Value, ...], Meta(max_length=48)]
    forecast: Annotated[tuple[Value, ...], Meta(max_length=48)]


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
    calibration: Annotated[dict[Label, Value], Meta(max_length=64)] = {}
    """What the relay added to a value that the sensor gave, per quantity, where it added anything."""
    insight: Insight | None = None

    def __post_init__(self) -> None:
        for name, value in self.data.items():
            if value is not None and (trouble := quantities.problem(name, value)):
                raise ValueError(trouble)


class AccessoryStatus(Outboxed, frozen=True, kw_only=True):
    """What one accessory is, read back from its pin. For the infrared sensor, `status` means *watching*, not motion."""

    status: bool
    method: Text | None = None
    """`被動` (passive) when it answers a check."""
    accessory: Label | None = None
    """Which one, in the events that all further accessories share."""
    id: Count | None = None
    """Set for a change and for what became of a command, which go through the outbox; a periodic report has none."""
    level: Level | None = None
    """The light's brightness at that moment."""
    light: LightOptions | None = None
    """How it breathes now."""
    lease_left_s: Seconds | None = None
    """It goes to its safe state after so long, unless the lease is renewed."""
    command: Key | None = None
    """The command that this status answers."""
    cause: Cause | None = None
    fault: Fault | None = None
    """Why the status is not what the command asked for."""


class CareReport(Payload, frozen=True, kw_only=True):
    """What came of a `CareRequest`."""

    request: Key
    ok: bool
    code: Code
    message: Text = ""
    text: Annotated[str, Meta(max_length=60_000, description="the answer, as JSON text")] = "null"


class CommandApplied(Payload, frozen=True, kw_only=True):
    """A command has driven its pin. What the pin reads back follows, in a status."""

    command: Key
    accessory: Label


class Heartbeat(Payload, frozen=True, kw_only=True):
    """The agent is alive. Its ack tells the relay's time, in which commands end."""

    interval_s: Annotated[float, Meta(gt=0, le=3600, extra_json_schema={"unit": "s"})]
    """From this heartbeat to the next."""
    boot_id: Label | None = None
    monotonic_ns: Count | None = None
    ending: bool = False
    """The last one: the agent ends, and is not missed."""


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


class TrainingTrigger(StrEnum):
    """Who asked for a training job."""

    SCHEDULE = "schedule"
    COMMAND = "command"


class TrainingReason(StrEnum):
    """Why a training job made no new model. The one before goes on serving."""

    INSUFFICIENT_DATA = "insufficient_data"
    """Under seven days of history, or under 80 % of it."""
    CONSTANT_SERIES = "constant_series"
    OUT_OF_MEMORY = "out_of_memory"
    CPU_LIMIT = "cpu_limit"
    TIMEOUT = "timeout"
    KILLED = "killed"
    CHILD_FAILED = "child_failed"
    """It ended otherwise than by saying so; the agent's log has more."""
    MODEL_REFUSED = "model_refused"
    """What it made is no model that this agent can serve."""
    DISK_FULL = "disk_full"
    NOT_STORED = "not_stored"
    """The disk did not take the model, for another reason."""
    STOPPED = "stopped"
    """The agent ended."""


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
    """One of `TrainingReason`, where no model was made."""
    progress: Share | None = None
    samples: Count | None = None
    duration_s: Seconds | None = None
    metrics: dict[Label, Value] = {}
    """Error metrics by name, in the unit of what was forecast."""
    trigger: TrainingTrigger | None = None
    command: Key | None = None
    """The command that asked for it."""
    model_version: Count | None = None
    days: Annotated[float, Meta(ge=0, le=3660, extra_json_schema={"unit": "d"})] | None = None
    """How long the history is that it was trained on."""
    peak_rss_bytes: Count | None = None
    """The most memory that the training process held."""
    horizons: Annotated[tuple[HorizonResult, ...], Meta(max_length=16)] = ()
    plot: Annotated[tuple[TrainingPlot, ...], Meta(max_length=4)] = ()


# --- relay to agent -------------------------------------------------------------------------------------------------


class CommandBody(Payload, frozen=True, kw_only=True):
    """What every command may carry: the original reads none of it."""

    command: Key | None = None
    """The command's id; the status that answers carries it back. One that comes twice is executed once."""
    ledger: Key | None = None
    """The ledger that numbered it: a relay with a new database has a new one."""
    seq: Count | None = None
    """Its number at this device, increasing within the ledger. One that is overtaken by a newer one is superseded."""
    ttl_s: Seconds | None = None
    """From its arrival on, the command may wait this long for its turn; after that it is not executed."""
    expires_ms: Count | None = None
    """The relay's time, as its acks to heartbeats tell it, after which the command is not executed."""
    cause: Cause | None = None
    """Who wants it; null: a user."""


class CareAction(StrEnum):
    """What a relay may ask of the agent itself."""

    SETTINGS = "settings"
    """The settings in use, without secrets."""
    CHANGE = "change"
    """Change settings: validated, applied, taken back when the agent does not come back with them."""
    LOG_LEVEL = "log_level"
    """Until the next restart."""
    RESTART = "restart"
    DIAGNOSTICS = "diagnostics"
    """Everything that helps to find a fault, without secrets."""


class CareRequest(Payload, frozen=True, kw_only=True):
    """Ask something of the agent itself. Acked when it is queued; the answer is a `CareReport`."""

    request: Key
    action: CareAction
    change: dict[str, Any] | None = None
    """For `change`: a tree of settings; null takes one back."""
    level: Literal["debug", "info", "warning", "error"] | None = None


class CheckCommand(CommandBody, frozen=True, kw_only=True):
    """Ask an accessory to report its status."""

    action: Text
    accessory: Label | None = None
    """Which one, in the event that all further accessories share."""


class CleanCommand(CommandBody, frozen=True, kw_only=True):
    """Turn off everything but the sensors."""

    action: Text


class TrainCommand(Payload, frozen=True, kw_only=True):
    """Train the forecaster now."""

    command: Key | None = None
    """Comes back in the news of the job."""


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
    light: LightOptions | None = None


# --- relay to client ------------------------------------------------------------------------------------------------


class ClientSensorData(SensorData, frozen=True, kw_only=True):
    """The agent's body, passed through, with the relay's cursor."""

    cursor: Count | None = None
    """Relay-wide, persistent and increasing: what replay counts by."""
    replayed: bool = False
    """Sent because somebody asked for what came after a cursor, not because it is new."""


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
    by: Label | None = None
    """Who gave the command that made it so: a token's name, or a rule's."""
    since: Timestamp | None = None
    """When it became so; null where nobody saw it change."""
    reported_at: Timestamp | None = None
    cursor: Count | None = None
    replayed: bool = False


class ClientMotion(Motion, frozen=True, kw_only=True):
    """The agent's body, passed through."""

    cursor: Count | None = None
    replayed: bool = False


class ClientModelTrain(ModelTrain, frozen=True, kw_only=True):
    """A training job's news, for pages. `status` is true from the start of training to its end."""

    datatime: LocalTime
    accessory: Label
    cursor: Count | None = None
    replayed: bool = False


class DeviceStatus(Payload, frozen=True, kw_only=True):
    """A device came or went."""

    device: DeviceId
    online: bool
    since: Timestamp
    """When it became so."""
    reason: Absence | None = None
    """Why it is offline."""
    flapping: bool = False
    """It comes and goes: what it is now will hardly last."""
    cursor: Count | None = None


class DeviceProfile(Payload, frozen=True, kw_only=True):
    """A device as people know it."""

    device: DeviceId
    title: Label | None = None
    """What pages call it; null: its name."""
    place: Label | None = None
    tags: Annotated[tuple[Label, ...], Meta(max_length=32)] = ()
    """The groups it belongs to, those of the relay's settings included."""
    time_zone: Label | None = None
    """IANA name, such as Europe/Zurich; null: the relay's."""
    calibration: Annotated[dict[Label, Value], Meta(max_length=64)] = {}
    """What is added to every value of a quantity, in its unit, from now on."""
    retired: bool = False
    """Out of service: its history stays, it is not turned on and raises no alerts."""


class DeviceRemoved(Payload, frozen=True, kw_only=True):
    """A device was deleted, or its history went to another one."""

    device: DeviceId
    into: DeviceId | None = None
    """Under whose name its history goes on."""


class LastReading(Payload, frozen=True, kw_only=True):
    """The newest value of one quantity."""

    value: Value | None
    unit: Text = ""
    taken_at: Timestamp
    quality: Quality | None = None
    stale_after_s: Seconds | None = None
    """After `taken_at`, by the schedule of its sensor: from then on it is no longer what is now."""
    value_at: Timestamp | None = None
    """When there last was a value: where `value` is null, there is no data since."""


class AccessoryInfo(Payload, frozen=True, kw_only=True):
    """What a device says of one of its accessories when it connects."""

    accessory: Label
    pin: Count | None = None
    mode: Text = "BCM"
    sensor: bool = False
    """True for what *clean* leaves alone."""
    kind: Label | None = None
    """breathing_light, infrared_watch or switch."""
    title: Label | None = None
    """What pages call it; null: its name."""
    safe: SafeState | None = None


class KnownFinding(Finding, frozen=True, kw_only=True):
    """A finding that has not ended, as the relay keeps it."""

    at: Timestamp
    """When its round was taken."""


class DeviceInsight(Payload, frozen=True, kw_only=True):
    """What a device has last made of its readings, put together from its rounds."""

    scores: Annotated[dict[Label, Share], Meta(max_length=64)] = {}
    """Of the newest round."""
    findings: tuple[KnownFinding, ...] = ()
    """Those that have not ended; a spike, which has no end, for ten minutes."""
    forecast: tuple[Forecast, ...] = ()
    forecast_at: Timestamp | None = None
    """When the round was taken from which its minutes count."""
    model: Count | None = None


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
    insight: DeviceInsight | None = None
    about: "About | None" = None
    reason: Absence | None = None
    flapping: bool = False
    profile: DeviceProfile | None = None
    infos: tuple[AccessoryInfo, ...] = ()
    """What it can be asked to switch."""
    commands: "tuple[CommandResult, ...]" = ()
    """Those that have no final result yet, the queued ones among them."""


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
    alerts: "tuple[Alert, ...]" = ()
    """Those that are not closed."""


class Alert(Payload, frozen=True, kw_only=True):
    """What a rule found, at one device or (null) at the site."""

    alert: Key
    rule: Label
    device: DeviceId | None = None
    severity: Severity
    state: AlertState
    opened_at: Timestamp
    message: Text
    quantity: Label | None = None
    value: Value | None = None
    """The quantity's value when it opened, or (a closed one) when it closed."""
    acknowledged_at: Timestamp | None = None
    acknowledged_by: Label | None = None
    closed_at: Timestamp | None = None
    closed_by: Label | None = None
    """Null where it closed by itself: it is no longer so."""
    closed_because: Text | None = None
    cursor: Count | None = None


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
    by: Label | None = None
    """Who asked: a token's name, or a rule's."""
    seq: Count | None = None
    """Its number at this device."""
    expires_at: Timestamp | None = None
    """While it is queued: after that it will not run."""


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
    light: LightOptions | None = None
    queue: bool = False
    """Whether an `off` or `clean` waits for a device that is offline, until its time to live has ended."""

    def __post_init__(self) -> None:
        if sum(target is not None for target in (self.device, self.tag, self.all)) != 1:
            raise ValueError("name exactly one of `device`, `tag` and `all`")
        if self.accessory is None and self.action is not Action.CLEAN:
            raise ValueError(f"`{self.action}` needs an `accessory`")
        if self.lease_s is not None and self.action is not Action.ON:
            raise ValueError("only an `on` may carry a lease")
        if self.light is not None and self.action is not Action.ON:
            raise ValueError("only an `on` may say how to breathe")
        if self.queue and self.action not in (Action.OFF, Action.CLEAN):
            raise ValueError("only an `off` or a `clean` may be queued: nothing switches on by surprise")


class AlertRequest(Payload, frozen=True, kw_only=True):
    """Say of an alert that it was seen, or that it is done with."""

    alert: Key
    state: Literal["acknowledged", "closed"]


class TrainRequest(Payload, frozen=True, kw_only=True):
    """Have a device train its forecaster now."""

    device: DeviceId


class ReplayRequest(Payload, frozen=True, kw_only=True):
    """Ask for every reading, change and motion after a cursor."""

    since: Count


# --- both ways ------------------------------------------------------------------------------------------------------


class ErrorBody(Payload, frozen=True, kw_only=True):
    """A refusal that nobody asked an ack for; or, with `missed`, what was left out."""

    code: Code
    message: Text
    event: Text = ""
    """The event that was refused."""
    retry: bool = False
    missed: Count | None = None
    """How many events this connection was not sent, because it did not take them."""
    since: Count | None = None
    """A replay from this cursor brings them; null where there is none."""


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
    """Of the event that was stored; after a replay, how far that went."""
    relay_ms: int | None = None
    """The relay's time when it answered a heartbeat: milliseconds, never going back while the relay runs."""

    @classmethod
    def refused(cls, refusal: Refusal) -> "Ack":
        """The ack that carries `refusal`."""
        return cls(ok=False, code=refusal.code, message=refusal.message, retry=refusal.retry)


# --- what a connection says first -----------------------------------------------------------------------------------


class About(Payload, frozen=True, kw_only=True):
    """Which program a device runs, on what."""

    version: Label
    python: Label
    os: Label
    machine: Label
    model: Label


class PiHello(Payload, frozen=True, kw_only=True):
    """The Socket.IO `auth` object of an agent. An original agent sends none."""

    token: Text | None = None
    device: DeviceId | None = None
    """Its name, in demo mode; elsewhere the token decides."""
    version: Label | None = None
    contract: Label | None = None
    boot_id: Label | None = None
    run: Key | None = None
    """Made anew at each start of the agent: another one means that the process before has ended."""
    stream: Key | None = None
    sample_interval_s: Seconds | None = None
    status_interval_s: Seconds | None = None
    heartbeat_interval_s: Seconds | None = None
    ledger: Key | None = None
    """The ledger whose commands it took last."""
    seq: Count | None = None
    """The highest number of a command that it has taken from that ledger, whatever became of it."""
    about: About | None = None
    simulated: bool = False
    door: Label | None = None
    """How it is connected, where it is no agent: mqtt, esp32."""
    accessories: Annotated[tuple[AccessoryInfo, ...], Meta(max_length=64)] = ()


class ClientHello(Payload, frozen=True, kw_only=True):
    """The Socket.IO `auth` object of a page or program."""

    token: Text | None = None
    since: Count | None = None
    """The last cursor seen, on a reconnect: what was missed is replayed before anything live."""
