"""What the documentation and the alerts say about Twilio's codes is what the code knows."""

import re

import pytest
import yaml

from runtime.store.delivery_errors import DELIVERY_ERRORS, OF_PERSON, PASSING
from runtime.store.messages.postponed_sends import PAUSES
from tests.sandbox_process import ROOT

FACTS = ROOT.parent / "shared/facts"
OPERATIONS = (ROOT / "docs/operations.md").read_text()


def test_the_documentation_lists_every_code_with_its_meaning() -> None:
    listed = re.findall(r"^\| (\d{5}) \| .+ \| (.+) \|$", OPERATIONS, re.MULTILINE)

    assert listed == [(code, error.says) for code, error in DELIVERY_ERRORS.items()]


@pytest.mark.skipif(not FACTS.is_dir(), reason="the collected facts about the providers are not beside this checkout")
def test_every_code_that_the_facts_name_for_messages_has_its_words() -> None:
    twilio, whatsapp = ((FACTS / f"{name}.md").read_text() for name in ("twilio", "whatsapp"))
    sections = [
        *(twilio.partition(f"### {name}")[2].partition("### ")[0] for name in ("C5", "C6", "C7")),
        *(whatsapp.partition(f"## {name}.")[2].partition("## ")[0] for name in (4, 5)),
    ]
    named = set(re.findall(r"(?<![0-9#])(?:21|30|63)[0-9]{3}(?![0-9])", "\n".join(sections)))

    assert named - set(DELIVERY_ERRORS) == set()
    assert len(named) > 20


def test_the_alert_leaves_out_what_concerns_one_person_and_nothing_else() -> None:
    groups = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"]
    (rule,) = [rule for group in groups for rule in group["rules"] if rule["alert"] == "AnswersUndelivered"]

    assert set(re.findall(r"\d{5}", rule["expr"])) == OF_PERSON


def test_the_documentation_names_the_pauses() -> None:
    *first, last = [f"{pause:g}" for pause in PAUSES]

    assert f"after {', '.join(first)} and {last} seconds" in OPERATIONS.replace("\n", " ")


def test_the_codes_of_a_passing_failure_are_the_known_ones() -> None:
    assert {"63018", "63012", "63010", "30001"} == PASSING
