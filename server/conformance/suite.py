"""All checks, one after the other."""

import time
from collections.abc import Iterator

from server.conformance import api, doors, refusals, twelve
from server.conformance.base import Check, Failed, Outcome, Skipped, Target
from server.conformance.wire import NotHeard, Wire
from shared.contract.spec import Namespace

_ANSWERS = Check("reachable", "it answers", lambda target: Wire(target.url, Namespace.CLIENT, target.token).close())


def checks() -> list[Check]:
    """Everything that is looked at, in order."""
    return [*twelve.checks(), *refusals.checks(), *api.checks(), *doors.checks()]


def run(target: Target, only: str = "") -> Iterator[Outcome]:
    """What comes of each check whose group or name has `only` in it. Where nobody answers, there is but one outcome."""
    first = _of(_ANSWERS, target)
    yield first
    if first.outcome == "passed":
        for check in checks():
            if only in f"{check.group}: {check.name}":
                yield _of(check, target)
        _clear_up(target)


def _of(check: Check, target: Target) -> Outcome:
    began = time.perf_counter()
    outcome, why = "passed", ""
    try:
        check.run(target)
    except Skipped as skipped:
        outcome, why = "skipped", str(skipped)
    except (Failed, NotHeard) as failed:
        outcome, why = "failed", str(failed)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        # An answer of a shape that nobody could expect.
        outcome, why = "failed", f"the answer has another shape: {type(error).__name__}: {error}"
    took_ms = (time.perf_counter() - began) * 1000
    return Outcome(group=check.group, check=check.name, outcome=outcome, why=why, took_ms=round(took_ms, 1))


def _clear_up(target: Target) -> None:
    """Where the names were ours to choose, the devices that appeared go again."""
    for name in (target.device, f"{target.device}-b", f"{target.device}-esp"):
        try:
            target.http("DELETE", f"/api/devices/{name}?confirm={name}")
        except NotHeard:
            return
