"""What may differ between two Pis: a TOML file, and over it the environment.

The variable for `relay.url` is `PI_AGENT_RELAY__URL`.
"""

import os
import re
import socket
from collections.abc import Mapping
from datetime import tzinfo
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta, Struct

from pi_agent.accessories.hours import Span
from pi_agent.hardware.options import HardwareOptions, SwitchOptions
from pi_agent.training.options import TrainingOptions
from shared.contract.payloads import Accessory
from shared.logs import LogFormat, LogLevel
from shared.settings import SettingsError, load

PREFIX = "PI_AGENT_"

_ACCESSORY_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_DEVICE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class _Options(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all groups of settings have in common."""


class RelayOptions(_Options, frozen=True, kw_only=True):
    """Whom the agent reports to, and as whom."""

    url: Annotated[str, Meta(description="address of the relay: http://HOST:PORT or https://…")] = (
        "http://127.0.0.1:5000"
    )
    token: Annotated[str, Meta(max_length=500, description="the device's token; better kept in a file")] | None = None
    token_file: Annotated[str, Meta(description="a file that holds nothing but the token")] | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https", "ws", "wss") or not parts.hostname:
            raise ValueError("url must look like http://HOST:PORT")
        if self.token and self.token_file:
            raise ValueError("set either token or token_file, not both")


LinkLoss = Annotated[
    float, Meta(ge=1, le=7 * 86400, description="so long without the relay, and it goes to its safe state, in s")
]
LongestLease = Annotated[
    float, Meta(ge=1, le=7 * 86400, description="an on that is not renewed ends after so long, whoever asked, in s")
]


class BreathingOptions(_Options, frozen=True, kw_only=True):
    """How the light breathes while it is on."""

    period_s: Annotated[float, Meta(ge=0.5, le=60, description="one breath in and out, in s")] = 4.0
    gamma: Annotated[float, Meta(ge=1, le=4, description="2.2 looks even to the eye; 1 is linear in power")] = 2.2
    max_level: Annotated[float, Meta(ge=0.05, le=1, description="brightest moment, 1 is full power")] = 1.0
    frames_per_s: Annotated[
        float, Meta(ge=5, le=100, description="how often the level changes; more is smoother and costs CPU time")
    ] = 30.0
    on_at_start: Annotated[bool, Meta(description="breathe from the start on, without waiting for a command")] = False
    schedule: Annotated[
        tuple[str, ...],
        Meta(
            max_length=64,
            description='hours at which it breathes by itself: ["mon-fri 18:00-22:30", "sun 16:00-24:00"]',
        ),
    ] = ()
    quiet: (
        Annotated[
            str, Meta(description="hours at which it goes dark, and nothing but a command turns it on: 22:30-07:00")
        ]
        | None
    ) = None
    link_loss_s: LinkLoss | None = None
    longest_lease_s: LongestLease | None = None

    def __post_init__(self) -> None:
        for text in (*self.schedule, *([self.quiet] if self.quiet is not None else [])):
            Span.parse(text)


class InfraredWatchOptions(_Options, frozen=True, kw_only=True):
    """The watch that the infrared sensor keeps."""

    on_at_start: Annotated[bool, Meta(description="watch from the start on, without waiting for a command")] = True
    link_loss_s: LinkLoss | None = None
    longest_lease_s: LongestLease | None = None


class SwitchedOptions(SwitchOptions, frozen=True, kw_only=True):
    """An accessory of one's own on a pin: a fan, a relay, a buzzer."""

    title: Annotated[str, Meta(min_length=1, max_length=64, description="what pages call it")] | None = None
    on_at_start: Annotated[bool, Meta(description="on from the start, without waiting for a command")] = False
    link_loss_s: LinkLoss | None = None
    longest_lease_s: LongestLease | None = None


class OutboxOptions(_Options, frozen=True, kw_only=True):
    """Where events wait for the relay, and for how long."""

    path: Annotated[str, Meta(description="the outbox file; by default outbox.db in the state directory")] | None = None
    max_bytes: Annotated[
        int, Meta(ge=2**20, le=2**40, description="the file's size; beyond it the oldest events are dropped, on record")
    ] = 64 * 2**20
    max_age_s: Annotated[
        float, Meta(ge=60, le=10 * 366 * 86400, description="older events are dropped, on record; in s")
    ] = 30 * 86400.0
    reserve_bytes: Annotated[
        int, Meta(ge=0, le=2**30, description="a file kept beside it, given up when the disk is full; 0: none")
    ] = 2**20


class UplinkOptions(_Options, frozen=True, kw_only=True):
    """The connection to the relay."""

    window: Annotated[int, Meta(ge=1, le=1000, description="events on their way at one time, without an ack yet")] = 64
    longest_delay_s: Annotated[
        float, Meta(ge=1, le=3600, description="longest wait between two attempts to connect, in s")
    ] = 30.0
    start_jitter_s: Annotated[
        float,
        Meta(
            ge=0, le=600, description="random wait before a connection, so that many agents do not come in one instant"
        ),
    ] = 5.0
    join_timeout_s: Annotated[
        float, Meta(ge=1, le=300, description="how long a relay may take to admit a new connection, in s")
    ] = 20.0
    replaced_delay_s: Annotated[
        float, Meta(ge=1, le=86400, description="wait after another program connected under this device's name, in s")
    ] = 300.0


class CareOptions(_Options, frozen=True, kw_only=True):
    """Care from afar: what the relay's operators may do with the agent itself."""

    enabled: Annotated[bool, Meta(description="let the relay change settings, restart the agent, look for faults")] = (
        True
    )
    trial_s: Annotated[
        float, Meta(ge=10, le=3600, description="settings changed from afar are taken back without the relay, after s")
    ] = 120.0


class LogOptions(_Options, frozen=True, kw_only=True):
    """What is written to standard error."""

    level: Annotated[LogLevel, Meta(description="debug, info, warning or error")] = LogLevel.INFO
    format: Annotated[LogFormat, Meta(description="human: lines; json: one object per line")] = LogFormat.HUMAN


class AgentSettings(_Options, frozen=True, kw_only=True):
    """All settings of one agent."""

    device: Annotated[str, Meta(description="this device's name; by default the host's")] | None = None
    sample_interval_s: Annotated[
        float, Meta(ge=0.02, le=86400, description="from one sampling round to the next, in s")
    ] = 30.0
    status_interval_s: Annotated[
        float, Meta(ge=0.1, le=86400, description="from one report of every accessory to the next, in s")
    ] = 10.0
    heartbeat_interval_s: Annotated[
        float, Meta(ge=0.1, le=3600, description="from one heartbeat to the next, in s")
    ] = 10.0
    time_zone: (
        Annotated[
            str, Meta(description="IANA name, such as Europe/Zurich, for schedules; by default the machine's own")
        ]
        | None
    ) = None
    relay: RelayOptions = RelayOptions()
    hardware: HardwareOptions = HardwareOptions()
    breathing: BreathingOptions = BreathingOptions()
    infrared: InfraredWatchOptions = InfraredWatchOptions()
    accessories: Annotated[
        dict[str, SwitchedOptions],
        Meta(
            max_length=24, description="accessories of one's own, by name, each a table [accessories.NAME]: see below"
        ),
    ] = {}
    outbox: OutboxOptions = OutboxOptions()
    uplink: UplinkOptions = UplinkOptions()
    training: TrainingOptions = TrainingOptions()
    care: CareOptions = CareOptions()
    log: LogOptions = LogOptions()

    def __post_init__(self) -> None:
        if self.device is not None and not _DEVICE_NAME.fullmatch(self.device):
            raise ValueError(
                "device may have letters, digits, . _ and -, at most 63, and begins with a letter or digit"
            )
        for name in self.accessories:
            _check_accessory(name)
        _check_link_loss(self)

    @property
    def zone(self) -> tzinfo | None:
        """The time zone of schedules; None: the machine's own. Raises `SettingsError`."""
        if self.time_zone is None:
            return None
        try:
            return ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            remedy = "is no time zone here; write an IANA name, such as Europe/Zurich (sudo apt install tzdata)"
            raise SettingsError("time_zone", self.time_zone, remedy) from None

    @property
    def device_name(self) -> str:
        """The device's name; the host's, as far as it can be one, where none is set."""
        if self.device is not None:
            return self.device
        host = re.sub(r"[^A-Za-z0-9._-]+", "-", socket.gethostname()).lstrip("._-")[:63]
        return host or "pi"


def _check_accessory(name: str) -> None:
    if not _ACCESSORY_NAME.fullmatch(name):
        raise ValueError(
            f"accessories.{name}: a name has small letters, digits and _, at most 32, and begins with a letter"
        )
    if name in set(Accessory):
        raise ValueError(f"accessories.{name}: that is the name of a part of its own; choose another one")


def _check_link_loss(settings: AgentSettings) -> None:
    shortest_s = 2 * settings.heartbeat_interval_s
    limits = {"breathing": settings.breathing.link_loss_s, "infrared": settings.infrared.link_loss_s}
    limits |= {f"accessories.{name}": options.link_loss_s for name, options in settings.accessories.items()}
    for name, limit_s in limits.items():
        if limit_s is not None and limit_s < shortest_s:
            raise ValueError(f"{name}.link_loss_s must be at least two heartbeat_interval_s, {shortest_s:g} s")


def read_settings(
    file: Path | None, environ: Mapping[str, str] = os.environ, from_afar: Mapping[str, Any] | None = None
) -> AgentSettings:
    """The settings from `file`, over it those that were changed `from_afar`, and over all the environment.

    Raises `SettingsError`.
    """
    return load(AgentSettings, file, environ, PREFIX, from_afar)


def journal_path(outbox: Path) -> Path:
    """Where the journal of commands is: beside the outbox."""
    return outbox.with_suffix(".commands.db")


def read_token(options: RelayOptions, environ: Mapping[str, str] = os.environ) -> str | None:
    """The device's token: as set, else the credential `token` that systemd passes; None where there is none.

    Raises `SettingsError` for a file that cannot be read, or a `token_file` without a token.
    """
    if options.token_file is None:
        credential = Path(environ.get("CREDENTIALS_DIRECTORY") or "/nowhere") / "token"
        # The unit's own default is an empty one.
        return options.token or (_token_in(credential, "$CREDENTIALS_DIRECTORY") if credential.exists() else "") or None
    token = _token_in(Path(options.token_file), "relay.token_file")
    if not token:
        raise SettingsError("relay.token_file", options.token_file, "is empty; put the device's token there")
    return token


def _token_in(file: Path, setting: str) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise SettingsError(setting, str(file), f"cannot be read ({reason})") from None


def outbox_path(options: OutboxOptions, environ: Mapping[str, str] = os.environ) -> Path:
    """Where the outbox is: as set, else in systemd's `$STATE_DIRECTORY`, else in the user's state directory."""
    if options.path is not None:
        return Path(options.path).expanduser()
    if directories := environ.get("STATE_DIRECTORY"):
        return Path(directories.split(":")[0]) / "outbox.db"
    base = Path(environ.get("XDG_STATE_HOME") or Path(environ.get("HOME", "~")).expanduser() / ".local" / "state")
    return base / "breathlight" / "outbox.db"
