"""`pi-agent train` and `pi-agent model`: what a person at the Pi may do with the forecaster."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from pi_agent.training.climate import slot_begin
from pi_agent.training.history import History
from pi_agent.training.options import history_path, models_path
from pi_agent.training.runner import TrainingRunner
from pi_agent.training.store import ModelStore, Version
from shared.clock import Clock
from shared.contract.payloads import TrainingPhase, TrainingTrigger

EXIT_OK, EXIT_FAILED = 0, 1
_BAR = 30
_UNIT = {"temperature": "°C", "humidity": "%RH"}


def train(outbox: Path, clock: Clock, arguments: argparse.Namespace) -> int:
    """Train once on the history beside `outbox`, show its progress, and what the new model is worth.

    Returns 0 when a new model serves, 1 when there is none. Raises `OSError` where the history cannot be opened.
    """
    history = History(history_path(outbox))
    told: list[Mapping[str, Any]] = []

    def news(fields: Mapping[str, Any]) -> None:
        told.append(fields)
        if not arguments.json:
            _progress(fields)

    runner = TrainingRunner(history.recent, ModelStore(models_path(outbox)), clock, news, lambda _version, _model: None)
    try:
        outcome = runner.train("command", TrainingTrigger.COMMAND)
    finally:
        history.close()
    result = told[-1]
    if arguments.json:
        _print(msgspec.json.encode(result).decode())
    elif outcome.phase is TrainingPhase.FINISHED:
        _print(f"version {result['model_version']}: {result['samples']} samples, {result['days']:.1f} days")
        _print(f"in {result['duration_s']:.1f} s and {(result.get('peak_rss_bytes') or 0) / 2**20:.0f} MiB")
        _table(
            [("forecast", "error", "persistence", "ratio", "gate")]
            + [
                (
                    f"{one['quantity']} {one['minutes']} min",
                    f"{one['mae']:.3f} {_UNIT[one['quantity']]}",
                    f"{one['mae_persistence']:.3f} {_UNIT[one['quantity']]}",
                    f"{one['mae'] / one['mae_persistence']:.2f}" if one["mae_persistence"] else "-",
                    f"{one['gate']:g}",
                )
                for one in result["horizons"]
            ]
        )
    else:
        sys.stderr.write(f"pi-agent: training {outcome.phase}: {outcome.reason}: {outcome.message}\n")
    return EXIT_OK if outcome.phase is TrainingPhase.FINISHED else EXIT_FAILED


def model(outbox: Path, arguments: argparse.Namespace) -> int:
    """List the models beside `outbox`, or go back to the one before the serving one. Returns the exit code."""
    store = ModelStore(models_path(outbox))
    if arguments.what == "rollback":
        version = store.rollback()
        if version is None:
            sys.stderr.write("pi-agent: there is no older model that could serve\n")
            return EXIT_FAILED
        _print(f"version {version.number} serves; a running agent takes it over within ten minutes")
        return EXIT_OK
    serving = store.serving()
    versions = store.versions()
    if arguments.json:
        _print(msgspec.json.encode([_shown(version, serving) for version in versions]).decode())
    elif versions:
        rows = [_shown(version, serving) for version in versions]
        _table(
            [
                ("version", "trained up to", "days", "serves", "trouble"),
                *([str(value) for value in row.values()] for row in rows),
            ]
        )
    else:
        _print("no model yet: pi-agent train, or wait for the night")
    return EXIT_OK


def _shown(version: Version, serving: Version | None) -> dict[str, Any]:
    found = version.model
    return {
        "version": version.number,
        "trained_up_to": f"{slot_begin(found.slot):%Y-%m-%d %H:%MZ}" if found else "-",
        "days": found.days if found else "-",
        "serves": "yes" if serving is not None and serving.number == version.number else "no",
        "trouble": version.trouble or "",
    }


def _progress(fields: Mapping[str, Any]) -> None:
    """One line that is written over, on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        return
    share = fields.get("progress")
    bar = "" if share is None else f"training [{'#' * round(share * _BAR):{_BAR}}] {share:4.0%}"
    sys.stderr.write(f"\r\x1b[K{bar}")
    sys.stderr.flush()


def _table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        _print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
