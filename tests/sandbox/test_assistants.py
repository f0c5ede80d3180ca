"""The Assistants API as compatible servers keep it: assistants, threads, messages, runs."""

from typing import Any

import openai as sdk
import pytest
from openai import OpenAI
from openai.types.beta import assistant_create_params, thread_create_params
from pydantic import TypeAdapter

from tests.sandbox.conftest import error_of
from tests.sandbox_process import Sandbox, wait_until

pytestmark = [
    pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The Assistants API is deprecated:DeprecationWarning"),
]

TOOL: Any = {
    "type": "function",
    "function": {
        "name": "crear_reserva",
        "parameters": {"type": "object", "properties": {"personas": {"type": "integer"}}, "required": ["personas"]},
    },
}
SPEC: Any = {
    "model": "gpt-4o-mini",
    "name": "Bot La Cocina",
    "instructions": "Eres el asistente del restaurante La Cocina.",
    "tools": [TOOL],
    "metadata": {"client": "la-cocina"},
}


def text_of(client: OpenAI, thread: str) -> str:
    content = client.beta.threads.messages.list(thread, limit=1).data[0].content[0]
    assert content.type == "text"
    return content.text.value


def test_an_assistant_is_created_read_changed_and_deleted(openai: OpenAI) -> None:
    TypeAdapter(assistant_create_params.AssistantCreateParams).validate_python(SPEC)
    made = openai.beta.assistants.create(**SPEC)
    assert made.id.startswith("asst_")
    changed = openai.beta.assistants.update(made.id, instructions="Otra cosa", metadata={"a": "b"})
    assert (changed.name, changed.instructions, changed.metadata) == ("Bot La Cocina", "Otra cosa", {"a": "b"})
    assert openai.beta.assistants.retrieve(made.id) == changed
    assert openai.beta.assistants.delete(made.id).deleted
    with pytest.raises(sdk.NotFoundError) as caught:
        openai.beta.assistants.retrieve(made.id)
    assert error_of(caught.value)["message"] == f"No assistant found with id '{made.id}'."


def test_a_list_pages_through_to_the_end_in_either_order(openai: OpenAI) -> None:
    made = [openai.beta.assistants.create(model="gpt-4o-mini", name=f"n{index}").id for index in range(5)]
    assert [item.id for item in openai.beta.assistants.list(limit=2, order="asc")] == made
    assert [item.id for item in openai.beta.assistants.list(limit=2)] == made[::-1]
    before = openai.beta.assistants.list(order="asc", before=made[2])
    assert [item.id for item in before.data] == made[:2]


@pytest.mark.parametrize("limit", [0, 101])
def test_a_list_has_a_limit(openai: OpenAI, limit: int) -> None:
    with pytest.raises(sdk.BadRequestError) as caught:
        openai.beta.assistants.list(limit=limit)
    assert error_of(caught.value)["param"] == "limit"


def test_an_assistant_with_an_unknown_model_is_refused(openai: OpenAI) -> None:
    with pytest.raises(sdk.NotFoundError) as caught:
        openai.beta.assistants.create(model="gpt-none")
    assert error_of(caught.value)["code"] == "model_not_found"


def test_a_call_without_the_beta_header_is_refused(openai: OpenAI) -> None:
    with pytest.raises(sdk.BadRequestError) as caught:
        openai.get("/assistants", cast_to=object)
    assert error_of(caught.value)["code"] == "invalid_beta"


def test_a_run_answers_with_the_name_and_instructions_of_its_assistant(openai: OpenAI) -> None:
    assistant = openai.beta.assistants.create(**SPEC)
    body: Any = {"messages": [{"role": "user", "content": "hola"}]}
    TypeAdapter(thread_create_params.ThreadCreateParams).validate_python(body)
    thread = openai.beta.threads.create(**body)
    run = openai.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert run.status == "completed"
    assert text_of(openai, thread.id) == "[Bot La Cocina] Eres el asistente del restaurante La · hola · turn 1"
    steps = openai.beta.threads.runs.steps.list(run.id, thread_id=thread.id).data
    assert [step.type for step in steps] == ["message_creation"]


def test_a_run_asks_for_a_function_and_quotes_its_result(openai: OpenAI) -> None:
    assistant = openai.beta.assistants.create(**SPEC)
    thread = openai.beta.threads.create()
    openai.beta.threads.messages.create(thread.id, role="user", content='llama a crear_reserva {"personas": 2}')
    run = openai.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert run.status == "requires_action"
    assert run.required_action is not None
    call = run.required_action.submit_tool_outputs.tool_calls[0]
    assert call.function.arguments == '{"personas": 2}'
    done = openai.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id, thread_id=thread.id, tool_outputs=[{"tool_call_id": call.id, "output": "mesa 7"}]
    )
    assert done.status == "completed"
    assert "resultado: mesa 7" in text_of(openai, thread.id)


def test_tool_outputs_must_answer_every_call(openai: OpenAI) -> None:
    assistant = openai.beta.assistants.create(**SPEC)
    thread = openai.beta.threads.create(messages=[{"role": "user", "content": "crear_reserva"}])
    run = openai.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    with pytest.raises(sdk.BadRequestError, match="Expected tool outputs for call_ids"):
        openai.beta.threads.runs.submit_tool_outputs(run.id, thread_id=thread.id, tool_outputs=[])


def test_a_thread_has_one_active_run(openai: OpenAI, sandbox: Sandbox) -> None:
    assistant = openai.beta.assistants.create(**SPEC)
    thread = openai.beta.threads.create(messages=[{"role": "user", "content": "piensa 60s"}])
    run = openai.beta.threads.runs.create(thread.id, assistant_id=assistant.id)
    with pytest.raises(sdk.BadRequestError) as caught:
        openai.beta.threads.runs.create(thread.id, assistant_id=assistant.id)
    assert error_of(caught.value)["message"] == f"Thread {thread.id} already has an active run {run.id}."
    with pytest.raises(sdk.BadRequestError, match=f"while a run {run.id} is active"):
        openai.beta.threads.messages.create(thread.id, role="user", content="otra")
    assert openai.beta.threads.runs.cancel(run.id, thread_id=thread.id).status == "cancelled"
    openai.beta.threads.messages.create(thread.id, role="user", content="otra")


def test_a_run_takes_the_time_it_was_told(openai: OpenAI, sandbox: Sandbox) -> None:
    assistant = openai.beta.assistants.create(**SPEC)
    thread = openai.beta.threads.create(messages=[{"role": "user", "content": "piensa 0.3s"}])
    run = openai.beta.threads.runs.create(thread.id, assistant_id=assistant.id)
    assert openai.beta.threads.runs.retrieve(run.id, thread_id=thread.id).status == "in_progress"

    def completed() -> bool:
        return openai.beta.threads.runs.retrieve(run.id, thread_id=thread.id).status == "completed"

    wait_until(completed)


def test_the_api_can_be_gone_as_at_openai(openai: OpenAI, sandbox: Sandbox) -> None:
    sandbox.settings(assistants_api="gone")
    for call in (openai.beta.assistants.list, openai.beta.threads.create):
        with pytest.raises(sdk.NotFoundError, match="Invalid URL"):
            call()
    assert openai.models.list().data
