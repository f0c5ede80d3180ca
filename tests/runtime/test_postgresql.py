"""The runtime on PostgreSQL: the same behaviour, another store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runtime.stores import drop_database, make_database
from tests.runtime_process import Runtime, open_line, start_runtime
from tests.sandbox_process import Sandbox, wait_until

pytestmark = pytest.mark.postgres


@pytest.fixture
def runtime_on_postgresql(tmp_path: Path, sandbox: Sandbox) -> Iterator[Runtime]:
    url = make_database()
    running = start_runtime(tmp_path, sandbox, DATABASE_URL=url, REPLY_WITHIN_SECONDS="0.5")
    yield running
    if running.process.returncode is None:
        running.stop()
    drop_database(url)


def test_answers_remembers_and_survives_a_kill(runtime_on_postgresql: Runtime, sandbox: Sandbox) -> None:
    runtime = runtime_on_postgresql
    shop = open_line(runtime, sandbox)
    assert "turn 1" in shop.ask("Hola")
    runtime.api("PUT", f"/bots/{shop.bot['id']}", {"instructions": "Eres nuevo."})
    assert "Eres nuevo." in shop.ask("¿Y ahora?")
    shop.write("piensa 2s", wait=0)
    runtime.wait_for_turns(1)
    runtime.kill()
    runtime.start_again()
    wait_until(lambda: len(shop.outbound()) == 3, 20, "the answer after the restart")
    assert "turn 4" in shop.ask("gracias")
    assert len(shop.outbound()) == 4
