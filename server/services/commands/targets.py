"""Whom a request names, and why a device cannot be given a command now."""

from server.state.devices import Device, Registry
from shared.contract.payloads import Action, CommandRequest
from shared.errors import Code, Refusal

MOST_OPEN = 200
"""Commands that may wait for one device; what it does not answer must not pile up."""
_MORE_OFF = 50
"""Beyond that what turns something off still gets through: a flood of others must not keep it on."""


def targets(registry: Registry, request: CommandRequest) -> list[Device]:
    """The devices of `request`. Raises `Refusal` where it names nobody, or something that its one device has not."""
    if request.device is not None:
        device = registry.get(request.device)
        if request.accessory is not None:
            device.info(request.accessory)
        if device.profile.retired and request.action is Action.ON:
            raise Refusal(Code.RETIRED)
        if not device.infos:
            raise Refusal(Code.UNKNOWN_ACCESSORY, f"{device.name} has nothing that could be switched")
        return [device]
    if request.tag is not None:
        devices = [device for device in registry.group(request.tag) if device.infos]
        if not devices:
            raise Refusal(Code.UNKNOWN_GROUP, f"no device in group {request.tag!r} has anything to switch")
        return devices
    devices = [device for device in registry if device.infos and not device.profile.retired]
    if not devices:
        raise Refusal(Code.UNKNOWN_DEVICE, "no device with anything to switch has been seen yet")
    return devices


def require_ready(device: Device, request: CommandRequest) -> None:
    """Raise `Refusal` where `device` cannot be given `request`, now or (where it may be queued) later."""
    if request.accessory is not None:
        device.info(request.accessory)
    turns_off = request.action in (Action.OFF, Action.CLEAN)
    if len(device.commands) >= MOST_OPEN + (_MORE_OFF if turns_off else 0):
        raise Refusal(Code.QUEUE_FULL)
    if not device.online and not request.queue:
        raise Refusal(Code.DEVICE_OFFLINE, "the device is not connected" + ("; it may be queued" if turns_off else ""))
