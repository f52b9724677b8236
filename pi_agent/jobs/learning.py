"""What the agent learns and notices, in one place: its memory of the room, its models, and what it adds to a round."""

import logging
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from pi_agent.insight.watch import Watch
from pi_agent.jobs.nightly import PERIOD_S, Nightly
from pi_agent.jobs.sampling import Keeps
from pi_agent.jobs.schedule import Schedule
from pi_agent.training.climate import STEP_S, Series
from pi_agent.training.history import History
from pi_agent.training.options import TrainingOptions, history_path, models_path
from pi_agent.training.runner import TrainingRunner
from pi_agent.training.store import ModelStore
from shared.clock import Clock
from shared.contract.events import MODEL_TRAIN_PUB_PI, SENSOR_DATA_PUB_PI
from shared.contract.payloads import TrainingTrigger
from shared.contract.spec import EventSpec

log = logging.getLogger(__name__)

_MOST_INTERVAL_S: Final = STEP_S / 2
"""Rounds that are further apart leave slots empty that are no silence."""


class Learning:
    """Stands between sampling and outbox: rounds go through it, and carry what it makes of them."""

    def __init__(
        self,
        outbox_file: Path,
        options: TrainingOptions,
        interval_s: float,
        outbox: Keeps,
        clock: Clock,
        past: Series | None = None,
    ) -> None:
        """History and models lie beside `outbox_file`. Raises `OSError` where they cannot be opened.

        `past` is what a simulated room is to be remembered of; where there is no model yet, one is trained on it.
        """
        self._outbox = outbox
        self._clock = clock
        self._history = History(history_path(outbox_file))
        if past is not None:
            log.warning("history filled with a past that is simulated: slots=%d", len(past))
            self._history.fill(past)
        self._watch = Watch(self._history, rules=interval_s <= _MOST_INTERVAL_S)
        store = ModelStore(models_path(outbox_file))
        self.runner = TrainingRunner(self._history.recent, store, clock, self._news, self._watch.serve)
        self._nightly = Nightly(options, self.runner, clock)
        self.runner.refresh()
        if past is not None and store.serving() is None:
            self.runner.request_training(TrainingTrigger.SCHEDULE)

    def append(self, spec: EventSpec, fields: Mapping[str, Any], monotonic_ns: int | None = None) -> None:
        """Keep an event; a round carries its `insight`."""
        if spec is SENSOR_DATA_PUB_PI:
            now_ns = self._clock.monotonic_ns()
            then_ns = now_ns if monotonic_ns is None else monotonic_ns
            moment = self._clock.now() - timedelta(microseconds=(now_ns - then_ns) // 1000)
            if insight := self._watch.observe(fields["data"], moment, then_ns / 1e9):
                fields = {**fields, "insight": insight}
        self._outbox.append(spec, fields, monotonic_ns)

    def plan(self, schedule: Schedule) -> None:
        """Have `schedule` look now and then whether it is time to train."""
        schedule.every(PERIOD_S, "nightly", self._nightly.look)

    def train(self, command: str | None) -> bool:
        """Have a training job begin for `command`; false while one runs, or the agent ends. Never blocks."""
        return self.runner.request_training(TrainingTrigger.COMMAND, command) is not None

    def moved(self) -> None:
        """A movement began."""
        self._watch.moved()

    def close(self) -> None:
        """Close the history, once nobody samples or trains any more."""
        self._history.close()

    def _news(self, fields: Mapping[str, Any]) -> None:
        self._outbox.append(MODEL_TRAIN_PUB_PI, fields)
