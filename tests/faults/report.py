"""What a run was, in text."""

import re
import statistics
from collections import Counter
from collections.abc import Iterable

from rich.console import Console, RenderableType
from rich.table import Table

from tests.faults.programme import Injected, Run, kills

_COMPLAINT = re.compile(r" (WARNING|ERROR|CRITICAL) |Traceback")
_NUMBERS = re.compile(r"\d[\d.:T-]*")
_TIME_CHARS, _LINE_CHARS, _MOST_LINES = 9, 110, 14


def report(run: Run, console: Console) -> None:
    """Print the report of a run."""
    console.rule(f"[bold]faults on {run.database}, seed {run.seed}, {run.ended_s - run.began_s:.0f} s")
    for part in (_faults(run), _words(run), _events(run), _zeros(run)):
        console.print(part)
    if run.wrecks:
        console.print(_wrecks(run))
    if run.passed:
        console.print("[green]passed")
    for problem in run.problems:
        console.print(f"[red]FAILED[/] {problem}", soft_wrap=True)


def _faults(run: Run) -> RenderableType:
    table = Table("fault", "done", "not possible", "recovery s, median", "max", "alone: n", "median", title="injected")
    for kind in sorted({one.fault.kind for one in run.injected}):
        these = [one for one in run.injected if one.fault.kind == kind]
        done = [one for one in these if not one.trouble]
        alone = [one for one in done if one.alone]
        table.add_row(
            kind,
            str(len(done)),
            _skipped(these),
            *_times(one.recovery_s for one in done),
            str(len(alone)),
            _times(one.recovery_s for one in alone)[0],
        )
    return table


def _skipped(these: list[Injected]) -> str:
    troubles = [one.trouble for one in these if one.trouble]
    return f"{len(troubles)}: {troubles[0]}" if troubles else ""


def _times(given: Iterable[float | None]) -> tuple[str, str]:
    times = [one for one in given if one is not None]
    return (f"{statistics.median(times):.2f}", f"{max(times):.2f}") if times else ("", "")


def _events(run: Run) -> RenderableType:
    table = Table("what", "count", title="events")
    account = run.account
    for name, count in kills(run).items():
        table.add_row(f"kills of {name}", str(count))
    for name, lives in run.lives.items():
        table.add_row(f"starts of {name}", str(len(lives)))
    if account is not None:
        table.add_row("durable on the agent", str(account.durable))
        table.add_row("acked", str(account.acked))
        table.add_row("stored", str(account.stored))
        table.add_row("resends that the relay recognised", str(account.resends))
        table.add_row("commits that a kill left unknown", str(account.unknown))
        for reason, count in account.dropped.items():
            table.add_row(f"dropped on record: {reason}", str(count))
        table.add_row("given up before they had an id, on record", str(account.unnumbered))
    largest = max((waiting for _, _, _, waiting in run.samples), default=0)
    table.add_row("largest backlog", str(largest))
    table.add_row("backlog empty after the last fault, s", "never" if run.calm_s is None else f"{run.calm_s:.1f}")
    return table


def _words(run: Run) -> RenderableType:
    """What the processes complained of: the traces that the faults must leave."""
    table = Table("who", "times", "complaint", title="said", show_lines=False)
    for name, lives in run.lives.items():
        lines = (line for life in lives for line in life.lines if _COMPLAINT.search(line))
        counts = Counter(_NUMBERS.sub("…", line[_TIME_CHARS:])[:_LINE_CHARS] for line in lines)
        for line, count in counts.most_common(_MOST_LINES):
            table.add_row(name, str(count), line)
    return table


def _zeros(run: Run) -> RenderableType:
    table = Table("must be zero", "count", title="the five zeros")
    if run.account is not None:
        for name, count in run.account.zeros.counts().items():
            table.add_row(name, f"[green]{count}" if count == 0 else f"[red]{count}")
    return table


def _wrecks(run: Run) -> RenderableType:
    table = Table("copies", "how", "lost", "named by the doctor", "rest intact", "service after s, max", "from backup")
    table.title = "damage to the relay's database"
    for how in dict.fromkeys(wreck.how for wreck in run.wrecks):
        these = [wreck for wreck in run.wrecks if wreck.how == how]
        table.add_row(
            str(len(these)),
            how,
            *(str(sum(getattr(wreck, what) for wreck in these)) for what in ("lost", "named", "kept")),
            _times(wreck.restored_s for wreck in these)[1],
            str(sum(wreck.backup for wreck in these)),
        )
    return table
