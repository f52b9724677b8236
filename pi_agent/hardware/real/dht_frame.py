"""What both drivers of a DHT make of its values."""

from collections.abc import Mapping

from pi_agent.hardware.base import TransientReadError
from shared.contract.quantities import problem

DHT_INTERVAL_S = 2.1
"""The sensor measures every 2 s, and both drivers answer from memory until then."""


def checked(name: str, values: Mapping[str, float]) -> Mapping[str, float]:
    """`values`, if the sensor `name` can have measured them. Raises `TransientReadError`."""
    if not any(values.values()):
        # A line held low reads as zeros, and the sum of zeros is right.
        raise TransientReadError(f"{name}: a frame of zeros")
    for quantity, value in values.items():
        if why := problem(quantity, value):
            raise TransientReadError(f"{name}: {why}")
    return values
