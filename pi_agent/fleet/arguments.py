"""What `pi-agent fleet` understands, and what it says of itself."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

N = TypeVar("N", int, float)

EPILOG = """\
examples:
  pi-agent fleet --devices 20                                          against the relay of `make run`
  pi-agent fleet --devices 200 --interval 10 --duration 600            does this relay keep up with 200 Pis?
  pi-agent fleet --devices 50 --cut-every 10 --cut-for 5 --kill-every 30     a soak with bad days
  pi-agent fleet --devices 50 --sensor-faults 0.1 --clock-skew 3600    for trying pages and alerts
  pi-agent fleet --devices 30 --relay http://relay.lan:5000 --tokens tokens.txt
  pi-agent fleet --devices 200 --json --duration 60 | jq .ack_p99_ms

Each device is the agent as it runs on a Pi, with an outbox, a journal and a history on this disk; only its parts are
simulated. Its settings are those of --config and the variables, as for `pi-agent run`. Commands from the relay work on
every one. All share some 20 threads. At a round per 10 s, 200 devices take a sixth of a core and 150 MB, 1,000 of them
two thirds and 600 MB: more do not fit in one process.

Ctrl-C ends in order: no more rounds, then the outboxes are emptied for up to 15 s. A second one does not wait.
exit codes: 0 everything that was taken was acked, 1 something was left or dropped, 2 the command line or a setting is
wrong, 3 no relay, or one that knows none of the tokens.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `pi-agent fleet` understands, besides --config."""
    some = parser.add_argument
    some("--devices", type=_whole, required=True, metavar="N", help="how many agents")
    some("--relay", metavar="URL", help="the relay; by default relay.url of the settings, http://127.0.0.1:5000")
    some("--name-prefix", default="fleet", metavar="NAME", help="devices are called NAME-0001, … (default: fleet)")
    who = parser.add_mutually_exclusive_group()
    who.add_argument(
        "--token", metavar="TOKEN", help="a device's token, for --devices 1; none for a relay in demo mode"
    )
    who.add_argument("--tokens", type=Path, metavar="FILE", help="a token in each line, one per device")
    some("--interval", type=_positive, metavar="S", help="from one round to the next; by default sample_interval_s, 30")
    some("--start-per-s", type=_positive, default=20.0, metavar="N", help="so many start in a second (default: 20)")
    some("--duration", type=_positive, metavar="S", help="end after so long; by default at Ctrl-C")
    some(
        "--seed", type=_count, default=1, metavar="N", help="of rooms and faults: the same gives the same (default: 1)"
    )
    some("--state", type=Path, metavar="DIR", help="keep outboxes there; by default a temporary directory")
    faults = parser.add_argument_group("faults")
    some = faults.add_argument
    some("--cut-every", type=_positive, metavar="S", help="so often one link in ten is cut, at least one")
    some("--cut-for", type=_positive, default=5.0, metavar="S", help="for so long (default: 5)")
    some("--kill-every", type=_positive, metavar="S", help="so often an agent dies without a word, and starts again")
    some("--sensor-faults", type=_share, metavar="RATE", help="the share of readings that fail, 0 to 1")
    some("--clock-skew", type=_positive, default=0.0, metavar="S", help="wall clocks are wrong by up to so much")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="one line of counters per second, for programs")
    how.add_argument("--plain", action="store_true", help="a line every few seconds, as where there is no terminal")


def _whole(text: str) -> int:
    return _number(text, int, lambda value: value >= 1, "a whole number from 1")


def _count(text: str) -> int:
    return _number(text, int, lambda value: value >= 0, "a whole number from 0")


def _positive(text: str) -> float:
    return _number(text, float, lambda value: 0 < value < 1e9, "a number above 0")


def _share(text: str) -> float:
    return _number(text, float, lambda value: 0 <= value <= 1, "a share from 0 to 1")


def _number(text: str, kind: Callable[[str], N], fits: Callable[[N], bool], what: str) -> N:
    try:
        if fits(value := kind(text)):
            return value
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
