"""Connections of devices begin and end; the registry, the commands and the availability learn it at once."""

import logging

import msgspec

from server.fanout.broadcast import Broadcast
from server.services.availability import Availability
from server.services.commands import Commands
from server.services.relay_time import RelayTime
from server.services.restore import ENDED
from server.state.devices import Device, Registry
from server.storage.recorder import Recorder
from shared.clock import Clock
from shared.contract.events import ERROR_PUB_PI
from shared.contract.payloads import Absence, Ack, ErrorBody, Heartbeat, PiHello
from shared.errors import MEANING, Code

log = logging.getLogger(__name__)


class Presence:
    """Keeps the registry's link state true."""

    def __init__(
        self,
        registry: Registry,
        broadcast: Broadcast,
        commands: Commands,
        recorder: Recorder,
        clock: Clock,
        time: RelayTime,
        availability: Availability,
    ) -> None:
        self._availability = availability
        self._time = time
        self._recorder = recorder
        self._registry = registry
        self._broadcast = broadcast
        self._commands = commands
        self._clock = clock

    def connected(self, name: str, session: str, hello: PiHello) -> None:
        """A device connected. An older connection of it is told why, and ended."""
        was_online = self._registry.knows(name) and self._registry.get(name).online
        device, older = self._registry.connected(name, session, hello, self._clock.now())
        if older is not None:
            log.warning("device connected twice, the newest wins: device=%s", name)
            # What was sent to the older connection is answered by nobody.
            self._commands.disconnected(name)
            reason = ErrorBody.build(code=Code.REPLACED, message=MEANING[Code.REPLACED])
            self._broadcast.dismiss(ERROR_PUB_PI, reason, older)
        else:
            log.info("device online: device=%s version=%s", name, hello.version or "original")
        self._introduce(device)
        self._availability.heard(device)
        if not was_online:
            self._availability.changed(device)
        self._commands.connected(device)

    def disconnected(self, name: str, session: str) -> None:
        """A connection of a device ended; it is offline unless a newer one has taken over."""
        was_online = self._registry.knows(name) and self._registry.get(name).online
        device = self._registry.disconnected(name, session, self._clock.now())
        if device is None:
            return
        log.warning("device offline: device=%s", name)
        self._commands.disconnected(name)
        if was_online:
            device.reason = Absence.ENDED if device.ended else Absence.CONNECTION_LOST
            self._availability.changed(device)

    def heard(self, name: str) -> None:
        """Something came from a device: it is alive."""
        device = self._registry.get(name)
        if self._availability.heard(device):
            # It is the program that was there before; what waits for it may go.
            device.died = False
            self._commands.connected(device)

    def spoke(self, name: str, door: str) -> Device:
        """Something came from a device behind another door, which has no connection of its own: it is there.

        Raises `Refusal`: `conflict` where the name is another one's, `retired`.
        """
        now = self._clock.now()
        device, new = self._registry.admit(name, door, now)
        if new:
            self._introduce(device)
        was_online, device.session = device.online, door
        if not self._availability.heard(device) and not was_online:
            log.info("device online: device=%s door=%s", name, door)
            device.reason, device.since = None, now
            self._availability.changed(device)
        return device

    def heartbeat(self, name: str, body: Heartbeat) -> Ack:
        """A device is alive. The answer carries the relay's time."""
        device = self._registry.get(name)
        device.heartbeat = body
        if body.ending:
            device.ended = True
            self._introduce(device)
        return Ack(ok=True, code=Code.ACCEPTED, relay_ms=self._time.ms())

    def _introduce(self, device: Device) -> None:
        """Keep what it says of itself: the relay may be restarted before it is back."""
        said = msgspec.to_builtins(msgspec.structs.replace(device.hello, token=None))
        self._recorder.introduce(device.name, said | ({ENDED: True} if device.ended else {}))
