"""deploy/: what compose.yaml, Dockerfile and Caddyfile promise each other and the runtime."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.check_image import DOCKERFILE, steps
from runtime.settings import Settings
from tests.sandbox_process import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
REPLICAS = ("runtime-a", "runtime-b")
CADDYFILE = (ROOT / "deploy/Caddyfile").read_text()
(ONE_SERVER,) = re.findall(r"^```\n(\{\n.*?)^```", (ROOT / "docs/operations.md").read_text(), re.MULTILINE | re.DOTALL)
IMAGE = list(steps(DOCKERFILE.read_text()))


def test_a_service_waits_only_for_services_that_exist_and_can_become_so() -> None:
    for service in SERVICES.values():
        for needed, wish in service.get("depends_on", {}).items():
            other = SERVICES[needed]
            if wish["condition"] == "service_healthy":
                assert "healthcheck" in other or other["image"] == "horizonai"
            else:
                assert other["restart"] == "no"


@pytest.mark.parametrize("replica", REPLICAS)
def test_a_replica_starts_when_the_schema_is_there_and_stops_later_than_its_turns(replica: str) -> None:
    service = SERVICES[replica]
    grace = Settings.model_fields["stop_grace_seconds"].default

    assert service["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    assert (
        int(service["stop_grace_period"].removesuffix("s"))
        > grace + Settings.model_fields["reply_within_seconds"].default
    )


def test_all_of_ours_use_the_same_store_and_image() -> None:
    ours = [SERVICES[name] for name in ("migrate", *REPLICAS)]

    assert len({json.dumps([service["environment"], service["image"]]) for service in ours}) == 1
    assert ours[0]["environment"]["DATABASE_URL"].startswith("postgresql://")


def test_no_secret_is_written_down() -> None:
    text = (ROOT / "deploy/compose.yaml").read_text()

    assert set(re.findall(r"PASSWORD: (\S+)", text)) == {"${POSTGRES_PASSWORD:?set"}
    assert not [line for line in text.splitlines() if re.search(r"(TOKEN|KEY): \S", line)]


def test_every_name_set_for_a_replica_is_a_setting() -> None:
    assert {name.lower() for name in SERVICES["runtime-a"]["environment"]} <= set(Settings.model_fields)


def test_only_the_balancer_is_reached_from_outside() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["balancer"]


def test_the_balancer_knows_every_replica_at_the_port_that_the_image_serves() -> None:
    (exposed,) = [step.arguments for step in IMAGE if step.instruction == "EXPOSE"]
    (command,) = [json.loads(step.arguments) for step in IMAGE if step.instruction == "CMD"]

    assert command[-1] == exposed
    assert f"reverse_proxy {' '.join(f'{replica}:{exposed}' for replica in REPLICAS)} " in CADDYFILE


def test_the_balancer_waits_longer_than_a_webhook_may_take() -> None:
    (seconds,) = re.findall(r"response_header_timeout (\d+)s", CADDYFILE)
    longest = next(limit.le for limit in Settings.model_fields["reply_within_seconds"].metadata if hasattr(limit, "le"))

    assert int(seconds) > longest


@pytest.mark.skipif(shutil.which("caddy") is None, reason="caddy is not installed here (Debian: apt-get install caddy)")
@pytest.mark.parametrize("text", [CADDYFILE, ONE_SERVER], ids=["two replicas", "one server"])
def test_caddy_accepts_its_file(text: str, tmp_path: Path) -> None:
    (tmp_path / "Caddyfile").write_text(text)
    command = ["caddy", "validate", "--adapter", "caddyfile", "--config", tmp_path / "Caddyfile"]
    done = subprocess.run(command, env={"PUBLIC_HOST": "whatsapp.example.cl"}, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("text", [CADDYFILE, ONE_SERVER], ids=["two replicas", "one server"])
def test_the_balancer_gives_up_a_request_that_does_not_arrive(text: str) -> None:
    assert re.search(r"timeouts \{[^}]*read_header \d+s\s+read_body \d+s\s+\}", text)
    assert "request_body {\n\t\tmax_size 1MB\n\t}" in text


def test_metrics_are_not_reached_from_outside() -> None:
    assert "@metrics path /metrics\n\trespond @metrics 404" in CADDYFILE


def test_the_image_installs_only_what_the_lock_names_by_hash() -> None:
    installs = [step.arguments for step in IMAGE if "pip install" in step.arguments]

    assert ["--require-hashes" in command or "--no-deps" in command for command in installs] == [True] * len(installs)


def test_the_image_does_not_run_as_root() -> None:
    last = IMAGE[-1].stage
    (user,) = [step.arguments for step in IMAGE if step.instruction == "USER" and step.stage == last]

    assert user != "0"


def test_every_file_that_the_image_copies_is_let_through_to_its_build() -> None:
    allowed = {
        line[1:] for line in (ROOT / "deploy/Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    copied = {
        source
        for step in IMAGE
        if step.instruction == "COPY" and not step.arguments.startswith("--from=")
        for source in step.arguments.split()[:-1]
    }

    assert copied == allowed
    assert all((ROOT / name).exists() for name in copied)


def test_no_key_of_a_service_is_misspelt() -> None:
    known = {
        "build", "cap_drop", "command", "depends_on", "env_file", "environment", "expose", "healthcheck", "image",
        "logging", "mem_limit", "ports", "read_only", "restart", "security_opt", "shm_size", "stop_grace_period",
        "tmpfs", "volumes",
    }  # fmt: skip

    assert {key for service in SERVICES.values() for key in service} == known
