"""The registry of devices: who is connected, what each last said, and what was asked of it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from server.state.accessory import MOST_ACCESSORIES, AccessoryRecord
from server.state.insight import Insights
from server.state.newest import Newest, as_of
from server.state.readings import Readings
from shared.clock import iso_utc, local_text
from shared.contract.events import ACCESSORIES, accessory_events
from shared.contract.payloads import (
    Absence,
    AccessoryInfo,
    AccessoryState,
    AccessoryStatus,
    ClientModelTrain,
    ClientMotion,
    CommandResult,
    DeviceProfile,
    DeviceSnapshot,
    Heartbeat,
    PiHello,
    SensorData,
    extend,
)
from shared.errors import Code, Refusal


@dataclass
class Device:
    """One Pi. `session` is its live connection's sid; None while it is offline."""

    name: str
    since: datetime
    session: str | None = None
    hello: PiHello = field(default_factory=PiHello)
    original: bool = False
    """True for a program that speaks only the original's bodies: it acks no command."""
    profile: DeviceProfile = field(kw_only=True)
    accessories: dict[str, AccessoryRecord] = field(default_factory=dict)
    readings: Readings = field(default_factory=Readings)
    motion: ClientMotion | None = None
    training: ClientModelTrain | None = None
    insights: Insights = field(default_factory=Insights)
    heartbeat: Heartbeat | None = None
    """The newest of this connection; None for a program that sends none."""
    heard_s: float = 0.0
    """When something last came from it: monotonic seconds."""
    silent: bool = False
    """Its connection is open, and it says nothing: it is offline all the same."""
    reason: Absence | None = None
    """Why it is offline."""
    flapping: bool = False
    ended: bool = False
    """The program that was connected last said that it ends."""
    died: bool = False
    """The one before the program that is connected now ended without saying so."""
    commands: dict[str, CommandResult] = field(default_factory=dict)
    """Where each command stands that has no final result yet, by id."""
    _newest: defaultdict[str, Newest] = field(default_factory=lambda: defaultdict(Newest))
    """By kind of news."""

    @property
    def tags(self) -> tuple[str, ...]:
        """The groups it belongs to."""
        return self.profile.tags

    @property
    def online(self) -> bool:
        """Whether it is connected now, and speaks."""
        return self.session is not None and not self.silent

    @property
    def journals(self) -> bool:
        """Whether it keeps a journal of commands: it answers for what it took, across restarts and cut links."""
        return self.hello.heartbeat_interval_s is not None

    @property
    def infos(self) -> tuple[AccessoryInfo, ...]:
        """What it can be asked to switch. An original agent tells nothing of itself; it has the contract's two."""
        if self.hello.door is not None:
            return ()
        return self.hello.accessories or tuple(
            AccessoryInfo(accessory=name, sensor=events.sensor) for name, events in ACCESSORIES.items()
        )

    def info(self, accessory: str) -> AccessoryInfo:
        """What the device said of an accessory. Raises `Refusal` with `unknown_accessory`."""
        for info in self.infos:
            if info.accessory == accessory:
                return info
        known = ", ".join(info.accessory for info in self.infos)
        raise Refusal(Code.UNKNOWN_ACCESSORY, f"{self.name} has no accessory {accessory!r} (it has: {known})")

    def switched_by_clean(self) -> tuple[str, ...]:
        """The accessories that *clean* turns off: all but the sensors."""
        return tuple(
            info.accessory for info in self.infos if not (info.sensor or accessory_events(info.accessory).sensor)
        )

    def record(self, accessory: str) -> AccessoryRecord:
        """The record of an accessory, made when it is the first time; past the bound one that it had before goes."""
        if accessory not in self.accessories and len(self.accessories) >= MOST_ACCESSORIES:
            gone = next(name for name in self.accessories if name not in {info.accessory for info in self.infos})
            del self.accessories[gone]
            self._newest.pop(f"status {gone}", None)
        return self.accessories.setdefault(accessory, AccessoryRecord(accessory))

    # --- what it reports: late news, out of a backlog, is stored but is not what is now ---------------------------

    def note_readings(self, body: SensorData, now: datetime, taken: datetime | None = None) -> tuple[str, ...]:
        """Take the values of a round that are not older than what is known. Returns their quantities."""
        return self.readings.take(body, now, taken, self.hello.sample_interval_s)

    def note_value(self, quantity: str, value: float, taken_at: str) -> None:
        """Take the newest value that is stored, where the newest round does not tell it."""
        self.readings.recall(quantity, value, taken_at, self.hello.sample_interval_s)

    def note_motion(self, frame: ClientMotion, now: datetime) -> None:
        """Take a movement that is not older than what is known."""
        if self._newest["motion"].is_news(as_of(frame.taken_at, now)):
            self.motion = frame

    def note_status(
        self, accessory: str, body: AccessoryStatus, now: datetime, by: str | None = None
    ) -> AccessoryState | None:
        """Take a status, and return the state that pages see; None where it is older than what is known.

        `by` is who gave the command that the status names, where that one switched something.
        """
        record = self.record(accessory)
        if not self._newest[f"status {accessory}"].is_news(as_of(body.taken_at, now)):
            return None
        known = record.reported
        if by is not None:
            record.by = by
        elif known is None or (known.status, known.cause) != (body.status, body.cause):
            record.by = None
        # What has a number is a change, or the outcome of a command; a periodic report only says that it is still so.
        if body.id is not None if known is None else known.status != body.status:
            record.since = min(body.taken_at or iso_utc(now), iso_utc(now))
        record.reported, record.reported_at = body, now
        return self.state_of(record)

    def state_of(self, record: AccessoryRecord) -> AccessoryState | None:
        """An accessory as pages see it; None before its first report: a state is never invented."""
        reported, at = record.reported, record.reported_at
        if reported is None or at is None:
            return None
        return extend(
            AccessoryState,
            reported,
            device=self.name,
            datatime=local_text(at),
            accessory=record.name,
            desired=record.desired,
            link=self.online,
            by=record.by,
            since=record.since,
            reported_at=reported.taken_at or iso_utc(at),
        )

    def snapshot(self) -> DeviceSnapshot:
        """All that is known of it, for a page that joins."""
        states = (self.state_of(record) for record in self.accessories.values())
        return DeviceSnapshot.build(
            device=self.name,
            online=self.online,
            since=iso_utc(self.since),
            sample_interval_s=self.hello.sample_interval_s,
            status_interval_s=self.hello.status_interval_s,
            simulated=self.hello.simulated,
            tags=self.tags,
            profile=self.profile,
            about=self.hello.about,
            readings=self.readings,
            accessories=tuple(state for state in states if state),
            motion=self.motion,
            training=self.training,
            insight=self.insights.known,
            infos=self.infos,
            commands=tuple(self.commands.values()),
            reason=self.reason,
            flapping=self.flapping,
        )


