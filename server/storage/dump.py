"""PostgreSQL's own programs: `pg_dump` and `pg_restore`, and a scratch database to try a dump in."""

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, create_engine, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from server.storage.bridge import in_thread
from server.storage.dialect import Dialect
from server.storage.failures import DatabaseFailed
from shared.settings import SettingsError

_INSTALLED = Path("/usr/lib/postgresql")


def write(dialect: Dialect, target: Path) -> None:
    """Dump the database into `target`. Raises `SettingsError` and `DatabaseFailed`."""
    _run("pg_dump", dialect.url, "--format=custom", "--no-owner", "--no-privileges", f"--file={target}")


def read(url: str, source: Path) -> None:
    """Bring the dump `source` into the database at `url`, in one transaction; what was there goes."""
    options = ("--clean", "--if-exists", "--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error")
    _run("pg_restore", make_url(url), *options, str(source))


@contextmanager
def scratch(dialect: Dialect) -> Iterator[str]:
    """The URL of a new, empty database on the same server; it is dropped at the end."""
    name = f"breathlight_verify_{secrets.token_hex(4)}"
    _administer(dialect, f'CREATE DATABASE "{name}"')
    try:
        yield dialect.url.set(database=name).render_as_string(hide_password=False)
    finally:
        _administer(dialect, f'DROP DATABASE "{name}"')


def _administer(dialect: Dialect, statement: str) -> None:
    in_thread(lambda: _execute(dialect, statement))


def _execute(dialect: Dialect, statement: str) -> None:
    engine = create_engine(dialect.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
    except DBAPIError as error:
        raise SettingsError(
            "database", dialect.where, f"a backup is checked in a database of its own: {error.orig}; GRANT CREATEDB"
        ) from None


def _run(program: str, url: URL, *arguments: str) -> None:
    # The password goes by the environment: a command line is for everybody to read.
    address = url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    environ = dict(os.environ) | ({"PGPASSWORD": str(url.password)} if url.password else {})
    command = [_found(program), f"--dbname={address}", *arguments]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise DatabaseFailed(f"{program}: {' '.join(done.stderr.split())[-500:]}")


def _found(program: str) -> str:
    found = shutil.which(program)
    if found:
        return found
    installed = sorted(_INSTALLED.glob(f"*/bin/{program}"), key=lambda path: path.parts[-3].zfill(4))
    if not installed:
        raise SettingsError("backup", program, "is not installed; install PostgreSQL's client programs")
    return str(installed[-1])
