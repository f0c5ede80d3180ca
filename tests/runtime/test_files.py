"""Files that bots may send: their bytes in the store, over the API, on both databases."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from hashlib import sha256

import pytest

from runtime.store.database.times import timestamp
from tests.drivers.fleet import Fleet, fleet_on
from tests.runtime_process import API_TOKEN, Answer
from tests.sandbox_process import Sandbox, wait_until

DAY = 86_400.0
MENU = b"%PDF-1.7" + os.urandom(700_000)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox
) -> Iterator[Fleet]:
    with fleet_on(request.param, tmp_path_factory.mktemp("files"), sandbox_process) as fleet:
        yield fleet


@pytest.fixture
def fleet(served: Fleet, sandbox: Sandbox) -> Fleet:
    served.rows("DELETE FROM files RETURNING 1")
    served.rows("DELETE FROM file_pieces RETURNING 1")
    return served


def put(fleet: Fleet, content: bytes, named: str | None = None, token: str | None = API_TOKEN) -> Answer:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return fleet.replicas[0].request("PUT", f"/files/{named or sha256(content).hexdigest()}", content, headers)


def pieces(fleet: Fleet) -> int:
    return int(fleet.rows("SELECT count(*) FROM file_pieces")[0][0])


def test_a_file_is_put_in_pieces_once(fleet: Fleet) -> None:
    named = sha256(MENU).hexdigest()
    assert fleet.replicas[-1].api("GET", f"/files/{named}").status == 404
    assert [put(fleet, MENU).status, put(fleet, MENU).status] == [204, 204]
    assert fleet.replicas[-1].api("GET", f"/files/{named}").json == {"sha256": named, "size": len(MENU)}
    assert pieces(fleet) == 3


def test_other_bytes_than_the_hash_names_leave_nothing(fleet: Fleet) -> None:
    assert put(fleet, MENU, sha256(b"other").hexdigest()).error["code"] == "file_differs"
    assert pieces(fleet) == 0
    assert put(fleet, MENU, "x" * 64).error["field"] == "sha256"


def test_a_file_above_the_limit_is_refused_before_it_is_read_whole(fleet: Fleet) -> None:
    runtime = fleet.replicas[0]
    head = f"PUT /files/{'0' * 64} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {API_TOKEN}\r\n"
    with socket.create_connection(("127.0.0.1", runtime.port), timeout=20) as caller:
        caller.sendall(f"{head}Content-Length: 16000001\r\n\r\n".encode())
        assert b" 413 " in caller.recv(1_000)
    with socket.create_connection(("127.0.0.1", runtime.port), timeout=20) as caller:
        caller.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        for _ in range(16):
            caller.sendall(b"%x\r\n%b\r\n" % (1_000_000, bytes(1_000_000)))
        caller.sendall(b"1\r\nx\r\n0\r\n\r\n")
        assert b" 413 " in caller.recv(1_000)
    assert pieces(fleet) == 0


def test_an_upload_that_breaks_off_leaves_nothing(fleet: Fleet) -> None:
    head = f"PUT /files/{'0' * 64} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {API_TOKEN}\r\n"
    with socket.create_connection(("127.0.0.1", fleet.replicas[0].port), timeout=20) as caller:
        caller.sendall(f"{head}Content-Length: 900000\r\n\r\n".encode() + bytes(600_000))
        wait_until(lambda: pieces(fleet) > 0, what="a piece of it")
    wait_until(lambda: pieces(fleet) == 0, what="its pieces deleted")


def test_only_a_token_that_may_write_stores_a_file(fleet: Fleet) -> None:
    assert put(fleet, MENU, token=None).status == 401
    made = fleet.replicas[0].command("token", "create", "reader", "--scope", "read")
    assert put(fleet, MENU, token=made.out.split()[-1]).status == 403
    assert pieces(fleet) == 0


def test_a_file_is_deleted_a_week_after_the_last_bot_named_it(fleet: Fleet) -> None:
    api, named = fleet.replicas[0].api, sha256(MENU).hexdigest()
    assert put(fleet, MENU).status == 204
    menu = {"path": "uno/menu.pdf", "sha256": named, "size": len(MENU), "type": "application/pdf"}
    line = fleet.open_line(policy={"version": 1, "files": {"menu": menu}})

    def since() -> list[str | None]:
        assert api("DELETE", "/files/").json == {"deleted": 0}
        return [found for (found,) in fleet.rows("SELECT unnamed_since FROM files")]

    assert since() == [None]
    assert api("PUT", f"/bots/{line.bot['id']}", {"policy": {}}).status == 200
    assert since() != [None]
    assert api("PUT", f"/bots/{line.bot['id']}", {"policy": {"version": 1, "files": {"menu": menu}}}).status == 200
    assert since() == [None]
    assert api("PUT", f"/bots/{line.bot['id']}", {"policy": {}}).status == 200
    assert since() != [None]
    old = timestamp(time.time() - 7 * DAY - 1)
    fleet.rows(f"UPDATE files SET unnamed_since = '{old}' RETURNING 1")
    assert api("DELETE", "/files/").json == {"deleted": 1}
    assert (fleet.rows("SELECT * FROM files"), pieces(fleet)) == ([], 0)


def test_an_interrupted_upload_is_deleted_a_day_later(fleet: Fleet) -> None:
    now = time.time()
    for began in (now - DAY - 60, now - DAY + 600):
        fleet.rows(f"INSERT INTO file_pieces VALUES ('{timestamp(began)} x', 0, 'abc') RETURNING 1")
    fleet.replicas[0].api("DELETE", "/files/")
    assert pieces(fleet) == 1
