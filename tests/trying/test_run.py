"""What a run shows and which clients it is about."""

from __future__ import annotations

import json
import re
from xml.etree.ElementTree import fromstring

import pytest

from tests.reconciler.agency import Agency
from tests.trying.cases import asked, states, tried


def _edit_recording(agency: Agency, run: str, text: str) -> None:
    """Lets the model have answered something else in one of the runs."""
    [path] = (agency.folder / "clients.d" / "uno" / "recordings").glob("*.json")
    document = json.loads(path.read_text(encoding="utf-8"))
    document["answers"][run]["output"][0]["content"][0]["text"] = text
    path.write_text(json.dumps(document), encoding="utf-8")


@pytest.fixture
def flaky(agency: Agency) -> Agency:
    """A case that two of three runs pass."""
    agency.declare("uno", tests={"saluda": asked("Hola", {"contains": "hola"})})
    tried(agency, "--record", "--repeat", "3")
    _edit_recording(agency, "2", "Buenas\n<tarde>")
    return agency


def test_a_case_that_passes_sometimes_is_flaky_and_red(flaky: Agency) -> None:
    document = tried(flaky, "--repeat", "3")
    assert (states(document), document["exit_code"]) == ({"saluda": "flaky"}, 2)
    assert document["cases"][0]["passed"] == 2


def test_a_run_reads_well_on_a_terminal(flaky: Agency) -> None:
    shown = flaky.reconcile("test", "--repeat", "3").out
    shown = re.sub(r"0\.\d+ USD", "0 USD", re.sub(r"\d\.\d s", "0.0 s", shown))
    assert shown == (
        "uno\n"
        "  flaky (2 of 3)  saluda  (0 USD)\n"
        "    clients.d/uno.yaml:8:3\n"
        '    - contains: "hola" is not in it\n'
        "      person: Hola\n"
        "      assistant: Buenas\n"
        "        <tarde>\n"
        "\n"
        "1 case: 1 flaky\n"
        "no call of the model, 0.0 s\n"
        "Answered by 127.0.0.1, not by OpenAI. A sandbox's answers show how cases are run, and nothing about a model.\n"
    )


def test_a_pull_request_shows_what_is_not_green(flaky: Agency) -> None:
    shown = flaky.reconcile("test", "--repeat", "3", "--format", "markdown").out
    assert re.sub(r"\d+\\\.\d s", "0\\\\.0 s", shown) == (
        "### Tests: 1 case: 1 flaky\n"
        "\n"
        "| Client | Case | Result | Why | Answer |\n"
        "|---|---|---|---|---|\n"
        '| uno | saluda | ⚠️ flaky \\(2 of 3\\) | contains: "hola" is not in it | Buenas &lt;tarde&gt; |\n'
        "\n"
        "no call of the model, 0\\.0 s<br>Answered by 127\\.0\\.0\\.1, not by OpenAI\\. A sandbox's answers show how "
        "cases are run, and nothing about a model\\.\n"
    )


def test_ci_reads_a_run_as_junit(flaky: Agency) -> None:
    flaky.declare("dos", tests={"carta": asked("Hola")})
    out = flaky.folder / "tests.xml"
    assert flaky.reconcile("test", "--repeat", "3", "--format", "junit", "--out", str(out)).code == 1
    suites = fromstring(out.read_text(encoding="utf-8"))
    assert [(suite.get("name"), suite.get("failures"), suite.get("errors")) for suite in suites] == [
        ("dos", "0", "1"),
        ("uno", "1", "0"),
    ]
    [case] = suites[1]
    assert (case.get("name"), case.get("file"), case.get("line")) == ("saluda", "clients.d/uno.yaml", "8")
    assert [found.text for found in case] == ['contains: "hola" is not in it']


def test_only_clients_whose_plan_changes_the_assistant_are_tried(agency: Agency) -> None:
    for client in ("uno", "dos", "tres"):
        agency.declare(client, tests={"saluda": asked("Hola")})
    agency.apply()
    agency.declare("dos", tests={"saluda": asked("Hola")}, assistant={"instructions": "Eres otro."})
    agency.declare("tres", tests={"saluda": asked("Hola")}, sender={"profile": {"about": "Otra línea"}})
    assert [case["client"] for case in tried(agency, "--changed", "--record")["cases"]] == ["dos"]


def test_one_case_of_one_client_is_tried(agency: Agency) -> None:
    cases = {"saluda": asked("Hola"), "pregunta": asked("¿Abren?")}
    for client in ("uno", "dos"):
        agency.declare(client, tests=cases)
    document = tried(agency, "uno", "--case", "pregunta", "--record")
    assert [(case["client"], case["name"]) for case in document["cases"]] == [("uno", "pregunta")]


def test_a_file_that_the_person_sends_is_shown_to_the_model(agency: Agency) -> None:
    agency.document("uno/nota.txt", "Dos empanadas")
    agency.declare("uno", tests={"foto": {"conversation": [{"say": "Mira", "files": ["uno/nota.txt"]}]}})
    document = tried(agency, "--record")
    assert states(document) == {"foto": "green"}
    agency.document("uno/nota.txt", "Tres empanadas")
    assert states(tried(agency)) == {"foto": "unjudged"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("un",), 'No client "un". Did you mean "uno"?'),
        (("uno", "--case", "salud"), 'No case "salud". Did you mean "saluda"?'),
        (("--record",), "OPENAI_API_KEY is not set"),
    ],
)
def test_what_cannot_be_tried_is_said(agency: Agency, arguments: tuple[str, ...], said: str) -> None:
    agency.declare("uno", tests={"saluda": asked("Hola")})
    result = agency.reconcile("test", *arguments, OPENAI_API_KEY=None)
    assert result.code == 1
    assert said in result.err
