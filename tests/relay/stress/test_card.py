"""The card says what the shipped model's file says, and what the program does."""

import re

import pytest

from server.stress import readings, windows
from server.stress.predictor import HIGH_FROM, MILD_FROM, Label
from server.stress.readings import Reason
from server.stress.recordings import COLUMNS
from server.stress.trees import load
from shared.model_file import ModelTrouble
from tests.support import stress_card

CARD = stress_card.FILE.read_text(encoding="utf-8")


def test_its_figures_are_those_in_the_models_file() -> None:
    assert stress_card.text() == CARD, "run `python -m tests.support.stress_card`"


@pytest.mark.parametrize("name", [*Label, *Reason, *ModelTrouble, *COLUMNS])
def test_every_name_is_on_it(name: str) -> None:
    assert f"`{name}`" in CARD


def test_its_bounds_are_those_of_the_program() -> None:
    ranges = f"{readings.HR_BPM[0]:g}–{readings.HR_BPM[1]:g} bpm, {readings.TEMP_C[0]:g}–{readings.TEMP_C[1]:g} °C"
    assert f"{ranges}, {readings.EDA_US[0]}–{readings.EDA_US[1]:g} µS" in CARD
    assert f"{MILD_FROM} to {HIGH_FROM}" in CARD
    assert f"for more than {windows.GAP_S} s" in CARD
    assert windows.WARM_UP_S == 6 * 60
    assert windows.LOST_S == 2 * 60


def test_three_of_ten_is_what_was_measured() -> None:
    claims = load().claims
    assert claims is not None
    assert 0.25 < 1 - claims.model.accuracy < 0.35
    assert "about three of ten windows" in re.sub(r"\s+", " ", CARD)


def test_the_model_reaches_what_it_must() -> None:
    claims = load().claims
    assert claims is not None
    model = claims.model
    assert model.macro_f1 >= 0.66
    assert model.auc >= 0.75
    assert model.brier <= 0.19
    assert model.ece <= 0.04
    assert model.precision_at_high is not None
    assert model.precision_at_high >= 0.75
    assert min(model.auc_since_onset or 0, model.auc_around_onset or 0) >= 0.68
