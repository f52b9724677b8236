"""Which faults come when: drawn from a seed, so that a run can be repeated.

A run has stages, one after the other; a stage has lanes, side by side; in a lane faults come one after the other. So a
relay may be killed while the network is held up and the agent is frozen, but the network fails in one way at a time.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What may happen."""

    KILL_AGENT = "kill agent"
    KILL_RELAY = "kill relay"
    KILL_POSTGRES = "kill postgres"
    KILL_BACKEND = "kill a backend"
    STOP_AGENT = "restart agent"
    STOP_RELAY = "restart relay"
    FREEZE_AGENT = "freeze agent"
    FREEZE_RELAY = "freeze relay"
    FREEZE_POSTGRES = "freeze postgres"
    NEWER_AGENT = "newer agent"
    OLDER_AGENT = "older agent"
    PARTITION = "partition"
    LOST_EVENTS = "lost events"
    LOST_ACKS = "lost acks"
    HALF_OPEN = "half open"
    LATENCY = "latency"
    SLOW_DRIP = "slow drip"
    RESET = "reset"
    REFUSED = "refused"
    LINK_DOWN = "link down"
    FULL_AGENT = "agent disk full"
    FULL_RELAY = "relay disk full"
    CLOCK = "clock jump"
    FLIP_OUTBOX = "bits flipped in outbox"
    CUT_OUTBOX = "outbox cut short"
    FLIP_OUTBOX_LOG = "bits flipped in outbox log"
    CUT_OUTBOX_LOG = "outbox log cut short"


KILLS = {
    Kind.KILL_AGENT: "agent",
    Kind.KILL_RELAY: "relay",
    Kind.KILL_POSTGRES: "postgres",
    Kind.KILL_BACKEND: "backend",
}
"""Whom each of them kills."""
OUTBOX_DAMAGE = (Kind.FLIP_OUTBOX, Kind.CUT_OUTBOX, Kind.FLIP_OUTBOX_LOG, Kind.CUT_OUTBOX_LOG)

MOMENTS = ("any", "intent", "commit", "upload", "ack")
"""When a kill strikes: at any time; or as soon as the agent is about to commit, has committed, sends, or has an ack."""

JUMPS_S = {"+1 h": 3600.0, "-1 h": -3600.0, "+1 day": 86400.0, "-1 day": -86400.0, "1970": None, "1970, unset": None}
"""By their names how far the wall clock is moved; None: to 1970."""


@dataclass(frozen=True)
class Fault:
    """One thing that will happen."""

    kind: Kind
    after_s: float
    """How long after the end of the one before, in its lane."""
    lasts_s: float = 0.0
    how: str = ""
    """A kill's moment, a clock's jump, or what makes it worse."""


Lane = tuple[Fault, ...]
Stage = tuple[Lane, ...]


def patience() -> Stage:
    """What takes long because a timeout must run out: one after the other, and nobody is killed meanwhile."""
    return (
        (
            Fault(Kind.LOST_ACKS, 1.0, 33.0, "timeout"),
            Fault(Kind.HALF_OPEN, 2.0, 35.0, "timeout"),
            Fault(Kind.LINK_DOWN, 2.0, 35.0, "timeout"),
            Fault(Kind.FREEZE_AGENT, 2.0, 12.0),
            Fault(Kind.FREEZE_RELAY, 2.0, 35.0),
        ),
    )


