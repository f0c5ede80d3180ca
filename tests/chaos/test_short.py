"""The short form of `make chaos`: what was acknowledged is answered once, in order, by the right one, across kills."""

from pathlib import Path

from tests.chaos.fleet import fleet
from tests.chaos.report import stories
from tests.chaos.scenario import SHORT, scenario
from tests.chaos.storm import Storm
from tests.sandbox_process import Sandbox

SEED = 7


def test_nothing_acknowledged_is_lost_doubled_or_confused_across_kills(tmp_path: Path, sandbox: Sandbox) -> None:
    with fleet(tmp_path / "runtime", sandbox, "sqlite", SEED) as runtimes:
        outcome = Storm(scenario(SHORT, SEED), sandbox, runtimes).play()

    assert not outcome.verdict.violations, stories(outcome)
    assert outcome.exit_codes == [0]
    assert len(outcome.verdict.messages) == SHORT.messages
    assert len(outcome.killed) == SHORT.kills
