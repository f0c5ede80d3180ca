"""Brings a store's schema to the revision that this program needs.

A revision is `<generation>_<step>`. Within a generation a step only adds, so a program works on a store that a newer
program has migrated; it refuses another generation. See docs/adr/0009-migrations-over-three-releases.md.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect

from runtime.store.database.engine import open_engine, store_errors
from runtime.store.database.revision import HEAD, fits, too_old
from runtime.store.database.url import is_sqlite, sqlite_path
from runtime.store.encryption import in_use
from runtime.store.errors import StoreMissing, masked

MIGRATION_LOCK = 7_402_215
"""Key of the PostgreSQL advisory lock that prevents two starting replicas from migrating concurrently."""


def open_migrated(url: str, *, pool_size: int = 5, create: bool = True, reads_texts: bool = True) -> Engine:
    """An engine on a store whose schema is at head. Raises StoreError, and leaves nothing open then.

    Without `create` nothing is created where there is no store, and StoreMissing is raised. A process that reads what
    people wrote needs the keys that it is encrypted with, and is refused without them.
    """
    if not create and is_sqlite(url) and not (path := sqlite_path(url)).exists():
        raise StoreMissing(f"There is no store at {masked(url)}: there is no file {path.absolute()}.")
    engine = open_engine(url, pool_size=pool_size, program=None if reads_texts else "horizonai-reconcile")
    try:
        with store_errors(url):
            migrate(engine, create=create)
            if reads_texts:
                with engine.begin() as connection:
                    in_use.check(connection)
    except BaseException:
        engine.dispose()
        raise
    return engine


def migrate(engine: Engine, *, create: bool = True) -> str:
    """Upgrades to head where needed and returns the store's revision; refuses a store of another generation.

    Without `create`, raises StoreMissing for a database that holds no store.
    """
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
        revision = current_revision(connection)
        if revision is None and not create:
            raise StoreMissing(f"There is no store at {_address(engine)}: the database has none of its tables.")
        if revision is not None and fits(revision, _address(engine)):
            return revision
        _upgrade(connection)
        return HEAD


def current_revision(connection: Connection) -> str | None:
    """The store's revision; None when it has none of our tables."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    row = connection.exec_driver_sql("SELECT version_num FROM alembic_version").first()
    return None if row is None else str(row[0])


def check(engine: Engine) -> None:
    """Raises StoreOutdated unless the schema fits."""
    address = _address(engine)
    with engine.begin() as connection:
        revision = current_revision(connection)
    if revision is None or not fits(revision, address):
        raise too_old(revision, address)


def _address(engine: Engine) -> str:
    """The store's address for a message, as a user writes it: without the driver's name."""
    return masked(engine.url.set(drivername=engine.url.get_backend_name()).render_as_string())


def _upgrade(connection: Connection) -> None:
    # Alembic takes longer to import than everything else in a start, and a start rarely migrates.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parents[1] / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
