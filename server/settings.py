"""What may differ between two deployments of the relay.

Read from a TOML file (`pi-relay serve --config FILE`) and from variables `PI_RELAY_…` over it; see docs/SETTINGS.md.
"""

import ipaddress
import os
from collections.abc import Mapping
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from server.rules import AlertSettings, AvailabilitySettings
from shared import settings
from shared.contract.payloads import DeviceId, Label
from shared.logs import LogFormat, LogLevel
from shared.settings import SettingsError

PREFIX = "PI_RELAY_"
DEFAULT_PORT = 5000


class Fanout(StrEnum):
    """How events reach their subscribers; see docs/adr/0009-a-direct-path-for-fan-out.md."""

    DIRECT = "direct"
    """Encoded once, written straight to every socket."""
    STOCK = "stock"
    """As the libraries do it: a queue and a greenlet per connection."""


class LogSettings(Struct, frozen=True, kw_only=True):
    """What is logged, and how."""

    level: Annotated[LogLevel, Meta(description="least severe line to write")] = LogLevel.INFO
    format: Annotated[LogFormat, Meta(description="lines for people, or JSON for collectors")] = LogFormat.HUMAN


class LimitSettings(Struct, frozen=True, kw_only=True):
    """Bounds that protect the relay from its peers."""

    device_events_per_s: Annotated[
        int, Meta(ge=1, le=100_000, description="events a second one device may send, averaged over ten seconds")
    ] = 500
    client_events_per_s: Annotated[
        int, Meta(ge=1, le=100_000, description="events a second one page or program may send, likewise")
    ] = 20
    connections: Annotated[int, Meta(ge=1, le=100_000, description="connections at a time")] = 5_000
    join_s: Annotated[
        float, Meta(gt=0, le=300, description="seconds after which a connection that joined nothing is closed")
    ] = 10.0
    mailbox_events: Annotated[int, Meta(ge=10, description="events that may wait for one slow reader")] = 2_000
    mailbox_bytes: Annotated[int, Meta(ge=65_536, description="bytes that may wait for one slow reader")] = (
        4 * 1024 * 1024
    )
    stalled_s: Annotated[
        float, Meta(gt=0, le=300, description="seconds after which a reader that takes nothing of it is closed")
    ] = 20.0


Days = Annotated[float, Meta(gt=0, le=36_500)]


