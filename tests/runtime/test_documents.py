"""An assistant that searches in documents answers from them."""

from __future__ import annotations

from collections.abc import Callable

from tests.reconciler import live
from tests.runtime_process import Line, Runtime
from tests.sandbox_process import Json, Sandbox


def searching(line: Callable[..., Line], runtime: Runtime, store: str, *more: Json, **fields: object) -> Line:
    """A line whose assistant searches in a vector store."""
    tool = {"type": "file_search", "vector_store_ids": [store], "max_num_results": 5}
    assistant = {"name": "Cocina", "instructions": "Eres la cocina.", "model": "gpt-6-luna", "tools": [tool, *more]}
    return line(assistant_id=runtime.made("/assistants/", assistant)["id"], **fields)


def test_a_passage_that_answers_is_quoted(line: Callable[..., Line], runtime: Runtime, sandbox: Sandbox) -> None:
    store = live.vector_store(sandbox, "Empanadas de pino a 3500 pesos.\n\nPastel de choclo a 8900 pesos.")
    kitchen = searching(line, runtime, store)
    assert "Pastel de choclo a 8900 pesos." in kitchen.ask("¿A cuánto el pastel de choclo?")
    assert "3500" not in kitchen.ask("¿Y la cazuela?")


def test_a_turn_that_calls_a_function_searches_too(
    line: Callable[..., Line], runtime: Runtime, sandbox: Sandbox
) -> None:
    store = live.vector_store(sandbox, "Reservas de mesas hasta las 22 horas.")
    function = {"type": "function", "name": "crear_reserva", "parameters": {"type": "object", "properties": {}}}
    endpoint = {"crear_reserva": {"url": f"{sandbox.openai_url}/none"}}
    kitchen = searching(line, runtime, store, function, functions=endpoint)
    said = kitchen.ask("crear_reserva: ¿hasta qué hora reservas de mesas?")
    assert "Reservas de mesas hasta las 22 horas." in said
    assert len(sandbox.calls("openai", "POST", "/v1/responses")) >= 2
