"""What may differ between two Pis in training, and where history and models are."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from pi_agent.hardware.options import Mode


class TrainingOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The forecaster that the agent trains by itself."""

    nightly: Annotated[bool, Meta(description="train every night; commands train in any case")] = True
    hour: Annotated[int, Meta(ge=0, le=23, description="the hour of the day, local time, in which it trains")] = 3


def beside(outbox: Path, mode: Mode) -> Path:
    """The outbox whose neighbours history and models are: what a simulated room taught never serves a real one."""
    return outbox if mode is Mode.REAL else outbox.parent / "simulated" / outbox.name


def history_path(outbox: Path) -> Path:
    """The history's file, beside the outbox."""
    return outbox.with_name("history.db")


def models_path(outbox: Path) -> Path:
    """The directory of the models, beside the outbox."""
    return outbox.with_name("models")
