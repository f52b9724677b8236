"""The schema's version: forward when a database is opened, never back.

A newer program brings an older database forward, in one transaction. An older program refuses a newer database: what it
would have to undo may hold data. To go back, put back the copy that was made before the change: for SQLite it lies
beside the database as `relay.db.before-REVISION`; for PostgreSQL make a backup before an upgrade.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from shared.settings import SettingsError

if TYPE_CHECKING:
    from server.storage.engine import Link, Progress

_SCRIPTS = Path(__file__).with_name("migrations")


def scripts(*further: Path) -> ScriptDirectory:
    """The migrations of this program, and those in `further` directories."""
    versions = [str(path) for path in (_SCRIPTS / "versions", *further)]
    return ScriptDirectory(str(_SCRIPTS), version_locations=versions)


def forward(link: "Link", progress: "Progress", known: ScriptDirectory | None = None) -> str | None:
    """Bring the schema to the newest version in `known`. Returns the version it had when that was another, else None.

    Raises `SettingsError` where the schema is one that `known` does not have.
    """
    known = known or scripts()
    head = known.get_current_head()
    current = link.transaction(_current)
    if current == head:
        return None
    _refuse_newer(link, known, current)
    if current is not None:
        _keep_copy(link, current, progress)
    progress("migrating the database", 0, 1)
    link.transaction(lambda connection: _upgrade(link, connection, known))
    progress("migrating the database", 1, 1)
    return current


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _refuse_newer(link: "Link", known: ScriptDirectory, current: str | None) -> None:
    if current is None or any(script.revision == current for script in known.walk_revisions()):
        return
    raise SettingsError(
        "database",
        link.dialect.where,
        f"its schema {current} is newer than this program's {known.get_current_head()}; install the newer program "
        "again, or put back the copy made before the upgrade",
    )


def _upgrade(link: "Link", connection: Connection, known: ScriptDirectory) -> None:
    link.dialect.lock_schema(connection)

    def steps(revision: Any, _: object) -> Any:
        return known._upgrade_revs("head", revision)  # noqa: SLF001  # what Alembic's own `upgrade` command calls

    with EnvironmentContext(Config(), known, fn=steps, destination_rev="head") as environment:
        # One transaction around all steps: ours. A step that fails leaves the schema as it was.
        environment.configure(connection=connection, transactional_ddl=False)
        with environment.begin_transaction():
            environment.run_migrations()


def _keep_copy(link: "Link", current: str, progress: "Progress") -> None:
    path = link.dialect.path
    if path is None:
        return
    copy = path.with_name(f"{path.name}.before-{current}")
    part = copy.with_name(copy.name + ".part")
    progress("copying the database before its schema changes", 0, 1)
    part.unlink(missing_ok=True)
    link.direct(lambda connection: connection.connection.cursor().execute("VACUUM INTO ?", (str(part),)))
    part.replace(copy)
