"""The short form of `make chaos`: everything is answered once, in order, by the right one, across kills."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.chaos.fleet import REPLICAS, fleet
from tests.chaos.people import SECRETS
from tests.chaos.report import stories
from tests.chaos.scenario import SHORT, Scale, scenario
from tests.chaos.storm import Storm
from tests.sandbox_process import Sandbox

SEED = 7
SILENCES = replace(SHORT, freezes=1, cuts=1)


@pytest.mark.parametrize(
    ("store", "scale", "seed"),
    [
        ("sqlite", SHORT, SEED),
        pytest.param("postgresql", SILENCES, SEED, marks=[pytest.mark.postgres, pytest.mark.long]),
        pytest.param("postgresql", SILENCES, SEED + 2, marks=[pytest.mark.postgres, pytest.mark.full], id="no pause"),
    ],
)
def test_nothing_is_lost_doubled_or_confused_across_kills(
    tmp_path: Path, sandbox: Sandbox, store: str, scale: Scale, seed: int
) -> None:
    plan = scenario(scale, seed, REPLICAS[store])
    with fleet(tmp_path / "runtimes", sandbox, store, seed, DEBOUNCE_SECONDS=plan.pause, **SECRETS) as runtimes:
        outcome = Storm(plan, sandbox, runtimes).play()

    assert not outcome.verdict.violations, stories(outcome)
    assert outcome.people == []
    assert outcome.proactive == []
    assert outcome.miscounted == []
    assert set(outcome.exit_codes) == {0}
    assert len(outcome.verdict.messages) == SHORT.messages
    assert len(outcome.killed) == scale.kills
    assert len(outcome.held) == scale.takes
    assert len(outcome.troubled) == scale.freezes + scale.cuts
    assert {"text", "voice", "picture"} == {letter.form for letter in outcome.scenario.letters}
