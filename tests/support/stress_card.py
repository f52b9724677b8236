"""The figures of docs/stress-model.md, from the model's own file: `python -m tests.support.stress_card [--check]`."""

import sys
from pathlib import Path

from server.stress.claims import Claims
from server.stress.trees import load

FILE = Path(__file__).parents[2] / "docs/stress-model.md"
BEGIN, END = "<!-- figures: python -m tests.support.stress_card -->\n", "<!-- end of figures -->"


def figures(claims: Claims) -> str:
    """Two tables: the model beside its control, and the alerts."""
    model, control = claims.model, claims.time_only
    rows = [
        ("accuracy", model.accuracy, control.accuracy),
        ("macro-F1", model.macro_f1, control.macro_f1),
        ("AUC", model.auc, control.auc),
        ("AUC, 1 to 5 min after a change", model.auc_since_onset, control.auc_since_onset),
        ("AUC, 3 min around an onset of stress", model.auc_around_onset, control.auc_around_onset),
        ("precision at p ≥ 0.7", model.precision_at_high, control.precision_at_high),
        ("Brier score", model.brier, control.brier),
        ("ECE", model.ece, control.ece),
    ]
    lines = [f"| {model.subjects} subjects, {model.windows} windows | model | time only |", "|---|---|---|"]
    lines += [f"| {name} | {_share(ours)} | {_share(theirs)} |" for name, ours, theirs in rows]
    lines.append(f"| AUC of the worst subject | {_share(claims.worst_subject_auc)} | |")
    lines += [
        "",
        "| alert from | alerts | precision | false per rest hour | episodes caught |",
        "|---|---|---|---|---|",
    ]
    for one in claims.alerts:
        right, wrong = _share(one.precision), _share(one.false_per_rest_hour)
        lines.append(f"| p ≥ {one.high_from} | {one.alerts} | {right} | {wrong} | {one.caught} of {one.episodes} |")
    return "\n" + "\n".join(lines) + "\n\n"


def text() -> str:
    """The page with the figures of the shipped model in it."""
    claims = load().claims
    if claims is None:
        raise SystemExit("the shipped model claims nothing: train it on five subjects or more")
    head, _, rest = FILE.read_text(encoding="utf-8").partition(BEGIN)
    return head + BEGIN + figures(claims) + END + rest.partition(END)[2]


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(text() != FILE.read_text(encoding="utf-8"))
    FILE.write_text(text(), encoding="utf-8")
