"""What tests of insight share with those of training."""

from tests.agent.training.conftest import no_history_stays_open

__all__ = ["no_history_stays_open"]
