"""`reconcile upgrade-model`: the manifests that name a model name another one, after what that costs was shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reconciler.agency import Agency
from tests.reconciler.test_estimates import answered

OLD = """\
id: {client}
name: Cliente {client} # el de siempre
number: "{number}"

assistant: # quien responde
    model:   gpt-4o-mini   # barato
    fallback_model: "gpt-4o-mini-2024-07-18"
    instructions: |
        Usa gpt-4o-mini.


        Saluda.
"""


def written(agency: Agency, client: str, text: str = OLD) -> Path:
    """A client's manifest as a person writes one."""
    path = agency.path(client)
    path.write_text(text.format(client=client, number=agency.number(client)), encoding="utf-8")
    return path


@pytest.fixture
def shops(agency: Agency) -> Agency:
    """Two clients with the former model, one with another."""
    written(agency, "uno")
    written(agency, "dos", OLD.replace("    fallback_model", "    #fallback_model"))
    agency.declare("tres")
    return agency


def test_only_the_model_s_name_changes_and_what_it_costs_is_shown_before(shops: Agency) -> None:
    before = shops.path("uno").read_text()
    other = shops.path("tres").read_text()
    result = shops.reconcile("upgrade-model", "gpt-4o-mini", "gpt-6-luna")
    assert result.code == 0, result.said
    assert shops.path("uno").read_text() == before.replace("model:   gpt-4o-mini ", "model:   gpt-6-luna ")
    assert "model:   gpt-6-luna   # barato" in shops.path("dos").read_text()
    assert shops.path("tres").read_text() == other
    assert "gpt-4o-mini → gpt-6-luna (gpt-4o-mini is shut down on 2027-01-14, in" in result.out
    assert "clients.d/uno.yaml:6:14  assistant.model\n" in result.out
    assert "USD for a million tokens: input 0.15 → 0.1, cached 0.075 → 0.01, output 0.6 → 0.5\n" in result.out
    assert result.out.endswith("Edited 2 files. `git diff` shows the lines, `reconcile --dry-run` the plan.\n")


def test_what_the_last_30_days_cost_and_would_is_shown_by_client(agency: Agency) -> None:
    agency.declare("la-cocina")
    agency.apply()
    answered(agency.store_url, "la-cocina", [day for day in range(1, 26) for _ in range(4)])
    result = agency.reconcile("upgrade-model", "gpt-6-luna", "gpt-5.6-luna", "--dry-run")
    # 100 × (2,000 × 0.10 + 200 × 0.50) and 100 × (2,000 × 0.20 + 200 × 1.20) USD per million
    assert "  la-cocina  100 answers, USD 0.030000 → 0.064000 (+113 %)\n" in result.out
    assert "gpt-5.6-luna" not in agency.path("la-cocina").read_text()


def test_one_client_is_edited_and_gets_a_line_of_its_own_where_the_defaults_name_the_model(agency: Agency) -> None:
    defaults = agency.document("_defaults.yaml", "assistant:\n  model: gpt-4o-mini\n")
    without = OLD.replace("    model:   gpt-4o-mini   # barato\n", "").replace('"gpt-4o-mini-2024-07-18"', "gpt-5.5")
    for client in ("uno", "dos"):
        written(agency, client, without)
    result = agency.reconcile("upgrade-model", "gpt-4o-mini", "gpt-6-luna", "--client", "uno")
    assert result.code == 0, result.said
    assert "assistant: # quien responde\n    model: gpt-6-luna\n    fallback_model: " in agency.path("uno").read_text()
    assert "gpt-6-luna" not in agency.path("dos").read_text() + defaults.read_text()
    whole = agency.reconcile("upgrade-model", "gpt-4o-mini", "gpt-6-luna")
    assert defaults.read_text() == "assistant:\n  model: gpt-6-luna\n"
    assert "  dos  no answers by the former\n" in whole.out


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("gpt-4o", "gpt-6-luna", "No manifest names the model 'gpt-4o'. Did you mean 'gpt-4o-mini'"),
        (
            "gpt-4o-mini",
            "gpt-6-lunar",
            "The model 'gpt-6-lunar' is not available to this OpenAI key. Did you mean",
        ),
        ("gpt-4o-mini", "gpt-5-mini", "The model 'gpt-5-mini' is shut down on 2026-12-11, in"),
        ("gpt-4o-mini", "gpt-4o-mini", "OLD and NEW are the same model."),
    ],
)
def test_a_model_that_is_not_used_or_not_available_is_an_error_with_the_nearest_names(
    shops: Agency, old: str, new: str, said: str
) -> None:
    before = shops.path("uno").read_bytes()
    result = shops.reconcile("upgrade-model", old, new)
    assert (result.code, shops.path("uno").read_bytes()) == (1, before)
    assert said in result.err


def test_what_the_new_model_cannot_do_leaves_every_manifest_as_it_is(agency: Agency) -> None:
    agency.declare("uno", assistant={"reasoning_effort": "max"})
    result = agency.reconcile("upgrade-model", "gpt-6-luna", "gpt-5.4")
    assert result.code == 1
    assert "gpt-5.4 cannot do what these clients declare; nothing was edited." in result.err
    assert 'uno: assistant.reasoning_effort: gpt-5.4 has no reasoning_effort "max"' in result.err
    assert "gpt-6-luna" in agency.path("uno").read_text()


def with_case(agency: Agency, client: str, **expected: object) -> None:
    """A client with one test case."""
    agency.declare(client, tests={"saluda": {"conversation": [{"say": "Hola", "expect": expected}]}})


def test_test_cases_are_tried_with_both_models_before_anything_is_edited(agency: Agency) -> None:
    with_case(agency, "uno", language="es")
    result = agency.reconcile("upgrade-model", "gpt-6-luna", "gpt-5.6-luna", "--test")
    assert result.code == 0, result.said
    assert "Test cases, gpt-6-luna → gpt-5.6-luna:\n  uno: 1 of 1 green → 1 of 1, USD 0.0000" in result.out
    assert "gpt-5.6-luna" in agency.path("uno").read_text()
    # What was paid for is recorded: the next test asks no model.
    assert agency.reconcile("test").code == 0


def test_a_case_that_gets_worse_stops_it(agency: Agency) -> None:
    with_case(agency, "uno", costs_at_most=0.0001)
    result = agency.reconcile("upgrade-model", "gpt-6-luna", "gpt-6-astra", "--test")
    assert result.code == 2, result.said
    assert "  uno: 1 of 1 green → 0 of 1, USD 0.0000" in result.out
    assert "    saluda: green → red\n      costs_at_most: " in result.out
    assert "Cases got worse, so nothing was edited; without --test it is edited all the same." in result.err
    assert "gpt-6-astra" not in agency.path("uno").read_text()


def test_without_a_case_there_is_nothing_to_try(agency: Agency) -> None:
    agency.declare("uno")
    result = agency.reconcile("upgrade-model", "gpt-6-luna", "gpt-5.6-luna", "--test")
    assert result.code == 1
    assert "None of these clients has test cases; leave --test out, or declare `tests:`." in result.err
