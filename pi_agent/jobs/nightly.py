"""When the agent trains by itself: once a night, in an hour of local time, whatever the wall clock does."""

from typing import Protocol

from pi_agent.training.options import TrainingOptions
from shared.clock import Clock, monotonic_s
from shared.contract.payloads import TrainingTrigger

PERIOD_S = 600.0
"""How often `look` is to be called."""
_APART_S = 20 * 3600.0
"""Between two nights, in time that no clock step shortens."""


class Trains(Protocol):
    """Who runs the jobs."""

    def refresh(self) -> None:
        """Serve what another process has trained, or gone back to."""

    def request_training(self, trigger: TrainingTrigger) -> str | None:
        """Have a job begin soon; its id, None while there is one already."""


class Nightly:
    """Asks for one training job per night."""

    def __init__(self, options: TrainingOptions, runner: Trains, clock: Clock) -> None:
        self._options = options
        self._runner = runner
        self._clock = clock
        self._last_s = float("-inf")

    def look(self) -> None:
        """Ask for a job when it is time; and serve what another process has trained, or gone back to, meanwhile."""
        self._runner.refresh()
        now_s = monotonic_s(self._clock)
        if (
            self._options.nightly
            and self._clock.now().astimezone().hour == self._options.hour
            and now_s - self._last_s > _APART_S
            and self._runner.request_training(TrainingTrigger.SCHEDULE) is not None
        ):
            self._last_s = now_s
