"""What a user's phone shows of what a model wrote."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.observability.scrape import scrape
from tests.runtime_process import Line, Runtime
from tests.sandbox_process import wait_until


def test_markdown_is_shown_in_whatsapp_s_formats_and_remembered_as_it_was_written(line: Callable[..., Line]) -> None:
    shop = line()
    assert "· la *carta*: https://lacocina.cl ·" in shop.ask("la [**carta**](https://lacocina.cl)")
    shop.ask("sigue")
    call = shop.sandbox.calls("openai", "POST", "/v1/responses")[-1]
    (answer,) = [item["content"] for item in call["body"]["input"] if item["role"] == "assistant"]
    assert "la [**carta**](https://lacocina.cl)" in answer


def test_marks_of_sources_are_not_shown_and_not_remembered(line: Callable[..., Line]) -> None:
    shop = line()
    assert "· a $7.200. ·" in shop.ask("a $7.200【4:0†menu.md】 \ue200filecite\ue202turn0file0\ue201.")
    shop.ask("sigue")
    call = shop.sandbox.calls("openai", "POST", "/v1/responses")[-1]
    (answer,) = [item["content"] for item in call["body"]["input"] if item["role"] == "assistant"]
    assert "†" not in answer


@pytest.fixture
def terse(line: Callable[..., Line], runtime: Runtime) -> Line:
    """A line whose assistant may write a hundred tokens."""
    settings = {"max_output_tokens": 100}
    body = {"name": "A", "instructions": "Eres breve.", "model": "gpt-6-luna", "settings": settings}
    return line(assistant_id=runtime.made("/assistants/", body)["id"])


def rooms(line: Line) -> list[int]:
    """How many tokens the model was allowed, request by request."""
    return [call["body"]["max_output_tokens"] for call in line.sandbox.calls("openai", "POST", "/v1/responses")]


def cut_answers(line: Line) -> float:
    """How many answers of the line were sent cut."""
    labels = {"client": line.bot["id"], "reason": "max_output_tokens"}
    return scrape(line.runtime).value("horizonai_incomplete_answers_total", **labels)


def test_an_answer_that_was_cut_is_made_once_more_with_more_room(terse: Line, runtime: Runtime) -> None:
    assert len(terse.ask("escribe 1500 letras")) == 1500
    assert rooms(terse) == [100, 2_000]
    assert cut_answers(terse) == 0
    used = scrape(runtime).value("horizonai_tokens_total", client=terse.bot["id"], model="gpt-6-luna", kind="output")
    assert used == 100 + 1500 // 4


def test_an_answer_that_is_cut_again_ends_at_a_sentence_with_an_ellipsis_and_is_counted(
    terse: Line, runtime: Runtime
) -> None:
    terse.write("escribe 20000 letras")
    wait_until(lambda: terse.shown()[-1].endswith(". …"), what="the last part")
    assert rooms(terse) == [100, 2_000]
    assert cut_answers(terse) == 1
    logged = [entry for entry in runtime.log() if entry["event"] == "answer_incomplete"]
    assert [entry["reason"] for entry in logged if entry["client"] == terse.bot["id"]] == ["max_output_tokens"]
