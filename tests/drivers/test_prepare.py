"""Both drivers: what messages hold is prepared before the engine is asked, and what that cost is paid once."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.drivers.fleet import Fleet, answers, fleet_on
from tests.drivers.test_conformance import MODEL
from tests.runtime_process import Line
from tests.sandbox_process import Sandbox, wait_until

STORES = ["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.long])]
"""SQLite is the short form: the statements are the same."""
TOOL = {"type": "function", "name": "crear_reserva", "parameters": {"type": "object", "properties": {}}}


@dataclass(slots=True)
class Transcriber:
    """A server that transcribes voice notes, and a client's that books; each numbers what it answers."""

    url: str = ""
    paid: list[str] = field(default_factory=list)
    """The voice notes that were transcribed, in order."""
    booked: int = 0
    free: threading.Event = field(default_factory=threading.Event)
    """Cleared, nothing is answered."""


@pytest.fixture
def transcriber() -> Iterator[Transcriber]:
    served = Transcriber()
    served.free.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/reservas":
                served.booked += 1
                said = f'"reserva {served.booked}"'
            else:
                served.paid.append(body.decode())
                said = f"llama a crear_reserva {{}} dijo {len(served.paid)}"
            served.free.wait()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            try:
                self.wfile.write(said.encode())
            except ConnectionError:
                return  # the runtime that asked was killed

        def log_message(self, *_arguments: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield served
    served.free.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=STORES)
def fleet(
    request: pytest.FixtureRequest, tmp_path: Path, sandbox: Sandbox, transcriber: Transcriber
) -> Iterator[Fleet]:
    program, url = "tests.drivers.preparing", f"{transcriber.url}/"
    with fleet_on(request.param, tmp_path, sandbox, program, TRANSCRIBER_URL=url) as fleet:
        yield fleet


def speak(fleet: Fleet, line: Line, url: str) -> None:
    """The user sends a voice note."""
    voice = {"NumMedia": "1", "MediaUrl0": url, "MediaContentType0": "audio/ogg"}
    assert fleet.deliver(line, "", **voice).status == 200


def test_what_was_paid_for_is_not_paid_for_again_by_who_resumes_the_turn(
    fleet: Fleet, sandbox: Sandbox, transcriber: Transcriber
) -> None:
    shop = fleet.open_line()
    sandbox.faults(MODEL | {"kind": "timeout_before_write", "seconds": 60})
    speak(fleet, shop, "https://media/1")
    wait_until(lambda: sandbox.fired() == 1, what="the model to be asked")
    fleet.kill()
    sandbox.faults()
    fleet.start_again()

    (said,) = answers(shop, 1)

    assert "dijo 1" in said
    assert "audio/ogg" not in said
    assert transcriber.paid == ["https://media/1"]
    assert fleet.rows("SELECT starts, progress FROM turns") == [(2, None)]
    fleet.deliver(shop, "¿Y entonces?")
    assert "turn 2" in answers(shop, 2)[1]


def test_an_attempt_after_a_failure_of_the_model_pays_nothing(
    fleet: Fleet, sandbox: Sandbox, transcriber: Transcriber
) -> None:
    shop = fleet.open_line()
    sandbox.faults(shop.only(MODEL | {"kind": "status", "status": 500, "times": 2}))
    speak(fleet, shop, "https://media/1")
    speak(fleet, shop, "https://media/2")

    wait_until(lambda: "dijo 2" in " ".join(entry["body"] for entry in shop.outbound()), what="both answers")

    assert transcriber.paid == ["https://media/1", "https://media/2"]


def test_what_was_prepared_and_what_was_called_are_kept_beside_each_other(
    fleet: Fleet, sandbox: Sandbox, transcriber: Transcriber
) -> None:
    made = fleet.replicas[0].made(
        "/assistants/", {"name": "A", "instructions": "I", "model": "gpt-6-luna", "tools": [TOOL]}
    )
    functions = {"crear_reserva": {"url": f"{transcriber.url}/reservas"}}
    shop = fleet.open_line(assistant_id=made["id"], functions=functions)
    sandbox.faults(MODEL | {"kind": "timeout_before_write", "seconds": 60, "after": 1})
    speak(fleet, shop, "https://media/1")
    wait_until(lambda: sandbox.fired() == 1, what="the model to be told what was booked")
    fleet.kill()
    sandbox.faults()
    fleet.start_again()

    (said,) = answers(shop, 1)

    assert "reserva 1" in said
    assert (transcriber.paid, transcriber.booked) == (["https://media/1"], 1)


@pytest.mark.long
def test_what_a_crash_left_unknown_is_paid_for_again_and_answered_once(
    fleet: Fleet, sandbox: Sandbox, transcriber: Transcriber
) -> None:
    shop = fleet.open_line()
    transcriber.free.clear()
    speak(fleet, shop, "https://media/1")
    wait_until(lambda: len(transcriber.paid) == 1, what="the voice note to be transcribed")
    fleet.kill()
    transcriber.free.set()
    fleet.start_again()

    (said,) = answers(shop, 1)

    assert "dijo 2" in said
