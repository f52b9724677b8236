"""A simulated output, with faults: a pin that does not follow reads back what it is."""

from pi_agent.hardware.base import PartFailed
from pi_agent.hardware.options import SimulatedPart
from pi_agent.hardware.sim.faults import Faults
from shared.contract.payloads import SafeState


class SimulatedSwitch:
    """A relay, a fan, a buzzer. `runs` is what somebody in the room would see or hear, also after `close`."""

    def __init__(self, name: str, pin: int | None, rest: SafeState, faults: Faults) -> None:
        self.name = name
        self.pin = pin
        self.runs = rest is SafeState.ON
        self._rest = rest
        self._faults = faults
        self._open = True

    def set(self, on: bool) -> None:
        self._check_open()
        self._faults.check_alive(SimulatedPart.SWITCH)
        if not self._faults.frozen(SimulatedPart.SWITCH):
            self.runs = on

    def is_on(self) -> bool:
        self._check_open()
        self._faults.check_read(SimulatedPart.SWITCH)
        return self.runs

    def close(self) -> None:
        if self._open:
            self._open = False
            if self._rest is not SafeState.KEEP:
                self.runs = self._rest is SafeState.ON

    def _check_open(self) -> None:
        if not self._open:
            raise PartFailed(f"{self.name}: closed")
