"""Where what is shown goes: the result to stdout, logs to stderr, colours to a terminal only."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.forked import ROOT
from tests.reconciler.agency import Agency
from tests.reconciler.terminal import on_a_terminal

ESCAPE = "\x1b["


@pytest.mark.parametrize("command", ["--dry-run", "--yes"])
def test_stdout_is_json_and_nothing_else_while_logs_go_to_stderr(agency: Agency, command: str) -> None:
    agency.declare("cliente-a", number="+15551234567")
    agency.declare("cliente-b", assistant={"model": "gpt-6-lnua"})
    result = agency.reconcile(command, "--format", "json")
    assert result.document["summary"]["errors"] == 1
    assert "2 warnings in the manifests" in result.err


def test_after_an_apply_the_json_tells_what_became_of_each_change(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.sandbox.faults({"kind": "status", "status": 400, "method": "POST", "path": "/v2/"})
    document = agency.reconcile("--yes", "--format", "json").document
    assert [(outcome["id"], outcome["status"]) for outcome in document["outcomes"]] == [
        ("cliente-a/assistant/create/responses", "applied"),
        (f"cliente-a/bot/create/{agency.number('cliente-a')}", "applied"),
        (f"cliente-a/sender/update/{agency.number('cliente-a')}", "failed"),
    ]


def test_beside_a_result_for_programs_the_log_is_one_json_object_a_line(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.apply()
    agency.declare("cliente-b")
    lines = [json.loads(line) for line in agency.apply("--format", "json").err.splitlines()]
    assert lines
    assert all(line["event"] and line["level"] for line in lines)


def test_no_json_stands_amid_text_for_people(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.declare("cliente-b")
    agency.sandbox.faults({"kind": "status", "status": 400, "method": "POST", "path": "/v2/", "times": 1})
    result = agency.reconcile("--yes")
    assert result.code == 4
    assert "{" not in result.said
    assert re.search(r"^failed  cliente-.: sender \S+: update: .* answered 400", result.err, re.MULTILINE)
    assert result.err.splitlines()[-1] == "applying: 6 of 6 changes are done."


def test_a_file_gets_the_plan_and_stdout_nothing(agency: Agency) -> None:
    agency.declare("cliente-a")
    shown = agency.reconcile("--dry-run", "--format", "markdown").out
    result = agency.reconcile("--dry-run", "--format", "markdown", "--out", "plan.md")
    assert (result.code, result.out) == (0, "")
    assert (agency.folder / "plan.md").read_text(encoding="utf-8") == shown


def test_a_file_that_cannot_be_written_is_a_sentence(agency: Agency) -> None:
    agency.declare("cliente-a")
    result = agency.reconcile("--dry-run", "--out", "no-hay/plan.md")
    assert result.code == 1
    assert "no-hay/plan.md" in result.err


def test_a_reader_that_goes_away_is_no_traceback(agency: Agency) -> None:
    agency.declare("cliente-a", assistant={"instructions": "Eres breve.\n" * 20_000})
    done = in_a_shell(agency, "reconcile --dry-run | head -1")
    assert done.stdout == "cliente-a\n"
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_a_pipe_gets_no_colours(agency: Agency) -> None:
    agency.declare("cliente-a")
    assert ESCAPE not in agency.reconcile("--dry-run").said


def test_a_terminal_gets_colours(agency: Agency) -> None:
    agency.declare("cliente-a")
    code, shown = on_a_terminal(agency, "--dry-run")
    assert code == 0
    assert f"{ESCAPE}32m+ assistant responses{ESCAPE}0m" in shown


def test_a_terminal_whose_user_wants_none_gets_no_colours(agency: Agency) -> None:
    agency.declare("cliente-a")
    assert not re.search(r"\x1b\[[\d;]*m", on_a_terminal(agency, "--dry-run", NO_COLOR="1")[1])


def test_a_terminal_is_asked_and_a_no_changes_nothing(agency: Agency) -> None:
    agency.declare("cliente-a")
    code, shown = on_a_terminal(agency, answer="n")
    assert code == 1
    assert "Apply 3 changes? [y/N]: n" in shown
    assert "Stopped; nothing was changed." in shown
    assert agency.writes() == 0
    assert not agency.store_file.exists()


def test_a_terminal_is_asked_and_a_yes_applies(agency: Agency) -> None:
    agency.declare("cliente-a")
    code, shown = on_a_terminal(agency, answer="y")
    assert code == 0
    assert "Applied: 3 applied, 0 failed, 0 skipped." in shown
    assert agency.changes() == []


def test_a_terminal_is_not_asked_when_there_is_nothing_to_do(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.apply()
    code, shown = on_a_terminal(agency, NO_COLOR="1")
    assert (code, shown.splitlines()[-1].endswith("No changes: 1 client checked.")) == (0, True)


def test_a_terminal_shows_that_sources_are_read_and_a_pipe_does_not(agency: Agency) -> None:
    agency.declare("cliente-a")
    code, shown = on_a_terminal(agency, "--dry-run")
    assert (code, "Reading the bot store, OpenAI and Twilio" in shown) == (0, True)
    assert "Reading" not in agency.reconcile("--dry-run").said


def test_ctrl_c_does_not_wait_for_a_provider_that_is_silent(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.sandbox.faults({"kind": "latency", "seconds": 300, "method": "GET"})
    running = agency.start("--dry-run")
    agency.await_fault()
    running.signal(signal.SIGINT)
    result = running.wait()
    assert (result.code, result.out) == (1, "")
    assert result.err == "Stopped; nothing was changed.\n"


@pytest.mark.parametrize("command", ["--dry-run --verbose", "import", "doctor cliente-a"])
def test_a_name_that_somebody_else_gave_does_not_act_on_the_terminal(agency: Agency, command: str) -> None:
    bell = "\x1b]0;hola\x07Ajeno"
    agency.openai("POST", "/assistants", {"model": "gpt-6-luna", "name": bell})
    agency.declare("cliente-a", assistant={"engine": "assistants"})
    reasons = [{"code": "63020", "message": bell}]
    agency.sandbox.change(agency.number("cliente-a"), status="OFFLINE", offline_reasons=reasons)
    out = agency.reconcile(*command.split()).out
    assert "\\x1b]0;hola\\x07Ajeno" in out
    assert "\x1b" not in out


FULL_DISK = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")


def in_a_shell(agency: Agency, command: str) -> subprocess.CompletedProcess[str]:
    """Run a shell's command line, in which `reconcile` is the command."""
    program = f"{sys.executable} -m reconciler.cli"
    return subprocess.run(
        command.replace("reconcile", program),
        shell=True,
        cwd=agency.folder,
        env={**agency.environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@FULL_DISK
@pytest.mark.parametrize("command", ["validate", "--dry-run", "--yes", "status", "--help", "render cliente-a"])
def test_a_full_disk_under_the_output_is_a_sentence_and_no_success(agency: Agency, command: str) -> None:
    agency.declare("cliente-a")
    done = in_a_shell(agency, f"reconcile {command} > /dev/full")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "error: The output cannot be written: No space left on device."
    assert "Traceback" not in done.stderr
    assert agency.writes() == 0


@FULL_DISK
def test_an_apply_whose_outcome_cannot_be_shown_says_where_it_stands(agency: Agency) -> None:
    agency.declare("cliente-a")
    done = in_a_shell(agency, "reconcile --yes --format json > /dev/full")
    assert done.returncode == 1
    assert "their outcomes cannot be shown; `reconcile history` lists them." in done.stderr
    assert "Traceback" not in done.stderr
    assert agency.runs()[0]["outcome"] == "applied"


@FULL_DISK
def test_a_log_on_a_full_disk_does_not_cut_off_an_apply(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.apply()
    agency.declare("cliente-b")
    done = in_a_shell(agency, "reconcile --yes 2> /dev/full")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "Applied: 3 applied, 0 failed, 0 skipped.")
    assert agency.runs()[0]["outcome"] == "applied"


@FULL_DISK
def test_a_refusal_that_cannot_be_told_keeps_its_exit_code(agency: Agency) -> None:
    agency.declare("cliente-a")
    assert in_a_shell(agency, "reconcile --expect abc 2> /dev/full").returncode == 5


@pytest.mark.parametrize("command", ["validate", "--dry-run", "--yes", "history", "--version"])
def test_a_closed_output_is_a_sentence_and_nothing_is_done(agency: Agency, command: str) -> None:
    agency.declare("cliente-a")
    done = in_a_shell(agency, f"reconcile {command} >&-")
    assert done.returncode == 1
    assert done.stderr.startswith("error: stdout is closed, so the result could not be written; nothing was done.")
    assert len(done.stderr.splitlines()) == 1
    assert agency.writes() == 0


@pytest.mark.parametrize("closed", ["2>&-", "<&-", "<&- 2>&-"])
def test_other_closed_streams_change_nothing(agency: Agency, closed: str) -> None:
    agency.declare("cliente-a")
    agency.apply()
    agency.declare("cliente-b")
    done = in_a_shell(agency, f"reconcile --yes {closed}")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "Applied: 3 applied, 0 failed, 0 skipped.")
    assert in_a_shell(agency, f"reconcile {closed}").returncode == 1
