"""`pi-relay stress`: train the stress model on labelled recordings, and judge one."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.table import Table

from server.cli.options import EXIT_FAILED, EXIT_USAGE, AsJson, fail, out
from server.cli.progress import bars
from server.stress import trees
from server.stress.recordings import TrainingRefused, TrainingTrouble, examples, read_csv
from shared.model_file import ModelRefused

# What needs scikit-learn is imported by the command that needs it: the relay runs without.
if TYPE_CHECKING:
    from server.stress.evaluate import Evaluation, Judgement

app = typer.Typer(no_args_is_help=True, help="Train the stress model on labelled recordings, and judge one.")

_Csv = Annotated[
    Path,
    typer.Option(
        metavar="FILE", help="Columns subject, t (s), hr (bpm), temp (°C), eda (µS), label (0 or 1); .gz too."
    ),
]


@app.command("train")
def train(
    csv: _Csv,
    to: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the model goes; a good one or none at all.")],
    as_json: AsJson = False,
) -> None:
    """Train a model, say what it is worth on people it has not seen, and write it.

    The same recordings give the same file. With fewer than five subjects a model is made, but nothing is claimed.

    Example: pi-relay stress train --csv recordings.csv.gz --out model.json
    """
    _needs_scikit_learn()
    from server.stress import evaluate as judging
    from server.stress.train import export, fit, table

    if not to.parent.is_dir() or to.is_dir():
        fail(f"--out {to}: name a file in a directory that is there", EXIT_USAGE)
    judged: Evaluation | None = None
    no_claim = ""
    with _errors(), bars() as progress:
        recordings = read_csv(csv, progress)
        try:
            judged = judging.evaluate(recordings, progress)
        except TrainingRefused as refused:
            if refused.trouble is not TrainingTrouble.TOO_FEW_SUBJECTS:
                raise
            no_claim = str(refused)
        data = table(examples(recordings, progress)[0])
        model = export(fit(data), data, recordings, judged.claims() if judged else None)
        size = trees.save(model, to)
    if as_json:
        told = {"path": str(to), "version": model.version(), "bytes": size, "evaluation": judged, "no_claim": no_claim}
        typer.echo(msgspec.json.encode(told).decode())
        return
    if judged:
        _print_evaluation(judged)
    else:
        out.print(f"[yellow]no claims:[/] {no_claim}", highlight=False)
    out.print(f"[green]✓[/] {to}: version {model.version()}, {size / 1000:.1f} kB", highlight=False)


@app.command("evaluate")
def evaluate(
    csv: _Csv,
    model: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Judge this model as it is, or `shipped`; else leave one subject out."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Leave each subject out and judge what the others train; or judge a model on people it was not trained on.

    Beside it stand controls: what elapsed time alone would reach, and windows of equal distance to a change.
    Refused on fewer than five subjects.

    Example: pi-relay stress evaluate --csv recordings.csv.gz
    """
    _needs_scikit_learn()
    from server.stress import evaluate as judging

    with _errors(), bars() as progress:
        recordings = read_csv(csv, progress)
        if model is not None:
            known = trees.load(trees.SHIPPED if model == "shipped" else Path(model))
            found: Evaluation | Judgement = judging.judge_model(known, recordings, progress)
        else:
            found = judging.evaluate(recordings, progress)
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
    elif isinstance(found, judging.Evaluation):
        _print_evaluation(found)
    else:
        _print_judgements({"model": found})


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except (TrainingRefused, ModelRefused) as refused:
        fail(str(refused), EXIT_FAILED)
    except OSError as error:
        fail(f"the model could not be written: {error.strerror or error}", EXIT_FAILED)


def _needs_scikit_learn() -> None:
    if find_spec("sklearn") is None:
        fail("scikit-learn is not installed; the relay serves without it, training needs breathlight[ml]", EXIT_USAGE)


def _print_evaluation(found: "Evaluation") -> None:
    _print_judgements({"model": found.model, "time only": found.time_only})
    out.print(
        "Time only knows the order of the tasks, not stress: what it reaches is no feat, and no feature may tell the "
        "time.",
        style="dim",
    )
    alerts = Table("alert from", "alerts", "precision", "false per rest hour", "episodes caught")
    for one in found.alerts:
        right, wrong = _share(one.precision), _share(one.false_per_rest_hour)
        alerts.add_row(f"p ≥ {one.high_from}", str(one.alerts), right, wrong, f"{one.caught} of {one.episodes}")
    out.print(alerts)
    unknown = sum(found.unknown.values())
    reasons = ", ".join(f"{reason} {count}" for reason, count in found.unknown.items())
    out.print(f"{len(found.subjects)} subjects; {unknown} windows unknown ({reasons or 'none'})", highlight=False)
    worst = sorted((auc, name) for name, auc in found.auc_by_subject.items() if auc is not None)[:3]
    out.print("AUC of the three worst subjects: " + ", ".join(f"{auc:.2f}" for auc, _ in worst), highlight=False)


def _print_judgements(found: "dict[str, Judgement]") -> None:
    rows = {
        "subjects": [str(one.scores.subjects) for one in found.values()],
        "windows": [str(one.scores.windows) for one in found.values()],
        "accuracy": [_share(one.scores.accuracy) for one in found.values()],
        "macro-F1": [_share(one.scores.macro_f1) for one in found.values()],
        "AUC": [_share(one.scores.auc) for one in found.values()],
        "AUC, 1 to 5 min after a change": [_share(one.scores.auc_since_onset) for one in found.values()],
        "AUC, 3 min around an onset of stress": [_share(one.scores.auc_around_onset) for one in found.values()],
        "precision at p ≥ 0.7": [_share(one.scores.precision_at_high) for one in found.values()],
        "Brier": [_share(one.scores.brier) for one in found.values()],
        "ECE": [_share(one.scores.ece) for one in found.values()],
    }
    table = Table("on people not seen", *found)
    for name, values in rows.items():
        table.add_row(name, *values)
    out.print(table)
    calibration = Table("windows", "said", "was", title="calibration of the model")
    for one in found["model"].calibration:
        calibration.add_row(str(one.windows), f"{one.said:.0%}", f"{one.was:.0%}")
    out.print(calibration)


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
