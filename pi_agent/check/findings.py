"""What a check says."""

from enum import StrEnum

from msgspec import Struct


class State(StrEnum):
    """How it stands. `warn` works and may not go on working; `fail` keeps the agent from its work."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(Struct, frozen=True):
    """One thing that was looked at. `remedy` is a command or a deed that mends it, none where all is well."""

    name: str
    state: State
    words: str
    remedy: str | None = None


def ok(name: str, words: str) -> Finding:
    """All is well."""
    return Finding(name, State.OK, words)


def warn(name: str, words: str, remedy: str) -> Finding:
    """It works, and may not go on working."""
    return Finding(name, State.WARN, words, remedy)


def fail(name: str, words: str, remedy: str) -> Finding:
    """It keeps the agent from its work."""
    return Finding(name, State.FAIL, words, remedy)
