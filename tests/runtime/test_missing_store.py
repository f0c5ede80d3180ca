"""A store that is not there, such as in the wrong folder: only `serve` and `migrate` create one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import psycopg
import pytest
from click.testing import CliRunner

from runtime.cli import main
from tests.runtime.stores import drop_database, make_empty_database

ARGUMENTS = {
    "audit": [],
    "campaigns list": [],
    "campaigns show": ["lista"],
    "campaigns stop": ["lista"],
    "client erase": ["la-cocina", "--yes"],
    "client export": ["la-cocina"],
    "conversations test": ["1", "--turn", "1"],
    "incident report": ["--since", "2026-11-01", "--until", "2026-11-02"],
    "operator disable": ["ana@x.cl"],
    "operator invite": ["ana@x.cl", "--name", "Ana"],
    "operator link": ["la-cocina", "--for", "Dueña"],
    "operator links": [],
    "operator list": [],
    "operator reset": ["ana@x.cl"],
    "operator unlink": ["1"],
    "person block": ["+56912345678"],
    "person erase": ["+56912345678", "--yes"],
    "person export": ["+56912345678"],
    "person find": ["+56912345678"],
    "person receipts": [],
    "person rectify": ["+56912345678", "--name", "Ana"],
    "person requests": [],
    "person unblock": ["+56912345678"],
    "store-key new": [],
    "store-key rewrite": [],
    "store-key status": [],
    "token rotate": ["grafana"],
    "conversations close": ["1"],
    "conversations list": [],
    "conversations note": ["1", "Llamar mañana"],
    "conversations release": ["1"],
    "conversations reply": ["1", "Hola"],
    "conversations show": ["1"],
    "conversations take": ["1"],
    "costs compare": [],
    "dead-letters drop": ["1"],
    "dead-letters list": [],
    "dead-letters retry": ["1"],
    "forget": ["+56912345678", "--yes"],
    "opt-outs": [],
    "report": [],
    "restored": [],
    "send": ["+56912345678", "Hola"],
    "token create": ["grafana"],
    "token list": [],
    "token revoke": ["grafana"],
}
CREATING = {"migrate", "serve"}
NEEDS_NONE = {"conversations test", "store-key new", "store-key rewrite"}
"""Commands that need a terminal or a key first, or no store at all."""
ADVICE = (
    "Nothing was created or changed. Run the command with the settings of the service: in its folder, or with its "
    "DATABASE_URL. Only `serve` and `migrate` create a store."
)


def leaves(group: click.Group, above: str = "") -> Iterator[str]:
    """The names of all commands."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, f"{above}{name} ")
        else:
            yield above + name


def refused(command: str) -> str:
    """What the command says that finds no store."""
    ran = CliRunner().invoke(main, [*command.split(), *ARGUMENTS[command]])
    assert (ran.exit_code, ran.stdout) == (1, "")
    return ran.stderr[ran.stderr.index("error:") :]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The wrong one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    return tmp_path


@pytest.mark.parametrize("command", [name for name in leaves(main) if name not in CREATING | NEEDS_NONE])
def test_no_other_command_makes_a_store(folder: Path, command: str) -> None:
    assert refused(command) == (
        f"error: There is no store at sqlite:///data/horizonai.db: there is no file {folder}/data/horizonai.db. The "
        f"address is the default, since DATABASE_URL is set neither in the environment nor in {folder}/.env. {ADVICE}\n"
    )
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("command", sorted(NEEDS_NONE))
def test_what_ends_before_it_needs_a_store_makes_none(folder: Path, command: str) -> None:
    CliRunner().invoke(main, [*command.split(), *ARGUMENTS[command]])
    assert list(folder.iterdir()) == []


def test_it_is_said_that_the_env_file_names_the_store(folder: Path) -> None:
    (folder / ".env").write_text(f"DATABASE_URL=sqlite:///{folder}/other.db\n")
    assert refused("dead-letters list") == (
        f"error: There is no store at sqlite:///{folder}/other.db: there is no file {folder}/other.db. The address is "
        f"that of DATABASE_URL in {folder}/.env. {ADVICE}\n"
    )


def test_file_without_tables_is_no_store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "empty.db").touch()
    monkeypatch.setenv("DATABASE_URL", "sqlite:///empty.db")
    assert refused("token list").startswith(
        "error: There is no store at sqlite:///empty.db: the database has none of its tables. The address is that of "
        "DATABASE_URL in the environment. "
    )


@pytest.fixture
def empty_database(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database on a PostgreSQL server without a table, whose address has a password."""
    url = make_empty_database()
    monkeypatch.setenv("DATABASE_URL", url.replace("@", ":secreto@", 1))
    yield url
    drop_database(url)


@pytest.mark.postgres
@pytest.mark.parametrize("command", ["dead-letters list", "forget"])
def test_database_without_tables_is_no_store(empty_database: str, command: str) -> None:
    masked = empty_database.replace("@", ":***@", 1)
    assert refused(command) == (
        f"error: There is no store at {masked}: the database has none of its tables. The address is that of "
        f"DATABASE_URL in the environment. {ADVICE}\n"
    )
    with psycopg.connect(empty_database) as connection:
        assert connection.execute("SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)
