"""Fan-out: CPU per delivered event, beside send(), mosquitto, Node socket.io, µWebSockets and Flask-SocketIO.

Server and load generator are pinned to a core each, and all play in alternating rounds. Ratios within one run are what
counts. Writes a picture.
"""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from tests.bench.fanout.contestants import Contestant, compiled, contestants
from tests.bench.fanout.heats import HEATS, Heat, Round, alternate
from tests.bench.fanout.measures import COLUMNS, MEASURES, by_label, cells
from tests.bench.fanout.picture import Bar, picture
from tests.bench.fanout.rounds import Load, Outcome, play

ROUNDS, MOST_S = 3, 2.5
QUICK_ROUNDS, QUICK_S = 1, 1.0
MUCH_WAITED = 0.05
PICTURE = Path(".state/bench/fanout.svg")

Results = Mapping[Heat, Sequence[Round]]


def run(console: Console) -> None:
    """Play all rounds, in some seven minutes; print a table per load, one of what was reached, and draw a picture."""
    _measure(console, ROUNDS, MOST_S)


def quick(console: Console) -> None:
    """The same in two minutes: one short round. Says whether all works, and little about how well."""
    _measure(console, QUICK_ROUNDS, QUICK_S)


def _measure(console: Console, rounds: int, most_s: float) -> None:
    if compiled("crowd") is None:
        console.print("the load generator needs a C compiler (cc); nothing was measured")
        return
    here, absent = contestants()
    for reason in absent:
        console.print(f"not measured: {reason}")
    results = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    plays = rounds * sum(name in here for heat in HEATS for name, _ in heat.entries.values())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=plays)

        def played(contestant: Contestant, load: Load) -> Outcome:
            progress.update(task, description=f"{load.name}: {contestant.name}")
            try:
                return play(contestant, load)
            finally:
                progress.advance(task)

        for heat in HEATS:
            results[heat] = alternate(heat, here, rounds, most_s, console.print, played)
            console.print(_table(heat, results[heat]))
    console.print(_reached(results))
    waits = [one.waited for rounds in results.values() for played in rounds for one in played.values()]
    if waits and (waited := statistics.median(waits)) > MUCH_WAITED:
        console.print(
            f"servers waited {waited:.0%} of the time for a core that other programs used: trust little of it"
        )
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_text(picture(_bars(results)), encoding="utf-8")
    console.print(f"picture: {PICTURE}")


def _table(heat: Heat, rounds: Sequence[Round]) -> Table:
    rows = {label: cells(outcomes) for label, outcomes in by_label(rounds).items()}
    shown = [number for number in range(len(COLUMNS)) if any(row[number] for row in rows.values())]
    table = Table(Column("server", no_wrap=True), *(COLUMNS[number][0] for number in shown), title=heat.title)
    for label, row in rows.items():
        table.add_row(label, *(row[number] for number in shown))
    return table


def _reached(results: Results) -> Table:
    table = Table(
        "measure", "measured", "rounds", "must", "aim", "reached", title="Medians over the rounds of this run"
    )
    for measure in MEASURES:
        table.add_row(*measure.row(results[measure.heat]))
    return table


def _bars(results: Results) -> dict[str, list[Bar]]:
    return {
        heat.title: [
            Bar(
                label,
                statistics.median(one.cpu_us for one in outcomes),
                statistics.median(one.p99_ms for one in outcomes),
                statistics.median(one.kb_per_client for one in outcomes),
            )
            for label, outcomes in by_label(rounds).items()
        ]
        for heat, rounds in results.items()
    }
