"""When jobs run: in monotonic time, whatever the wall clock does.

A Pi without a clock of its own learns the date from the network, fifty years late; a plan in wall time would have to be
made anew then, and at every other step. Each job has a thread: one that hangs on a part keeps no other from running.
"""

import logging
import math
import threading
from collections.abc import Callable

from pi_agent.workers import Worker
from shared.clock import Clock, monotonic_s

log = logging.getLogger(__name__)

_STUCK_PERIODS = 3
_STUCK_S = 60.0


class Job:
    """One job, and how it is doing. It is due at once, and then on a fixed grid; runs that were missed are left out."""

    def __init__(self, name: str, work: Callable[[], None], period_s: float, clock: Clock) -> None:
        self.name = name
        self._work = work
        self._period_s = period_s
        self._clock = clock
        self._due_s = self._done_s = monotonic_s(clock)
        self._error: Exception | None = None

    def turn(self) -> float:
        """Run, if it is time. Returns how long until it is due again, in seconds."""
        if monotonic_s(self._clock) >= self._due_s:
            self._run()
            periods = (monotonic_s(self._clock) - self._due_s) / self._period_s
            self._due_s += (math.floor(periods) + 1) * self._period_s
        return max(0.0, self._due_s - monotonic_s(self._clock))

    def trouble(self) -> str | None:
        """Why it cannot be relied on any more; None while it works."""
        if self._error is not None:
            return f"job {self.name} failed: {self._error}"
        late_s = monotonic_s(self._clock) - self._done_s
        if late_s > self._period_s * _STUCK_PERIODS + _STUCK_S:
            return f"job {self.name} has not ended for {late_s:.0f} s"
        return None

    def excuse(self) -> None:
        """Count anew how long it takes."""
        self._done_s = monotonic_s(self._clock)

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:
            # Its thread goes on to where it is watched; whoever watches the schedule ends the process.
            log.exception("job failed: name=%s", self.name)
            self._error = error
        finally:
            self._done_s = monotonic_s(self._clock)


class Schedule:
    """Runs jobs at fixed periods."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._stopping = threading.Event()
        self.jobs: list[Job] = []

    def every(self, period_s: float, name: str, work: Callable[[], None]) -> None:
        """Run `work` at once and then every `period_s`. A run that is not over is not started a second time."""
        self.jobs.append(Job(name, work, period_s, self._clock))

    def workers(self) -> list[Worker]:
        """A thread for each job, for the caller to start, watch and join. They end after `stop`."""
        # No limit to their silence: how long a job may take depends on its period, see `trouble`.
        return [Worker(f"job-{job.name}", lambda _, job=job: self.run(job), self._clock, math.inf) for job in self.jobs]

    def trouble(self) -> str | None:
        """Why the schedule cannot be relied on any more; None while it works."""
        return next((trouble for job in self.jobs if (trouble := job.trouble())), None)

    def excuse(self) -> None:
        """The whole process was stopped for a while: begin to count again."""
        for job in self.jobs:
            job.excuse()

    def stop(self) -> None:
        """Start no more runs. One that hangs is left behind."""
        self._stopping.set()

    def run(self, job: Job) -> None:
        """Run one job until `stop`. For a thread of its own."""
        while not self._stopping.is_set():
            self._stopping.wait(job.turn())
