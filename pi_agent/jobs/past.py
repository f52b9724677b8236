"""The past of a simulated room, for trying out what takes weeks to learn. A real Pi has none but its own."""

from datetime import timedelta
from typing import Final

from pi_agent.hardware.options import SimulationOptions
from pi_agent.hardware.sim.room import Room
from pi_agent.training.climate import SLOTS_PER_DAY, STEP_S, Series, slot_begin, slot_of
from shared.clock import Clock

_LOOKS: Final = 3
"""Readings that the mean of a slot is made of."""


def simulated_past(options: SimulationOptions, clock: Clock) -> Series | None:
    """What the simulated room was like in the `past_days` before now: the same that its sensor would have read.

    None where it is to have no past.
    """
    if not options.past_days:
        return None
    now = slot_of(clock.now())
    room = Room(options.seed)
    first = now - round(options.past_days * SLOTS_PER_DAY)
    means = [_mean(room, slot) for slot in range(first, now)]
    return Series(first, [mean[0] for mean in means], [mean[1] for mean in means])


def _mean(room: Room, slot: int) -> tuple[float, float]:
    offsets = (timedelta(seconds=STEP_S * (look + 0.5) / _LOOKS) for look in range(_LOOKS))
    seen = [room.climate(slot_begin(slot) + offset) for offset in offsets]
    return sum(one[0] for one in seen) / _LOOKS, sum(one[1] for one in seen) / _LOOKS
