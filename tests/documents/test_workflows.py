"""A change on its way through the shipped workflows: the plan in a comment, exactly that plan after the merge."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.documents.workflow import ARTIFACT, HEAD, Repository, commands_taken, needs_jq
from tests.reconciler.agency import PUBLIC_URL, Agency

GOLDEN = Path(__file__).parent / "golden" / "pr_comment.md"
PROMPT = "Eres el asistente del restaurante.\nLos lunes cerramos.\nContesta con <calma> y `cuidado`.\n"

pytestmark = needs_jq


@pytest.fixture
def repository(agency: Agency) -> Repository:
    """A fleet in daily use: a prompt was edited, a client is new, a webhook was changed in Twilio's console."""
    agency.declare("la-cocina", assistant={"instructions": PROMPT})
    agency.declare("cliente-a")
    agency.apply()
    agency.declare("la-cocina", assistant={"instructions": PROMPT.replace("lunes", "martes")})
    agency.declare("ferreteria-sur", name="Ferretería | Sur")
    agency.sandbox.change(agency.number("cliente-a"), webhook={"callback_url": "https://otro.cl/webhook"})
    return Repository(agency)


def test_the_comment_shows_the_plan(repository: Repository) -> None:
    assert repository.plan() == 0, repository.said
    [comment] = repository.comments
    shown = re.sub(r"\b[0-9a-f]{64}\b", "0" * 64, comment["body"])
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(shown, encoding="utf-8")
    assert shown == GOLDEN.read_text(encoding="utf-8")


def test_the_comment_shows_the_mistakes_of_a_manifest(agency: Agency) -> None:
    agency.declare("cliente-b", telefono="hola")
    repository = Repository(agency)
    assert repository.plan() == 1
    [comment] = repository.comments
    assert comment["body"].startswith(f"<!-- reconcile plan {HEAD} none -->\n### There is no plan\n\n```text\n")
    assert re.search(r"^clients\.d/cliente-b\.yaml:\d+:1: telefono: unknown key\.", comment["body"], re.MULTILINE)


def test_what_a_crash_prints_is_in_the_log_and_not_in_the_comment(agency: Agency) -> None:
    agency.declare("cliente-b")
    repository = Repository(agency)
    program = agency.folder / ".venv" / "bin" / "reconcile"
    program.unlink()
    program.write_text("#!/bin/sh\necho 'Traceback: sk-secreto' >&2; exit 1\n")
    program.chmod(0o755)
    assert repository.plan() == 1
    [comment] = repository.comments
    assert comment["body"].endswith(
        "There is no plan: `reconcile --dry-run` ended with exit code 1; the log of this step says why.\n\n"
        "The test cases were not tried: `reconcile test` ended with exit code 1; the log of this step says why.\n"
    )
    assert "sk-secreto" in repository.said


@pytest.mark.long
def test_a_client_that_does_not_fit_the_comment_is_named_there_and_shown_on_the_page(repository: Repository) -> None:
    lines = [f"Línea {number} de un prompt muy largo." for number in range(2500)]
    repository.agency.declare("la-cocina", assistant={"instructions": "\n".join(lines)})
    assert repository.plan() == 0, repository.said
    [comment] = repository.comments
    assert "*1 more client does not fit here: la\\-cocina \\~." in comment["body"]
    assert comment["body"].endswith(f"[The whole plan as a page]({ARTIFACT})\n")
    assert [line for line in lines if line not in repository.artifact] == []
    assert repository.apply() == 0, repository.said


COMMANDS = [
    "::error::roto",
    "  ::set-output name=digest::00",
    "::add-mask::lunes",
    "a ##[error]roto",
    "::stop-commands::x",
]


def test_no_line_of_a_prompt_is_a_command_to_the_runner(repository: Repository) -> None:
    agency = repository.agency
    agency.declare("la-cocina", assistant={"instructions": "\n".join([*COMMANDS, "uno", *COMMANDS])})
    agency.apply()
    agency.declare("la-cocina", assistant={"instructions": "\n".join([*COMMANDS, "dos", *COMMANDS])})
    repository.plan()
    agency.declare("cliente-b")  # so that the plan of now is shown, and our own command comes after it
    assert repository.apply() == 5
    assert "##[error]roto" in repository.said
    [taken] = commands_taken(repository.said)
    assert taken.startswith("::error::Nothing was applied: the plan of now is not the one")


