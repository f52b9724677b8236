"""Tokens are found by what they read, and by nothing else."""

import pytest
from sqlalchemy import select

from server.storage.engine import Database
from server.storage.tables import tokens as table
from server.storage.tokens import PREFIX, Tokens
from shared.errors import Code, Refusal


@pytest.fixture
def tokens(database, clock) -> Tokens:
    return Tokens(database, clock)


def test_a_token_is_found_by_its_plain_text_and_its_database_does_not_hold_that(database, tokens):
    plain = tokens.add("kitchen", "device")
    assert plain.startswith(PREFIX)
    assert len(plain) >= 40
    found = tokens.find(plain)
    assert (found.name, found.role, found.revoked_at) == ("kitchen", "device", None)
    assert plain not in str(database.rows(select(table)))


@pytest.mark.parametrize("wrong", ["", "bl_", "bl_x", "x" * 10_000, "bl_" + "\ud800" * 10])
def test_nothing_else_is_found(tokens, wrong):
    plain = tokens.add("kitchen", "device")
    for text in (wrong, plain[:-1], plain + "x", plain.upper(), plain.removeprefix(PREFIX)):
        assert tokens.find(text) is None


def test_a_revoked_token_is_not_found_and_its_name_is_free_again(tokens):
    plain = tokens.add("kitchen", "device")
    assert tokens.revoke("kitchen")
    assert not tokens.revoke("kitchen")
    assert tokens.find(plain) is None
    again = tokens.add("kitchen", "viewer")
    assert tokens.find(again).role == "viewer"
    assert [(token.name, token.revoked_at is None) for token in tokens.list()] == [
        ("kitchen", False),
        ("kitchen", True),
    ]


def test_a_name_belongs_to_one_token(tokens):
    tokens.add("kitchen", "device")
    with pytest.raises(Refusal, match="has a token already"):
        tokens.add("kitchen", "viewer")


@pytest.mark.parametrize(
    ("name", "role"), [("kitchen", "king"), ("two words", "device"), ("", "viewer"), ("x" * 65, "viewer")]
)
def test_what_cannot_be_a_name_or_role_is_refused(tokens, name, role):
    with pytest.raises(Refusal) as refused:
        tokens.add(name, role)
    assert refused.value.code is Code.INVALID_PAYLOAD


def test_the_last_use_is_kept_to_the_minute(database, tokens, clock):
    plain = tokens.add("kitchen", "device")
    tokens.find(plain)
    _noted(database)
    clock.advance(59)
    tokens.find(plain)
    _noted(database)
    assert [token.last_used_at for token in tokens.list()] == ["2026-03-01T12:00:00.000Z"]
    clock.advance(1)
    tokens.find(plain)
    _noted(database)
    assert [token.last_used_at for token in tokens.list()] == ["2026-03-01T12:01:00.000Z"]


def _noted(database: Database) -> None:
    """The note is on its way; whatever the writer does next comes after it."""
    database.write(lambda connection: None)
