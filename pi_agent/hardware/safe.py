"""Every output to its safe state, without the agent: for when its process died and left pins driven."""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

from pi_agent.hardware.base import HardwareError
from pi_agent.hardware.factory import build_parts
from pi_agent.hardware.options import (
    ClimateDriver,
    ClimateOptions,
    HardwareOptions,
    HostOptions,
    InfraredDriver,
    InfraredOptions,
    LightDriver,
    LightOptions,
    Mode,
    SwitchOptions,
)
from shared.clock import Clock
from shared.contract.payloads import SafeState

if TYPE_CHECKING:
    from pi_agent.hardware.real.pins import Pins

_NO_LIGHT = LightOptions(driver=LightDriver.NONE)


def make_safe(
    options: HardwareOptions, switches: Mapping[str, SwitchOptions], clock: Clock, pins: "Pins | None" = None
) -> dict[str, str]:
    """Open each output by itself, and leave it in its safe state. Returns what could not be, with the reason.

    A light goes off; what is to be kept is not touched. `pins` that are open already are for tests.
    """
    wanted: list[tuple[str, LightOptions, dict[str, SwitchOptions]]] = []
    if options.light.driver is not LightDriver.NONE:
        wanted.append(("light", options.light, {}))
    wanted += [(name, _NO_LIGHT, {name: switch}) for name, switch in switches.items() if switch.safe != SafeState.KEEP]
    troubles = {}
    with ExitStack() as opened:
        for name, light, only in wanted:
            alone = HardwareOptions(
                mode=Mode.REAL,
                pins=options.pins,
                light=light,
                infrared=InfraredOptions(driver=InfraredDriver.NONE),
                climate=ClimateOptions(driver=ClimateDriver.NONE),
                host=HostOptions(enabled=False),
            )
            try:
                if pins is None and (only or light.driver is LightDriver.GPIOZERO):
                    from pi_agent.hardware.real.pins import open_pins

                    pins = open_pins(options.pins)
                    opened.callback(pins.close)
                # Its state of rest is where a part is opened, and where it is left.
                build_parts(alone, clock, only, pins=pins and pins.lend()).close()
            except HardwareError as error:
                troubles[name] = str(error)
    return troubles