@pytest.mark.long
@pytest.mark.parametrize(
    ("who", "why"),
    [
        ({"head_repository": "otra/clientes"}, "This pull request comes from a fork"),
        ({"actor": "dependabot[bot]"}, "This push is Dependabot's"),
    ],
    ids=["fork", "dependabot"],
)
def test_a_pull_request_without_secrets_is_validated_and_says_that_it_has_no_plan(
    agency: Agency, who: dict[str, str], why: str
) -> None:
    agency.declare("cliente-b")
    repository = Repository(agency, **who)
    assert repository.plan() == 0, repository.said
    assert repository.summary.startswith(f"{why}, which gets no credentials: its manifests are valid, but there is no")
    assert repository.comments == []
    agency.declare("cliente-b", telefono="hola")
    assert repository.plan() == 1
    assert "telefono: unknown key" in repository.said


def test_the_plan_that_was_shown_is_applied_after_the_merge(repository: Repository) -> None:
    repository.plan()
    assert repository.apply() == 0, repository.said
    assert repository.agency.changes() == []


@pytest.mark.long
def test_where_and_how_twilio_calls_is_set_by_the_repositorys_variables(repository: Repository) -> None:
    repository.agency.environment |= {
        "FALLBACK_URL": "https://respaldo.agencia.cl",
        "WEBHOOK_CONNECTION_OVERRIDES": "rc=5&rp=all",
    }
    repository.plan()
    assert repository.apply() == 0, repository.said
    webhook = repository.agency.sender("la-cocina")["webhook"]
    assert webhook["callback_url"] == f"{PUBLIC_URL}/webhook/whatsapp#rc=5&rp=all"
    assert webhook["fallback_url"] == "https://respaldo.agencia.cl/webhook/whatsapp#rc=5&rp=all"


@pytest.mark.long
def test_a_later_push_replaces_the_comment_and_what_it_agrees_to(repository: Repository) -> None:
    repository.plan()
    repository.agency.declare("cliente-b")
    repository.plan()
    [comment] = repository.comments
    assert "cliente-b" in comment["body"]
    assert repository.apply() == 0, repository.said


def test_a_plan_that_went_stale_is_not_applied_and_the_plan_of_now_is_shown(repository: Repository) -> None:
    repository.plan()
    agency = repository.agency
    agency.sandbox.change(agency.number("la-cocina"), webhook={"callback_url": "https://otro.cl/webhook"})
    writes = agency.writes()
    assert repository.apply() == 5
    assert agency.writes() == writes
    assert "::error::Nothing was applied: the plan of now is not the one that was agreed on" in repository.said
    repository.digest_given = agency.plan()["digest"]
    assert f"Digest: `{repository.digest_given}`" in repository.summary
    assert repository.apply() == 0, repository.said


@pytest.mark.long
def test_what_an_apply_in_part_left_to_do_is_shown_and_applied_by_its_digest(repository: Repository) -> None:
    repository.plan()
    agency = repository.agency
    agency.sandbox.faults({"kind": "status", "status": 400, "method": "POST", "path": "/v2/", "times": 1})
    assert repository.apply() == 4
    assert "::error::Applied in part" in repository.said
    repository.digest_given = agency.plan()["digest"]
    assert f"Digest: `{repository.digest_given}`" in repository.summary
    assert repository.apply() == 0, repository.said
    assert agency.changes() == []


@pytest.mark.long
def test_a_plan_of_an_earlier_commit_is_not_what_was_agreed_on(repository: Repository) -> None:
    repository.head = "00" * 20
    repository.plan()
    assert HEAD not in repository.comments[0]["body"]
    assert repository.apply() == 1
    assert "::error::No plan was shown for this commit" in repository.said


@pytest.mark.long
def test_a_push_without_a_pull_request_applies_nothing(repository: Repository) -> None:
    repository.plan()
    repository.push_directly()
    assert repository.apply() == 1
    assert "::error::No plan was shown for this commit" in repository.said
