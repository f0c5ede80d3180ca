"""Answers are recorded once and replayed from git: without a key or a call, and never as green where they lack."""

from __future__ import annotations

import json
import shutil

from tests.forked import ROOT
from tests.reconciler.agency import Agency
from tests.trying.cases import asked, calls_of_the_model, states, tried

NO_KEY = {"OPENAI_API_KEY": None, "OPENAI_BASE_URL": "http://127.0.0.1:9"}


def test_what_is_not_recorded_is_not_judged(agency: Agency) -> None:
    agency.declare("uno", tests={"saluda": asked("Hola")})
    document = tried(agency)
    assert (states(document), document["exit_code"]) == ({"saluda": "unjudged"}, 1)
    assert calls_of_the_model(agency) == 0


def test_a_recorded_answer_is_replayed_without_a_key(agency: Agency) -> None:
    agency.declare("uno", tests={"saluda": asked("Hola", {"contains": "hola"})})
    assert states(tried(agency, "--record")) == {"saluda": "green"}
    assert calls_of_the_model(agency) == 1
    assert states(tried(agency, **NO_KEY)) == {"saluda": "green"}


def test_a_recording_is_not_made_again(agency: Agency) -> None:
    agency.declare("uno", tests={"saluda": asked("Hola")})
    tried(agency, "--record")
    assert tried(agency, "--record")["calls"] == 0


def test_an_edit_of_the_prompt_is_not_judged_by_former_answers(agency: Agency) -> None:
    agency.declare("uno", tests={"saluda": asked("Hola")})
    tried(agency, "--record")
    agency.declare("uno", tests={"saluda": asked("Hola")}, assistant={"instructions": "Eres otro."})
    assert states(tried(agency)) == {"saluda": "unjudged"}


def test_recordings_that_no_case_asks_for_are_removed_with_the_next_ones(agency: Agency) -> None:
    agency.declare("uno", tests={"saluda": asked("Hola")})
    tried(agency, "--record")
    agency.declare("uno", tests={"saluda": asked("Buenas")})
    tried(agency, "--record")
    [recording] = (agency.folder / "clients.d" / "uno" / "recordings").iterdir()
    assert json.loads(recording.read_text(encoding="utf-8"))["asked"]["said"] == "Buenas"


def test_no_recording_is_removed_while_a_case_could_not_be_judged(agency: Agency) -> None:
    agency.declare("uno", tests={"saluda": asked("Hola")})
    tried(agency, "--record")
    agency.declare("uno", tests={"saluda": asked("Buenas")})
    tried(agency, "--record", OPENAI_API_KEY="wrong-key")
    assert len(list((agency.folder / "clients.d" / "uno" / "recordings").iterdir())) == 1


def test_each_repetition_has_an_answer_of_its_own(agency: Agency) -> None:
    agency.declare("uno", tests={"saluda": asked("Hola")})
    tried(agency, "--record", "--repeat", "3")
    assert calls_of_the_model(agency) == 3
    assert states(tried(agency, "--repeat", "3", **NO_KEY)) == {"saluda": "green"}
    assert states(tried(agency, "--repeat", "4", **NO_KEY)) == {"saluda": "unjudged"}


def test_the_example_clients_pass_their_cases_without_a_key(agency: Agency) -> None:
    """After an edit of one: `reconcile test --record` against `make play`, and commit its recordings."""
    shutil.rmtree(agency.folder / "clients.d")
    shutil.copytree(ROOT / "clients.d", agency.folder / "clients.d")
    document = tried(agency, **NO_KEY)
    assert set(states(document).values()) == {"green"}, document["cases"]
