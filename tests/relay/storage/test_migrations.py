"""The schema goes forward by itself, and never back."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from server.storage import migrate
from server.storage.engine import Database, dialect_of
from server.storage.failures import DatabaseFailed
from server.storage.recorder import Recorder
from server.storage.tables import metadata
from shared.settings import SettingsError
from tests.relay.storage.building import event, record

_NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("devices", sa.Column("colour", sa.Text, nullable=False, server_default="red"))
    {more}


def downgrade():
    raise NotImplementedError
"""


@pytest.fixture
def later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A program one version newer: its migrations are those there are and one more."""

    def make(more: str = "pass"):
        directory = tmp_path / "later"
        directory.mkdir()
        head = migrate.scripts().get_current_head()
        (directory / "v9999_later.py").write_text(_NEXT.format(head=head, more=more))
        newer = migrate.scripts(directory)
        monkeypatch.setattr(migrate, "scripts", lambda *further: newer)

    return make


def test_the_migrations_make_the_tables_that_the_program_uses(database):
    def differences(connection):
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": False})
        return compare_metadata(context, metadata)

    assert database.read(differences) == []


def test_opening_brings_an_older_database_forward_and_keeps_what_it_holds(url, clock, later):
    database = Database.open(url)
    recorder = Recorder.start(database, clock)
    record(recorder, event(1))
    recorder.close()
    database.close()
    later()
    newer = Database.open(url)
    assert newer.read(lambda connection: connection.scalar(text("SELECT colour FROM devices"))) == "red"
    recorder = Recorder.start(newer, clock)
    assert recorder.submit(event(1)).duplicate
    recorder.close()
    newer.close()


def test_an_older_program_refuses_a_newer_database_and_says_what_to_do(url, later, monkeypatch):
    with monkeypatch.context() as newer:
        later_scripts = migrate.scripts
        head = migrate.scripts().get_current_head()
        later()
        Database.open(url).close()
        newer.setattr(migrate, "scripts", later_scripts)
        with pytest.raises(SettingsError, match=f"9999 is newer than this program's {head}; install the newer program"):
            Database.open(url)


def test_going_back_is_putting_back_the_copy_made_before_the_upgrade(sqlite_url, clock, later, monkeypatch):
    database = Database.open(sqlite_url)
    recorder = Recorder.start(database, clock)
    record(recorder, event(1))
    recorder.close()
    database.close()
    now = migrate.scripts
    head = migrate.scripts().get_current_head()
    later()
    Database.open(sqlite_url).close()
    path = dialect_of(sqlite_url).path
    copy = path.with_name(f"{path.name}.before-{head}")
    assert copy.exists()
    monkeypatch.setattr(migrate, "scripts", now)
    copy.replace(path)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    older = Database.open(sqlite_url)
    recorder = Recorder.start(older, clock)
    assert recorder.submit(event(1)).duplicate
    recorder.close()
    older.close()


def test_a_migration_that_fails_changes_nothing(url, later):
    Database.open(url).close()
    later(more='raise RuntimeError("half way")')
    with pytest.raises(RuntimeError, match="half way"):
        Database.open(url)
    database = Database(dialect_of(url), 1)
    columns = {"devices": "PRAGMA table_info(devices)"} if database.dialect.name == "sqlite" else {}
    query = columns.get("devices", "SELECT 0, column_name FROM information_schema.columns WHERE table_name = 'devices'")
    names = {row[1] for row in database.read(lambda connection: connection.execute(text(query)).all())}
    assert "colour" not in names
    assert "name" in names
    database.close()


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("nonsense", "write sqlite:////path"),
        ("mysql://localhost/x", "write sqlite:////path"),
        ("sqlite://", "name a file"),
        ("sqlite:////no/such/directory/relay.db", "there is no directory"),
        ("postgresql+psycopg://x:secret@/nowhere?host=/no/such/socket", "no/such/socket"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_with_a_remedy_and_without_its_password(url, remedy):
    with pytest.raises(SettingsError, match=remedy) as refused:
        Database.open(url)
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_database_file_is_for_its_owner_alone(sqlite_url):
    Database.open(sqlite_url).close()
    assert dialect_of(sqlite_url).path.stat().st_mode & 0o077 == 0


def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "relay.db"
    path.write_text("this is a shopping list\n" * 100)
    with pytest.raises(SettingsError, match="not a database"):
        Database.open(f"sqlite:///{path}")


def test_nothing_is_migrated_under_another_writer(url, later):
    writer = Database.open(url, claims=True)
    later()
    with pytest.raises(SettingsError, match="another relay writes it"):
        Database.open(url, claims=True)
    # A column that is there now would have been given values.
    with pytest.raises(DatabaseFailed, match="colour"):
        writer.read(lambda connection: connection.execute(text("SELECT colour FROM devices")))
    writer.close()
    Database.open(url, claims=True).close()
