"""`make faults`: the long form of the programme, with a report in text and a picture."""

import argparse
import random
import shutil
import signal
import sys
import time
from pathlib import Path

from rich.console import Console

import tests.faults
from tests.faults import card
from tests.faults.picture import picture
from tests.faults.plan import long_form, short_form
from tests.faults.postgres import NoPostgres
from tests.faults.programme import Programme
from tests.faults.report import report
from tests.faults.world import world


def main() -> int:
    """Run the programme; the exit code is 1 where it failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=tests.faults.__doc__)
    parser.add_argument("--kills", type=int, default=50, help="kills of each process (default 50)")
    parser.add_argument("--seconds", type=float, default=1500, help="longest time for the injecting (default 1500)")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--seed", type=int, help="repeat the plan of an earlier run")
    parser.add_argument("--short", action="store_true", help="each fault once, without those that wait for timeouts")
    parser.add_argument("--out", type=Path, default=Path(".state/faults"), help="where report and journal go")
    parser.add_argument("--card", type=int, metavar="CUTS", help="instead: so many power cuts on a memory card")
    arguments = parser.parse_args()
    if arguments.card:
        return card.main(["--cuts", str(arguments.card)])
    # As on Ctrl-C: whatever was started is ended, whatever was mounted is unmounted.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    console = Console()
    seed = random.SystemRandom().randrange(10**6) if arguments.seed is None else arguments.seed
    out = arguments.out / f"{arguments.database}-{seed}"
    form = short_form if arguments.short else long_form
    shutil.rmtree(out, ignore_errors=True)
    stages = form(seed, arguments.kills, arguments.database)
    console.print(f"database {arguments.database}, seed {seed}, report in {out}")
    began_s = time.monotonic()

    def tell(text: str) -> None:
        console.print(f"[dim]{time.monotonic() - began_s:6.1f} s[/]  {text}", highlight=False)

    try:
        with world(out, arguments.database, seed) as made:
            wrecks = 1 if arguments.short else max(1, arguments.kills // 12)
            run = Programme(made, stages, arguments.seconds, wrecks=wrecks, tell=tell).run()
    except NoPostgres as error:
        console.print(f"[yellow]skipped[/] {error}")
        return 0
    for name, lives in run.lives.items():
        text = "".join(f"{line}\n" for life in lives for line in [*life.lines, f"--- ended: {life.code} ---"])
        (out / f"{name}.log").write_text(text, encoding="utf-8")
    report(run, console)
    with (out / "report.txt").open("w", encoding="utf-8") as file:
        report(run, Console(file=file, width=140))
    (out / "report.svg").write_text(picture(run), encoding="utf-8")
    if run.passed:
        shutil.rmtree(out / "state")
    return 0 if run.passed else 1


if __name__ == "__main__":
    sys.exit(main())