def storm(
    rng: random.Random, kills: int, *, with_server: bool, repeats: int = 1, gap_s: float = 1.0, scale: float = 1.0
) -> Stage:
    """`kills` of each program at random moments, and everything else `repeats` times.

    `gap_s` is the average pause in the busiest lane; `scale` shortens what lasts.
    """
    agent = [(Kind.KILL_AGENT, 0.0, rng.choice(MOMENTS)) for _ in range(kills)]
    relay = [(Kind.KILL_RELAY, 0.0, rng.choice(MOMENTS)) for _ in range(kills)]
    postgres = [(Kind.KILL_POSTGRES, 0.0, rng.choice(MOMENTS)) for _ in range(kills)]
    network, disk, clock = [], [], []
    for _ in range(repeats):
        agent += [(Kind.FREEZE_AGENT, rng.uniform(0.3, 3), ""), (Kind.STOP_AGENT, 0.0, "")]
        agent += [(Kind.NEWER_AGENT, rng.uniform(1.5, 3), ""), (Kind.OLDER_AGENT, rng.uniform(1.5, 3), "")]
        relay += [(Kind.FREEZE_RELAY, rng.uniform(0.3, 3), ""), (Kind.STOP_RELAY, 0.0, "")]
        postgres += [(Kind.FREEZE_POSTGRES, rng.uniform(0.3, 3), ""), (Kind.KILL_BACKEND, 0.0, rng.choice(MOMENTS))]
        network += [
            (Kind.PARTITION, rng.uniform(1, 4), ""),
            (Kind.LOST_EVENTS, rng.uniform(1, 3), ""),
            (Kind.LOST_ACKS, rng.uniform(1, 3), ""),
            (Kind.HALF_OPEN, rng.uniform(1, 3), ""),
            (Kind.LATENCY, rng.uniform(1, 4), ""),
            (Kind.SLOW_DRIP, rng.uniform(1, 4), ""),
            (Kind.RESET, 0.0, ""),
            (Kind.REFUSED, rng.uniform(1, 3), ""),
            (Kind.LINK_DOWN, rng.uniform(1, 4), ""),
        ]
        disk += [(Kind.FULL_AGENT, rng.uniform(2, 4), ""), (Kind.FULL_RELAY, rng.uniform(2, 4), "")]
        clock += [(Kind.CLOCK, rng.uniform(1, 3), jump) for jump in JUMPS_S]
    lanes = [
        [(kind, lasts * scale, how) for kind, lasts, how in lane]
        for lane in (agent, relay, network, disk, clock, postgres)
        if lane is not postgres or with_server
    ]
    # All lanes end at about the same time: the one with most to do sets it.
    busiest_s = max(sum(lasts for _, lasts, _ in lane) + gap_s * len(lane) for lane in lanes)
    return tuple(_spread(rng, lane, busiest_s) for lane in lanes)


def _spread(rng: random.Random, lane: Iterable[tuple[Kind, float, str]], total_s: float) -> Lane:
    shuffled = list(lane)
    rng.shuffle(shuffled)
    pauses = [rng.expovariate(1.0) for _ in shuffled]
    scale = max(0.0, total_s - sum(lasts for _, lasts, _ in shuffled)) / sum(pauses)
    return tuple(
        Fault(kind, pause * scale, lasts, how) for (kind, lasts, how), pause in zip(shuffled, pauses, strict=True)
    )


def isolation(rng: random.Random, repeats: int, scale: float = 1.0) -> Stage:
    """What happens to an agent that cannot reach its relay, and has events that nobody else has yet.

    Its files are damaged while it is down; its disk is full, with nothing acked that could make room.
    """
    faults = [Fault(kind, 1.0 * scale, 1.5 * scale) for kind in OUTBOX_DAMAGE for _ in range(repeats)]
    faults += [Fault(Kind.FULL_AGENT, 1.0 * scale, 8.0 * scale, "cut off")] * max(1, repeats // 2)
    rng.shuffle(faults)
    return (tuple(faults),)


def long_form(seed: int, kills: int, database: str) -> list[Stage]:
    """The whole programme."""
    rng = random.Random(seed)
    repeats = max(1, kills // 12)
    whirl = storm(rng, kills, with_server=database == "postgres", repeats=repeats, gap_s=3.0)
    return [patience(), whirl, isolation(rng, 2 * repeats)]


def short_form(seed: int, kills: int, database: str) -> list[Stage]:
    """A sample of it, for every build: each kind once, in a hurry, and none that waits half a minute for a timeout."""
    rng = random.Random(seed)
    whirl = storm(rng, kills, with_server=database == "postgres", gap_s=0.3, scale=0.3)
    # With nothing else in the way it is certain that acks are lost, and that the relay must recognise resends.
    calm_sea: Stage = ((Fault(Kind.LOST_ACKS, 0.2, 1.0),),)
    # The agent's files know nothing of the relay's database: once is enough.
    return [calm_sea, whirl] if database == "postgres" else [calm_sea, whirl, isolation(rng, 1, scale=0.3)]
