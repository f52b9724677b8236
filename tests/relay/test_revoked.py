"""Revoked tokens are looked for again and again; a database that is away for a while must not end the relay."""

from dataclasses import fields
from types import SimpleNamespace
from typing import Any

from server.app import Relay
from server.storage.failures import DatabaseFailed


def relay(tokens: Any, expelled: list[set[int]]) -> Relay:
    parts: Any = SimpleNamespace(tokens=SimpleNamespace(list=tokens), expel=expelled.append)
    everything: Any = {field.name: parts for field in fields(Relay)}
    return Relay(**everything | {"guards": (parts,)})


def test_who_holds_a_token_that_is_not_revoked_stays():
    expelled: list[set[int]] = []
    tokens = [SimpleNamespace(id=1, revoked_at=None), SimpleNamespace(id=2, revoked_at=5)]
    relay(lambda: tokens, expelled).expel_revoked()
    assert expelled == [{1}]


def test_while_the_database_is_away_nobody_is_sent_away_and_the_relay_goes_on():
    def away() -> Any:
        raise DatabaseFailed("the server is starting up")

    expelled: list[set[int]] = []
    relay(away, expelled).expel_revoked()
    assert expelled == []
