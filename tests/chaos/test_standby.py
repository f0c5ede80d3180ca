"""The drill of docs/operations.md: the server of PostgreSQL crashes while messages come in, and its standby is
promoted. The replicas find it by themselves; what was acknowledged is answered, once."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from tests.chaos.fleet import REPLICAS, fleet
from tests.chaos.report import stories
from tests.chaos.scenario import Scale, scenario
from tests.chaos.storm import Storm
from tests.postgresql_cluster import Cluster, binaries
from tests.sandbox_process import Sandbox, wait_until

SEED = 7
DRILL = Scale(messages=200, conversations=25, clients=4, kills=0, seconds=10, patience=40)
CRASH_SECONDS = 4.0
"""After the start."""
NOTICE_SECONDS = 2.0
"""How long it takes to notice the crash."""


@pytest.fixture
def clusters() -> Iterator[tuple[Cluster, Cluster]]:
    """A server and its synchronous standby."""
    found = binaries()
    if found is None or not (found / "pg_basebackup").exists():
        reason = "initdb and pg_basebackup are not installed (Debian: postgresql)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="standby-") as folder, ExitStack() as cleanup:
        Path(folder).chmod(0o711)
        primary, standby = Cluster(found, Path(folder, "primary")), Cluster(found, Path(folder, "standby"))
        primary.create()
        cleanup.callback(primary.stop)
        primary.start()
        standby.copy(primary)
        cleanup.callback(standby.stop)
        standby.start()
        # Set after the copy: once promoted, the standby would wait for one of its own.
        asked(primary, "ALTER SYSTEM SET synchronous_standby_names = '*'")
        asked(primary, "SELECT pg_reload_conf()")
        wait_until(
            lambda: asked(primary, "SELECT sync_state FROM pg_stat_replication") == [("sync",)], what="a standby"
        )
        yield primary, standby


def asked(cluster: Cluster, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(f"{cluster.url}/postgres", autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


@pytest.mark.long
@pytest.mark.postgres
def test_a_standby_is_promoted_while_messages_come_in(
    tmp_path: Path, sandbox: Sandbox, clusters: tuple[Cluster, Cluster]
) -> None:
    primary, standby = clusters
    asked(primary, "CREATE DATABASE horizonai")
    servers = f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}"
    url = f"postgresql://postgres@{servers}/horizonai?target_session_attrs=read-write"

    def fail_over() -> None:
        primary.stop()
        time.sleep(NOTICE_SECONDS)
        standby.promote()

    plan = scenario(DRILL, SEED, REPLICAS["postgresql"])
    with fleet(tmp_path / "runtimes", sandbox, "postgresql", SEED, url, DEBOUNCE_SECONDS=plan.pause) as runtimes:
        outcome = Storm(plan, sandbox, runtimes, promotion=(CRASH_SECONDS, fail_over)).play()

    assert not outcome.verdict.violations, stories(outcome)
    assert outcome.miscounted == []
    assert set(outcome.exit_codes) == {0}
    ((crashed_at, _),) = outcome.troubled
    before = [message for message in outcome.verdict.messages if message.acknowledged_at < crashed_at]
    in_flight = [message for message in before if message.answered_at > crashed_at]
    assert in_flight, "the crash found nothing in flight"
    assert len(before) < outcome.verdict.acknowledged, "nothing was acknowledged after the crash"
