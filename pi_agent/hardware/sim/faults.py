"""Faults on demand: what real parts do on bad days, from the settings or from a test."""

import random
from dataclasses import dataclass

from pi_agent.hardware.base import PartFailed, TransientReadError
from pi_agent.hardware.options import FaultKind, FaultOptions, SimulatedPart
from shared.clock import Clock


@dataclass(frozen=True)
class _Fault:
    part: SimulatedPart
    kind: FaultKind
    share: float
    from_ns: int
    until_ns: float


class Faults:
    """The faults of one simulated room. `inject` and `clear` may be called at any time, from any thread."""

    def __init__(self, clock: Clock, seed: int = 1) -> None:
        self._clock = clock
        self._rng = random.Random(f"faults/{seed}")
        self._faults: tuple[_Fault, ...] = ()

    def inject(
        self,
        part: SimulatedPart,
        kind: FaultKind,
        *,
        share: float = 1.0,
        after_s: float = 0.0,
        for_s: float | None = None,
    ) -> None:
        """Give `part` a fault, beside those it has.

        It begins `after_s` from now and lasts `for_s`, or for ever. Of a transient one, `share` of the readings fail.
        """
        from_ns = self._clock.monotonic_ns() + round(after_s * 1e9)
        until_ns = float("inf") if for_s is None else from_ns + round(for_s * 1e9)
        self._faults += (_Fault(part, kind, share, from_ns, until_ns),)

    def inject_all(self, faults: tuple[FaultOptions, ...]) -> None:
        """Give the faults that the settings name, counted from now."""
        for fault in faults:
            self.inject(fault.part, fault.kind, share=fault.share, after_s=fault.after_s, for_s=fault.for_s)

    def clear(self, part: SimulatedPart | None = None) -> None:
        """Take all faults of `part` away, or of every part."""
        self._faults = tuple(fault for fault in self._faults if part is not None and fault.part is not part)

    def dead(self, part: SimulatedPart) -> bool:
        """True while `part` does not answer."""
        return self._has(part, FaultKind.DEAD)

    def frozen(self, part: SimulatedPart) -> bool:
        """True while `part` does not follow what it measures or is told."""
        return self._has(part, FaultKind.FROZEN)

    def check_alive(self, part: SimulatedPart) -> None:
        """Raise `PartFailed` while `part` does not answer."""
        if self.dead(part):
            raise PartFailed(f"{part}: does not answer (simulated fault)")

    def check_read(self, part: SimulatedPart) -> None:
        """Before a reading of `part`: raise `PartFailed` or `TransientReadError` where it has such a fault."""
        self.check_alive(part)
        for fault in self._now(part):
            if fault.kind is FaultKind.TRANSIENT and self._rng.random() < fault.share:
                raise TransientReadError(f"{part}: checksum did not validate (simulated fault)")

    def _has(self, part: SimulatedPart, kind: FaultKind) -> bool:
        return any(fault.kind is kind for fault in self._now(part))

    def _now(self, part: SimulatedPart) -> list[_Fault]:
        now_ns = self._clock.monotonic_ns()
        return [fault for fault in self._faults if fault.part is part and fault.from_ns <= now_ns < fault.until_ns]
