"""What a user's phone shows of what a model wrote."""

from __future__ import annotations

from collections.abc import Callable

from tests.runtime_process import Line


def test_markdown_is_shown_in_whatsapp_s_formats_and_remembered_as_it_was_written(line: Callable[..., Line]) -> None:
    shop = line()
    assert "· la *carta*: https://lacocina.cl ·" in shop.ask("la [**carta**](https://lacocina.cl)")
    shop.ask("gracias")
    call = shop.sandbox.calls("openai", "POST", "/v1/responses")[-1]
    (answer,) = [item["content"] for item in call["body"]["input"] if item["role"] == "assistant"]
    assert "la [**carta**](https://lacocina.cl)" in answer
