"""Devices as people know them: named, described, replaced, retired, deleted."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection

from server.fanout.broadcast import Broadcast
from server.services.restore import restore
from server.state.devices import Device, Registry
from server.storage import transfer
from server.storage.engine import Database
from server.storage.history import History
from server.storage.profiles import ProfileStore
from server.storage.recorder import Recorder
from shared.contract.events import DEVICE_PROFILE_PUB_CLIENT, DEVICE_REMOVED_PUB_CLIENT, ERROR_PUB_PI
from shared.contract.payloads import DeviceProfile, DeviceRemoved, ErrorBody
from shared.contract.quantities import known as known_quantity
from shared.errors import Code, Refusal

log = logging.getLogger(__name__)

_CHANGEABLE = frozenset({"title", "place", "tags", "time_zone", "calibration", "retired"})


class Profiles:
    """Changes what people say of devices, on disk first, then in memory and on every page."""

    def __init__(
        self,
        registry: Registry,
        store: ProfileStore,
        database: Database,
        recorder: Recorder,
        history: History,
        broadcast: Broadcast,
        changed: Callable[[str], None],
    ) -> None:
        """`changed` is told of each device whose profile changed, or which is no more."""
        self._changed = changed
        self._registry = registry
        self._store = store
        self._database = database
        self._recorder = recorder
        self._history = history
        self._broadcast = broadcast
        self._at_work: set[str] = set()
        """Devices that are being changed, replaced or deleted: nothing may come between its beginning and its end."""

    def restore(self) -> None:
        """Take over what was said before the relay was started. Before the devices are."""
        for profile in self._store.all():
            self._registry.describe(profile)

    def change(self, name: str, change: Mapping[str, Any], by: str) -> DeviceProfile:
        """Set the fields that `change` names; null, or an empty value, takes one back.

        Raises `Refusal`: `unknown_device`, `invalid_payload`; `unavailable` when it cannot be stored.
        """
        device = self._registry.get(name)
        if unknown := change.keys() - _CHANGEABLE:
            raise Refusal(
                Code.INVALID_PAYLOAD,
                f"{', '.join(sorted(map(str, unknown)))}: no such field; there are {', '.join(sorted(_CHANGEABLE))}",
            )
        fields = msgspec.to_builtins(device.profile) | dict(change)
        wanted = DeviceProfile.build(**{key: value for key, value in fields.items() if value is not None})
        _check(wanted, device)
        with self._alone(name):
            self._store.save(wanted, change, by)
        return self._describe(wanted)

    def replace(self, old: str, new: str, by: str) -> DeviceProfile:
        """Let the history of `old` go on under `new`, which also takes over its name for people, place and groups.

        The calibration belongs to the sensor that went. Raises `Refusal`: `unknown_device`; `conflict` while `old` is
        connected or both are the same.
        """
        if old == new:
            raise Refusal(Code.CONFLICT, f"{old!r} cannot replace itself")
        with self._alone(old, new):
            return self._replace(old, new, by)

    def _replace(self, old: str, new: str, by: str) -> DeviceProfile:
        source, target = self._registry.get(old), self._registry.get(new)
        _require_offline(source)
        told, known = source.profile, target.profile
        profile = msgspec.structs.replace(
            known,
            title=known.title or told.title,
            place=known.place or told.place,
            tags=tuple(sorted({*told.tags, *known.tags})),
            time_zone=known.time_zone or told.time_zone,
        )

        def work(connection: Connection) -> None:
            transfer.move(self._database.dialect, connection, old, new)
            self._store.put(connection, profile, {"replaces": old}, by)
            self._store.forget(connection, old)

        self._recorder.rearrange(work, old)
        log.info("device replaced: old=%s new=%s by=%s", old, new, by)
        self._remove(source)
        self._registry.describe(profile)
        restore(self._registry, self._history.latest_state(new))
        self._broadcast.to_pages(DEVICE_REMOVED_PUB_CLIENT, DeviceRemoved.build(device=old, into=new), old)
        return self._describe(profile)

    def delete(self, name: str, by: str) -> None:
        """Remove a device with all that it has recorded.

        Raises `Refusal`: `unknown_device`; `conflict` while it is connected: it would be back at once.
        """
        with self._alone(name):
            self._delete(name, by)

    def _delete(self, name: str, by: str) -> None:
        known = self._registry.get(name)
        _require_offline(known)
        while self._database.write(lambda connection: transfer.erase_slice(connection, name)):
            pass

        def work(connection: Connection) -> None:
            transfer.erase(connection, name)
            self._store.forget(connection, name)

        self._recorder.rearrange(work, name)
        log.warning("device deleted with its data: device=%s by=%s", name, by)
        self._remove(known)
        self._broadcast.to_pages(DEVICE_REMOVED_PUB_CLIENT, DeviceRemoved.build(device=name), name)

    @contextmanager
    def _alone(self, *names: str) -> Iterator[None]:
        """Raises `Refusal` with `conflict` while somebody changes, replaces or deletes one of `names`."""
        if busy := self._at_work.intersection(names):
            raise Refusal(Code.CONFLICT, f"{busy.pop()} is being changed just now; try again in a moment")
        self._at_work.update(names)
        try:
            yield
        finally:
            self._at_work.difference_update(names)

    def _remove(self, device: Device) -> None:
        """Forget a device. One that came back meanwhile is told to come again, as a new one."""
        self._registry.remove(device.name)
        if device.session is not None and device.hello.door is None:
            reason = ErrorBody.build(code=Code.REPLACED, message="the device was removed meanwhile; connect again")
            self._broadcast.dismiss(ERROR_PUB_PI, reason, device.session)
        self._changed(device.name)

    def _describe(self, profile: DeviceProfile) -> DeviceProfile:
        described = self._registry.describe(profile)
        self._changed(profile.device)
        self._broadcast.to_pages(DEVICE_PROFILE_PUB_CLIENT, described, profile.device)
        return described


def _require_offline(device: Device) -> None:
    if device.online:
        raise Refusal(Code.CONFLICT, f"{device.name} is connected; stop its agent or revoke its token first")


def _check(profile: DeviceProfile, device: Device) -> None:
    """What the contract cannot say. Raises `Refusal` with `invalid_payload`."""
    if profile.time_zone is not None:
        try:
            ZoneInfo(profile.time_zone)
        except (KeyError, ValueError, OSError):
            raise Refusal(
                Code.INVALID_PAYLOAD, f"time_zone: {profile.time_zone!r} is no IANA name, such as Europe/Zurich"
            ) from None
    for name, offset in profile.calibration.items():
        quantity = known_quantity(name)
        if name not in device.readings and (quantity is None or quantity.name != name):
            measured = ", ".join(sorted(device.readings)) or "nothing yet"
            raise Refusal(
                Code.INVALID_PAYLOAD, f"calibration: {device.name} measures no {name!r} (it measures {measured})"
            )
        if quantity is not None and abs(offset) > (quantity.high - quantity.low) / 2:
            raise Refusal(
                Code.INVALID_PAYLOAD,
                f"calibration: {offset:g}{quantity.unit} is more than half of what {name} can be; it is added to each "
                "value",
            )
