"""The short form of `make chaos`: everything is answered once, in order, by the right one, across kills."""

from pathlib import Path

import pytest

from tests.chaos.fleet import REPLICAS, fleet
from tests.chaos.report import stories
from tests.chaos.scenario import SHORT, scenario
from tests.chaos.storm import Storm
from tests.sandbox_process import Sandbox

SEED = 7


@pytest.mark.parametrize(
    "store", ["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.long])]
)
def test_nothing_is_lost_doubled_or_confused_across_kills(tmp_path: Path, sandbox: Sandbox, store: str) -> None:
    with fleet(tmp_path / "runtimes", sandbox, store, SEED) as runtimes:
        outcome = Storm(scenario(SHORT, SEED, REPLICAS[store]), sandbox, runtimes).play()

    assert not outcome.verdict.violations, stories(outcome)
    assert set(outcome.exit_codes) == {0}
    assert len(outcome.verdict.messages) == SHORT.messages
    assert len(outcome.killed) == SHORT.kills
