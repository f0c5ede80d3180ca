"""Prometheus itself reads the alerts and the dashboard, and each alert fires when it should and not before."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "deploy/prometheus/alerts.yml"
SCENES = sorted(path.name for path in Path(__file__).parent.glob("alerts*_test.yml"))
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed here (Debian: apt-get install prometheus)"
)


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True)


@needs_promtool
@pytest.mark.parametrize("scenes", SCENES)
def test_every_alert_fires_when_it_should_and_not_before(scenes: str) -> None:
    done = promtool("test", "rules", Path(__file__).parent / scenes)

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_scene_in_which_it_fires() -> None:
    rules = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    played = "".join((Path(__file__).parent / name).read_text() for name in SCENES)
    fires = set(re.findall(r'alertname="(\w+)", alertstate="firing"|alertname: (\w+)', played))

    assert {rule["alert"] for rule in rules} == {"".join(name) for name in fires}


@needs_promtool
def test_prometheus_understands_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    dashboard = json.loads((ROOT / "deploy/grafana/dashboard.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    filled_in = [each.replace("$__rate_interval", "1m").replace("$client", ".*") for each in expressions]
    rules = [{"record": f"panel:{number}", "expr": each} for number, each in enumerate(filled_in)]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))

    done = promtool("check", "rules", tmp_path / "rules.yml")

    assert expressions
    assert done.returncode == 0, done.stdout + done.stderr
