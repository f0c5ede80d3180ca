"""The schema: the migrations lead to what the tables say, on both databases, and strangers are refused."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text
from sqlalchemy.schema import SchemaItem

import runtime.store.migrations
from runtime.store.client.history import read_edits, read_runs
from runtime.store.client.snapshot import read_snapshot
from runtime.store.client.writer import open_writer
from runtime.store.database.engine import open_engine
from runtime.store.database.migrate import migrate, open_migrated
from runtime.store.database.revision import HEAD
from runtime.store.errors import StoreError, StoreOutdated
from runtime.store.history_records import RunRecord
from runtime.store.records import BotRecord
from runtime.store.tables import ONLY_ON, metadata
from tests.runtime.stores import drop_database, empty_store, make_database
from tests.runtime_process import Runtime


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with empty_store(request.param, tmp_path) as made:
        yield made


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Whether a table is in our hands; procrastinate's are in its own."""
    return kind != "table" or not (name or "").startswith("procrastinate_")


def test_migrating_leads_to_the_tables(url: str) -> None:
    engine = open_engine(url)
    assert migrate(engine) == HEAD

    def is_here(item: SchemaItem, _name: str | None, _kind: str, _reflected: bool, _other: object) -> bool:
        return item.info.get(ONLY_ON, engine.dialect.name) == engine.dialect.name

    with engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": is_ours, "include_object": is_here})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_migrating_twice_changes_nothing(url: str) -> None:
    engine = open_engine(url)
    assert migrate(engine) == migrate(engine) == HEAD
    engine.dispose()


def test_the_head_is_the_newest_migration() -> None:
    script = ScriptDirectory(str(Path(runtime.store.migrations.__file__).parent))
    assert script.get_current_head() == HEAD


def migrated_to(url: str, revision: str) -> Engine:
    """A store as an older program made it."""
    engine = open_engine(url)
    config = Config()
    config.set_main_option("script_location", str(Path(runtime.store.migrations.__file__).parent))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    return engine


def add_run(engine: Engine, run_id: str, finished_at: str | None = None) -> None:
    """What a program that knows nothing of numbers writes of a run; all begin in the same second."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO runs (id, started_at, actor, digest, finished_at, changes)"
                " VALUES (:id, '2026-11-22T12:00:00Z', 'ci', 'd', :finished_at, '[]')"
            ),
            {"id": run_id, "finished_at": finished_at},
        )


def test_runs_of_an_older_store_keep_their_order_and_an_older_program_goes_on_adding_some(url: str) -> None:
    engine = migrated_to(url, "1_0007")
    for second, run_id in enumerate(["c", "a", "b"]):
        add_run(engine, run_id, f"2026-11-22T12:00:0{second}Z")
    migrate(engine)
    add_run(engine, "aa")
    engine.dispose()
    with closing(open_writer(url)) as writer:
        writer.start_run(RunRecord(id="0", started_at="2026-11-22T11:59:59Z", actor="ci", digest="d"))
        assert [run.id for run in writer.runs()] == ["0", "aa", "b", "a", "c"]
    assert [run.id for run in read_runs(url, None)] == ["0", "aa", "b", "a", "c"]


def stamped(folder: Path, revision: str) -> str:
    """A store that says it has that revision."""
    url = f"sqlite:///{folder}/store.db"
    engine = open_engine(url)
    migrate(engine)
    engine.dispose()
    with closing(sqlite3.connect(folder / "store.db")) as store:
        store.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        store.commit()
    return url


def test_an_older_schema_is_outdated_until_it_is_migrated(tmp_path: Path) -> None:
    with pytest.raises(StoreOutdated, match="horizonai-whatsapp-bot migrate"):
        read_snapshot(stamped(tmp_path, "1_0000"))


def test_a_newer_step_of_our_generation_is_readable(tmp_path: Path) -> None:
    assert read_snapshot(stamped(tmp_path, "1_9999")).exists


def test_another_generation_is_refused(tmp_path: Path) -> None:
    url = stamped(tmp_path, "2_0001")
    with pytest.raises(StoreOutdated, match="install the version"):
        read_snapshot(url)
    with pytest.raises(StoreOutdated, match="install the version"):
        open_migrated(url)


@pytest.mark.parametrize(
    "change", ["ALTER TABLE bots RENAME TO robots", "ALTER TABLE bots DROP COLUMN fallback_message"]
)
def test_a_part_that_is_not_there_is_a_schema_that_does_not_fit_and_no_store_out_of_reach(
    url: str, change: str
) -> None:
    changed(url, change)
    said = r"lacks a part of the schema .*(bots|fallback_message).*run `horizonai-whatsapp-bot migrate`, or install"
    with pytest.raises(StoreOutdated, match=said):
        read_snapshot(url)
    with closing(open_writer(url)) as writer, pytest.raises(StoreOutdated, match=said):
        writer.put_bot(BotRecord(id="la-cocina", name="La Cocina", twilio_phone_number="+56998765000"))


def changed(url: str, statement: str) -> None:
    """A store whose schema was changed by hand."""
    engine = open_engine(url)
    migrate(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()


def test_an_older_program_goes_on_making_bots(url: str) -> None:
    """During a roll-out it inserts rows without the columns that it does not know."""
    engine = open_engine(url)
    migrate(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO bots (id, name, twilio_phone_number, state, functions, metadata, protected, version,"
            " created_at, updated_at) VALUES ('viejo', 'V', '+56911110001', 'active', '{}', '{}', false, 1, '', '')"
        )
    engine.dispose()
    assert [bot.policy for bot in read_snapshot(url).bots] == [{}]


@pytest.mark.postgres
def test_a_user_who_may_not_read_the_tables_is_told_so() -> None:
    url = make_database()
    stranger = f"stranger_{urlsplit(url).path.removeprefix('/')}"
    changed(url, f"CREATE ROLE {stranger} LOGIN")
    try:
        changed(url, f"GRANT SELECT ON alembic_version TO {stranger}")
        parts = urlsplit(url)
        asked = urlunsplit(parts._replace(netloc=f"{stranger}@{parts.netloc.rpartition('@')[2]}"))
        with pytest.raises(StoreError, match="permission denied for table audit; check that its address"):
            read_edits(asked, None)
    finally:
        changed(url, f"DROP OWNED BY {stranger}")
        changed(url, f"DROP ROLE {stranger}")
        drop_database(url)


def test_the_api_says_that_the_schema_does_not_fit(runtime_factory: Callable[..., Runtime]) -> None:
    runtime = runtime_factory()
    with closing(sqlite3.connect(runtime.folder / "runtime.db")) as store:
        store.execute("ALTER TABLE bots RENAME TO robots")
        store.commit()
    answer = runtime.api("GET", "/bots/")
    assert (answer.status, answer.error["code"]) == (503, "store_outdated")
    assert "run `horizonai-whatsapp-bot migrate`" in answer.error["message"]