class Keep(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For how many days the readings of a quantity are kept, as they came and rolled up."""

    raw_days: Annotated[Days, Meta(description="days for which single readings are kept")] = 30.0
    minute_days: Annotated[Days, Meta(description="days for which their minutes are kept")] = 365.0
    hour_days: Annotated[Days, Meta(description="days for which their hours are kept")] = 3650.0


class RetentionPolicy(Struct, frozen=True, kw_only=True):
    """What is kept, and for how long."""

    readings: Keep = Keep()
    quantities: Annotated[dict[Label, Keep], Meta(description="quantities that are kept for other times")] = {}
    log_days: Annotated[Days, Meta(description="days for which events can be replayed")] = 30.0
    max_bytes: Annotated[
        int, Meta(ge=16 * 1024 * 1024, description="SQLite: the size at which all these times are cut short, in bytes")
    ] = 8 * 1024**3

    def keep(self, quantity: str) -> Keep:
        """How long `quantity` is kept."""
        return self.quantities.get(quantity, self.readings)


class MqttTopic(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A topic of sensors, and how its messages are read: JSON objects, or single numbers."""

    topic: Annotated[str, Meta(min_length=1, max_length=200, description="topic or filter, such as sensor/+/data")]
    device: Annotated[Label, Meta(description="the field that names the device")] = "deviceId"
    device_level: Annotated[int, Meta(ge=0, le=20)] | None = None
    """Which level of the topic names the device instead: 0 is the first."""
    timestamp: Annotated[Label, Meta(description="the field that says when; without it: on arrival")] = "timestamp"
    value: Annotated[Label | None, Meta(description="the quantity, where a message is a bare number")] = None
    rename: dict[Label, Label] = {}
    """Field to quantity, where the names differ."""


class HomeAssistantSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Home Assistant, told of every device through the broker."""

    enabled: Annotated[bool, Meta(description="tell Home Assistant of the devices, and obey it")] = False
    discovery_prefix: Annotated[Label, Meta(description="where Home Assistant looks for devices")] = "homeassistant"
    prefix: Annotated[
        str, Meta(description="the relay's own topics begin with it", pattern="^[A-Za-z0-9_-]+$", max_length=64)
    ] = "breathlight"


class MqttSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The broker that sensors publish to, and that Home Assistant listens to."""

    url: Annotated[str, Meta(description="mqtt://HOST:1883 or mqtts://HOST:8883; empty for none")] = ""
    username: Annotated[str | None, Meta(description="where the broker asks for one")] = None
    password_file: Annotated[str | None, Meta(description="a file that holds nothing but the password")] = None
    ca_file: Annotated[str | None, Meta(description="certificates to trust instead of the system's")] = None
    client_id: Annotated[
        Label, Meta(description="one per relay: the broker keeps this client's messages while the relay is away")
    ] = "breathlight-relay"
    topics: Annotated[tuple[MqttTopic, ...], Meta(description="what to subscribe to")] = tuple(
        MqttTopic(topic=f"sensor/data/{sensor}") for sensor in ("aht21", "ens160", "mq9", "mq135", "temp")
    )
    home_assistant: HomeAssistantSettings = HomeAssistantSettings()

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if self.url and (parts.scheme not in ("mqtt", "mqtts") or not parts.hostname):
            raise ValueError("url must look like mqtt://HOST:1883 or mqtts://HOST:8883")


class TemperatureSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose value the page `/temperature` shows."""

    device: Annotated[str, Meta(max_length=63, description="a device's name; empty for the first that has one")] = ""
    quantity: Annotated[Label, Meta(description="which of its values")] = "temperature"


class ClusterSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """More than one worker; see docs/scale.md."""

    redis: Annotated[
        str, Meta(description="redis://HOST:6379/0, the message queue of all workers; empty for one worker alone")
    ] = ""
    password_file: Annotated[str | None, Meta(description="a file that holds nothing but Redis's password")] = None
    prefix: Annotated[
        str,
        Meta(
            description="names of channels begin with it; relays that share a Redis have one each",
            pattern="^[A-Za-z0-9_-]+$",
            max_length=64,
        ),
    ] = "breathlight"
    address: Annotated[
        str, Meta(description="where other workers reach this one, http://HOST:PORT; empty on one machine")
    ] = ""


class RelaySettings(Struct, frozen=True, kw_only=True):
    """All settings of `pi-relay serve`."""

    host: Annotated[str, Meta(description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="TCP port; 0 takes a free one")] = DEFAULT_PORT
    demo: Annotated[bool, Meta(description="open to this machine without tokens; only on a loopback address")] = False
    insecure_lan: Annotated[bool, Meta(description="accept that tokens and readings cross the network unencrypted")] = (
        False
    )
    database: Annotated[
        str, Meta(description="database URL; empty for SQLite in the state directory, or `postgresql+psycopg://…`")
    ] = ""
    allowed_hosts: Annotated[
        tuple[str, ...], Meta(description="names this relay answers to in the Host header; empty for any")
    ] = ()
    allowed_origins: Annotated[
        tuple[str, ...], Meta(description="web origins beside its own whose pages may connect")
    ] = ()
    groups: Annotated[dict[Label, tuple[DeviceId, ...]], Meta(description="tags: a group's name and its devices")] = {}
    command_ttl_s: Annotated[
        float, Meta(gt=0, le=3600, description="how long a command may take where its sender does not say, in seconds")
    ] = 10.0
    availability: AvailabilitySettings = AvailabilitySettings()
    alerts: AlertSettings = AlertSettings()
    temperature: TemperatureSettings = TemperatureSettings()
    mqtt: MqttSettings = MqttSettings()
    limits: LimitSettings = LimitSettings()
    fanout: Annotated[
        Fanout, Meta(description="how events reach pages: `direct`, or `stock` as the libraries do it")
    ] = Fanout.DIRECT
    behind_proxy: Annotated[
        bool, Meta(description="a proxy in front says who connects, by X-Forwarded-For and X-Forwarded-Proto")
    ] = False
    cluster: ClusterSettings = ClusterSettings()
    retention: RetentionPolicy = RetentionPolicy()
    log: LogSettings = LogSettings()

    def is_loopback(self) -> bool:
        """True when nobody but this machine can reach the relay."""
        return is_loopback(self.host)

    def route(self) -> str:
        """What the ids of this worker's connections begin with, where there may be other workers."""
        return str(self.port) if self.cluster.redis else ""

    def database_url(self, environ: Mapping[str, str] = os.environ) -> str:
        """The database in use; creates the state directory where the default one lies."""
        return self.database or f"sqlite:///{state_directory(environ) / 'relay.db'}"


def load(file: Path | None, environ: Mapping[str, str] = os.environ) -> RelaySettings:
    """Read the settings. Raises `SettingsError`."""
    loaded = settings.load(RelaySettings, file, environ, PREFIX)
    if loaded.demo and not loaded.is_loopback():
        raise SettingsError(
            "host", loaded.host, "demo mode is open to everyone who can reach it; use 127.0.0.1, or tokens without demo"
        )
    _require_private(loaded)
    if loaded.cluster.redis and not find_spec("redis"):
        raise SettingsError("cluster.redis", "…", "its library is missing: pip install 'breathlight[scale]'")
    if loaded.cluster.redis and loaded.fanout is Fanout.STOCK:
        raise SettingsError("fanout", loaded.fanout, "several workers need `direct`; leave cluster.redis empty, or it")
    if not loaded.demo and not loaded.is_loopback() and not loaded.insecure_lan:
        raise SettingsError(
            "host",
            loaded.host,
            "tokens would cross the network unencrypted; bind 127.0.0.1 behind a TLS proxy, or accept it with "
            "--insecure-lan",
        )
    return loaded


def secret(file: str | None, setting: str) -> str | None:
    """What a file holds that is named by `setting`; None where none is named. Raises `SettingsError`."""
    if file is None:
        return None
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "no text"
        raise SettingsError(setting, file, f"cannot be read ({why})") from None


def _require_private(settings: RelaySettings) -> None:
    """Tokens cross the queue, and HTTP between workers, as they cross the listener. Raises `SettingsError`."""
    for name, url, safe in (
        ("cluster.redis", settings.cluster.redis, ("rediss", "unix")),
        ("cluster.address", settings.cluster.address, ()),
    ):
        parts = urlsplit(url)
        if url and parts.scheme not in safe and not is_loopback(parts.hostname or "") and not settings.insecure_lan:
            remedy = "tokens would cross the network unencrypted; use 127.0.0.1, or accept it with --insecure-lan"
            raise SettingsError(name, f"{parts.scheme}://…{parts.hostname}", remedy)


def is_loopback(host: str) -> bool:
    """True for `localhost` and the loopback addresses."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def state_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the relay keeps its database; made when it is missing. Raises `SettingsError`."""
    base = environ.get("STATE_DIRECTORY", "").split(":")[0]
    home = environ.get("XDG_STATE_HOME") or str(Path("~/.local/state").expanduser())
    directory = Path(base) if base else Path(home) / "breathlight"
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            "STATE_DIRECTORY",
            str(directory),
            f"cannot be made ({error.strerror}); name a directory that can be written",
        ) from None
    return directory
