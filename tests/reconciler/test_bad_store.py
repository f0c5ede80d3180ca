"""The bot store is not there, is something else, or does not let us in."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from runtime.store.client.snapshot import read_snapshot
from runtime.store.errors import StoreUnreachable
from tests.reconciler.agency import API_TOKEN, Agency


@pytest.fixture
def closed_port() -> int:
    """A port of this machine on which no process listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def server(status: int, body: str) -> Iterator[str]:
    """A web server that answers everything with one status and body; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Nothing on stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_port}"
        finally:
            listening.shutdown()
            thread.join()


def refused(agency: Agency, url: str, *said: str) -> None:
    """Neither plan nor apply continue with this store: one sentence on stderr, nothing on stdout, no client changed."""
    agency.declare("cliente-a")
    for command in ("--dry-run", "--yes"):
        result = agency.reconcile(command, BOT_STORE_URL=url)
        assert (result.code, result.out) == (1, ""), result.said
        assert result.err.count("\n") == 1
        for text in said:
            assert text in result.err
    assert agency.writes() == 0


def test_a_file_that_is_not_a_database(agency: Agency) -> None:
    path = agency.folder / "carta.txt"
    path.write_text("Estimados:\n" * 500, encoding="utf-8")
    refused(agency, f"sqlite:///{path}", str(path), "file is not a database")
    assert path.read_text(encoding="utf-8") == "Estimados:\n" * 500


def test_a_folder_in_place_of_a_file(agency: Agency) -> None:
    refused(agency, f"sqlite:///{agency.folder}", str(agency.folder), "check")


def test_a_path_that_cannot_be_written_to(agency: Agency) -> None:
    agency.declare("cliente-a")
    (agency.folder / "fichero").write_text("", encoding="utf-8")
    result = agency.reconcile("--yes", BOT_STORE_URL=f"sqlite:///{agency.folder}/fichero/store.db")
    assert (result.code, result.out) == (1, "")
    assert "fichero/store.db" in result.err
    assert agency.writes() == 0


def test_a_runtime_that_does_not_listen(agency: Agency, closed_port: int) -> None:
    refused(agency, f"http://127.0.0.1:{closed_port}", "cannot be reached", "check BOT_STORE_URL")


def test_a_database_server_that_does_not_listen_and_whose_password_stays_hidden(
    agency: Agency, closed_port: int
) -> None:
    refused(agency, f"postgresql://bot:wrong-key@127.0.0.1:{closed_port}/bots", "bot:***@", "cannot be reached")


def test_a_token_that_the_runtime_does_not_know(agency: Agency) -> None:
    body = json.dumps({"error": {"code": "unauthorized", "message": "The token is not known."}})
    with server(401, body) as url:
        refused(agency, url, "refused the token", "Set API_TOKEN to a valid one.")


def test_a_runtime_that_answers_with_a_web_page(agency: Agency) -> None:
    with server(200, "<html>hola</html>") as url:
        refused(agency, url, "answered 200 with something other than JSON")


def test_a_runtime_that_never_answers(agency: Agency) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(StoreUnreachable, match="cannot be reached: timed out"):
            read_snapshot(f"http://127.0.0.1:{silent.getsockname()[1]}", API_TOKEN, timeout=0.2)
    assert time.monotonic() - began < 5


def test_a_token_is_never_sent_unencrypted_to_another_machine(agency: Agency) -> None:
    refused(agency, "http://whatsapp.agencia.example", "would be sent the token unencrypted; use https://")


def test_an_address_of_no_known_kind_whose_password_stays_hidden(agency: Agency) -> None:
    refused(agency, "mysql://bot:wrong-key@127.0.0.1/bots", "mysql://bot:***@127.0.0.1/bots", "sqlite:///")


def test_a_store_of_a_generation_that_this_program_does_not_know(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.apply()
    agency.break_in("UPDATE alembic_version SET version_num = 'v9_0001'")
    result = agency.reconcile("--dry-run")
    assert (result.code, result.out) == (1, "")
    assert "v9_0001" in result.err


def test_a_store_that_lacks_a_table_is_to_be_migrated_and_not_out_of_reach(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.apply()
    agency.break_in("DROP TABLE applied")
    for command in ("--dry-run", "--yes", "drift"):
        result = agency.reconcile(command)
        assert (result.code, result.out) == (1, ""), result.said
        assert "lacks a part of the schema" in result.err
        assert "run `horizonai-whatsapp-bot migrate`" in result.err
        assert "reached" not in result.err


def test_a_store_that_refuses_one_clients_bot_stops_that_client_only(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.apply()
    agency.break_in(
        "CREATE TRIGGER full BEFORE INSERT ON bots WHEN NEW.id = 'cliente-b' BEGIN SELECT RAISE(ABORT, 'lleno'); END"
    )
    agency.declare("cliente-b")
    agency.declare("cliente-c")
    result = agency.reconcile("--yes")
    assert result.code == 4
    assert f"failed  cliente-b: bot {agency.number('cliente-b')}: create: " in result.out
    assert f"skipped  cliente-b: sender {agency.number('cliente-b')}: update: bot failed." in result.out
    assert "cliente-c" in {bot.id for bot in agency.snapshot().bots}
    agency.break_in("DROP TRIGGER full")
    agency.apply()
    assert agency.changes() == []


def test_a_store_that_fails_at_the_end_of_a_run_does_not_hide_what_was_applied(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.apply()
    agency.break_in("CREATE TRIGGER full BEFORE UPDATE ON runs BEGIN SELECT RAISE(ABORT, 'lleno'); END")
    agency.declare("cliente-b")
    result = agency.reconcile("--yes")
    assert result.code == 4
    assert "Applied: 3 applied, 0 failed, 0 skipped." in result.out
    assert "The bot store failed, so the outcome of this run is not recorded: " in result.err
    assert "lleno" in result.err
    assert agency.changes() == []