class Registry:
    """Every device that was ever seen, and what people say of each."""

    def __init__(self, groups: Mapping[str, Iterable[str]], most: int = 10_000) -> None:
        """`groups` are those of the settings: tag to devices; profiles add to them. `most` devices may come."""
        self._most = most
        self._devices: dict[str, Device] = {}
        self._profiles: dict[str, DeviceProfile] = {}
        self._groups = {tag: frozenset(names) for tag, names in groups.items()}

    def __iter__(self) -> Iterator[Device]:
        return iter(sorted(self._devices.values(), key=lambda device: device.name))

    def __len__(self) -> int:
        return len(self._devices)

    def knows(self, name: str) -> bool:
        """Whether a device of this name has been seen."""
        return name in self._devices

    def get(self, name: str) -> Device:
        """One device. Raises `Refusal` with `unknown_device`."""
        try:
            return self._devices[name]
        except KeyError:
            known = ", ".join(sorted(self._devices)[:10]) or "none yet"
            raise Refusal(Code.UNKNOWN_DEVICE, f"no device {name!r} has been seen (known: {known})") from None

    def group(self, tag: str) -> list[Device]:
        """The devices of a group that have been seen and are in service. Raises `Refusal` with `unknown_group`."""
        members = [device for device in self if tag in device.tags and not device.profile.retired]
        if not members:
            tags = {tag for device in self for tag in device.tags} | self._groups.keys()
            known = ", ".join(sorted(tags)) or "none"
            raise Refusal(Code.UNKNOWN_GROUP, f"no group {tag!r} with a device in service (groups: {known})")
        return members

    def add(self, name: str, now: datetime) -> Device:
        """The device of this name; a new one is offline since `now`."""
        if name not in self._devices:
            self._devices[name] = Device(name, since=now, profile=self.profile(name))
        return self._devices[name]

    def require_room(self, name: str) -> None:
        """Raises `Refusal` with `conflict` for one device more than there may be: so made-up names are bounded."""
        if name not in self._devices and len(self._devices) >= self._most:
            raise Refusal(Code.CONFLICT, f"{self._most} devices are known; delete those that are no more")

    def admit(self, name: str, door: str, now: datetime) -> tuple[Device, bool]:
        """The device of this name behind another door than the agents', and whether it is new.

        Raises `Refusal`: `conflict` where the name is another one's, `retired`.
        """
        self.require_room(name)
        new, device = name not in self._devices, self.add(name, now)
        if new:
            device.hello = PiHello(door=door)
        elif device.hello.door != door:
            raise Refusal(Code.CONFLICT, f"{name!r} is the name of a device behind another door; choose another")
        if device.profile.retired:
            raise Refusal(Code.RETIRED, f"{name} is retired")
        return device, new

    def profile(self, name: str) -> DeviceProfile:
        """What people say of a device, whether or not it has been seen."""
        told = self._profiles.get(name) or DeviceProfile(device=name)
        tags = {tag for tag, names in self._groups.items() if name in names}
        return msgspec.structs.replace(told, tags=tuple(sorted(tags.union(told.tags))))

    def describe(self, profile: DeviceProfile) -> DeviceProfile:
        """Take over what people say of a device. Returns it with the groups of the settings."""
        self._profiles[profile.device] = profile
        described = self.profile(profile.device)
        if profile.device in self._devices:
            self._devices[profile.device].profile = described
        return described

    def remove(self, name: str) -> None:
        """Forget a device, and what people said of it."""
        self._devices.pop(name, None)
        self._profiles.pop(name, None)

    def connected(self, name: str, session: str, hello: PiHello, now: datetime) -> tuple[Device, str | None]:
        """A device came. Returns it, and the session that it had until now: the newest connection wins."""
        device = self.add(name, now)
        older = device.session
        if not device.online:
            device.since = now
        device.silent, device.reason, device.heartbeat = False, None, None
        runs = {device.hello.run, hello.run}
        device.died = None not in runs and len(runs) > 1 and not device.ended
        if len(runs) > 1:
            device.insights.began_anew()
        device.session, device.hello, device.original = session, hello, hello.contract is None
        device.ended = False
        return device, older

    def disconnected(self, name: str, session: str, now: datetime) -> Device | None:
        """A session ended. Returns its device when that is offline now, None when a newer session has taken over."""
        device = self._devices.get(name)
        if device is None or device.session != session:
            return None
        if device.online:
            device.since = now
        device.session = None
        return device
