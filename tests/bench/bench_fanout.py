"""Fan-out: CPU per delivered event, beside send(), mosquitto, Node socket.io and Flask-SocketIO, in alternating rounds.

Server and load generator are pinned to a core each. Ratios within one run are what counts. Writes a picture.
"""

import statistics
from collections import defaultdict
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from tests.bench.fanout.contestants import Contestant, cache, compiled, contestants
from tests.bench.fanout.picture import Bar, picture
from tests.bench.fanout.rounds import Load, Outcome, play

ROUNDS = 2
FLOOR, OURS = "send() floor", "ours"
STEADY = Load("1,000 subscribers × 20 events/s", 1000, 20)
BURSTS = Load("1,000 subscribers, 10 bursts/s of 5 events", 1000, 10, burst=5)
WIRE = Load("100 subscribers × 100 events/s over the wire, with acks", 100, 100, wire=True)
FEW, MANY = Load("500 subscribers × 10 events/s", 500, 10), Load("5,000 subscribers × 4 events/s", 5000, 4)

Played = dict[str, list[Outcome]]


def run(console: Console) -> None:
    """Play all rounds; print a table each, the ratios, and where the picture is."""
    if compiled("crowd") is None:
        console.print("the load generator needs a C compiler (cc); nothing was measured")
        return
    here, absent = contestants()
    for reason in absent:
        console.print(f"not measured: {reason}")
    ours = [one for one in here if one.name == OURS]
    results = {
        load: _alternate(console, load, who)
        for load, who in (
            (STEADY, here),
            (BURSTS, [one for one in here if "stock" not in one.name and "Flask" not in one.name]),
            (WIRE, [one for one in here if one.name != FLOOR and "stock" not in one.name]),
            (FEW, ours),
            (MANY, ours),
        )
    }
    for load, played in results.items():
        console.print(_table(load, played))
    console.print(_ratios(results))
    file = cache() / "fanout.svg"
    bars = {
        load.name: [Bar(name, _median(outcomes, lambda one: one.cpu_us)) for name, outcomes in played.items()]
        for load, played in results.items()
        if len(played) > 1
    }
    file.write_text(picture(bars), encoding="utf-8")
    console.print(f"picture: {file}")


def _alternate(console: Console, load: Load, who: list[Contestant]) -> Played:
    played: Played = defaultdict(list)
    for _ in range(ROUNDS):
        for contestant in who:
            try:
                played[contestant.name].append(play(contestant, load))
            except (RuntimeError, OSError) as error:
                console.print(f"{load.name}: {contestant.name}: {error}")
    return dict(played)


def _median(outcomes: list[Outcome], of: Callable[[Outcome], float]) -> float:
    return statistics.median(map(of, outcomes))


def _table(load: Load, played: Played) -> Table:
    table = Table("server", "µs/delivery", "came %", "p50 ms", "p99 ms", "ack p99 ms", "KB/client", "wrong", "crowd µs")
    table.title = load.name
    for name, outcomes in played.items():
        table.add_row(
            name,
            f"{_median(outcomes, lambda one: one.cpu_us):.2f}",
            f"{_median(outcomes, lambda one: one.share * 100):.0f}",
            f"{_median(outcomes, lambda one: one.p50_ms):.1f}",
            f"{_median(outcomes, lambda one: one.p99_ms):.1f}",
            f"{_median(outcomes, lambda one: one.ack_p99_ms):.1f}" if load.wire else "",
            f"{_median(outcomes, lambda one: one.kb_per_client):.1f}",
            str(sum(one.wrong for one in outcomes)),
            f"{_median(outcomes, lambda one: one.crowd_us):.1f}",
        )
    return table


def _ratios(results: dict[Load, Played]) -> Table:
    table = Table("measure", "must reach", "aim", "measured", title="Ratios: medians of rounds of the same run")
    for load, peer, must, aim in (
        (STEADY, FLOOR, 1.4, 1.2),
        (STEADY, "Node socket.io", 0.6, 0.45),
        (STEADY, "mosquitto", 0.8, 0.6),
        (STEADY, "Flask-SocketIO", 0.2, 0.15),
        (BURSTS, FLOOR, 0.6, 0.4),
        (WIRE, "mosquitto", 1.2, 1.0),
    ):
        ratio = _ratio(results[load].get(OURS), results[load].get(peer))
        table.add_row(f"{load.name}: CPU ÷ {peer}", f"≤ {must}", f"≤ {aim}", ratio)
    table.add_row(
        "cost per delivery: 5,000 subscribers ÷ 500",
        "≤ 1.3",
        "≤ 1.1",
        _ratio(results[MANY].get(OURS), results[FEW].get(OURS)),
    )
    kb = [one.kb_per_client for one in results[STEADY].get(OURS, [])]
    table.add_row("RSS per subscriber", "≤ 25 KB", "≤ 16 KB", f"{statistics.median(kb):.1f} KB" if kb else "–")
    return table


def _ratio(ours: list[Outcome] | None, others: list[Outcome] | None) -> str:
    if not ours or not others:
        return "–"
    return f"{_median(ours, lambda one: one.cpu_us) / _median(others, lambda one: one.cpu_us):.2f}"
