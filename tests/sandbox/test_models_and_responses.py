"""OpenAI's models and the Responses API: answers that tell who spoke, and refusals as OpenAI words them."""

from typing import Any

import openai as sdk
import pytest
from openai import OpenAI
from openai.types.responses import Response, ResponseFunctionToolCall, ResponseOutputMessage, response_create_params
from pydantic import TypeAdapter

from tests.sandbox.conftest import error_of
from tests.sandbox_process import Sandbox, wait_until

MODEL = "gpt-6-luna"
RESERVE: Any = {
    "type": "function",
    "name": "crear_reserva",
    "description": "Crea una reserva",
    "parameters": {
        "type": "object",
        "properties": {"personas": {"type": "integer"}, "zona": {"enum": ["patio", "salón"]}},
        "required": ["personas", "zona"],
        "additionalProperties": False,
    },
    "strict": True,
}


def ask(client: OpenAI, said: Any, /, **more: Any) -> Response:
    body = {"model": MODEL, "input": said, "store": False, **more}
    TypeAdapter(response_create_params.ResponseCreateParamsNonStreaming).validate_python(body)
    response: Response = client.responses.create(**body)
    return response


def refusal(client: OpenAI, **body: Any) -> dict[str, Any]:
    with pytest.raises(sdk.APIStatusError) as caught:
        client.responses.create(**{"model": MODEL, "input": "hola", **body})
    return {**error_of(caught.value), "status": caught.value.status_code}


def test_every_model_tells_until_when_it_lives(openai: OpenAI) -> None:
    until = {model.id: model.shutdown_date for model in openai.models.list()}
    assert until["gpt-6-luna"] is None
    assert until["gpt-4o-mini"] == "2027-01-14"
    assert openai.models.retrieve("gpt-5-mini").shutdown_date == "2026-12-11"


@pytest.mark.parametrize("name", ["gpt-luna-6", "gpt-4-turbo"])
def test_an_unknown_or_retired_model_is_not_found(openai: OpenAI, name: str) -> None:
    with pytest.raises(sdk.NotFoundError) as caught:
        openai.models.retrieve(name)
    assert error_of(caught.value)["code"] == "model_not_found"
    assert refusal(openai, model=name)["code"] == "model_not_found"


def test_a_wrong_key_is_refused_as_openai_refuses_it(sandbox: Sandbox) -> None:
    client = OpenAI(base_url=sandbox.openai_url, api_key="sk-wrong-key-123456", max_retries=0)
    with client, pytest.raises(sdk.AuthenticationError) as caught:
        client.models.list()
    error = error_of(caught.value)
    assert error["code"] == "invalid_api_key"
    assert "sk-wrong" in error["message"]
    assert "key-1234" not in error["message"]


def test_an_answer_names_the_speaker_its_instructions_what_was_said_and_the_turn(openai: OpenAI) -> None:
    response = ask(
        openai,
        "¿Tienen mesa?",
        instructions="Eres el asistente del restaurante La Cocina. Ayudas con reservas.",
        metadata={"client": "la-cocina"},
    )
    assert response.output_text == "[la-cocina] Eres el asistente del restaurante La · ¿Tienen mesa? · turn 1"
    assert response.usage is not None
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens


def test_the_same_question_is_answered_the_same(openai: OpenAI) -> None:
    assert ask(openai, "hola").output_text == ask(openai, "hola").output_text


def test_history_in_the_input_counts_turns_and_only_new_words_are_echoed(openai: OpenAI) -> None:
    history = [
        {"role": "user", "content": "hola"},
        {"role": "assistant", "content": "buenas"},
        {"role": "user", "content": "una mesa"},
        {"role": "user", "content": "para dos"},
    ]
    assert ask(openai, history).output_text == f"[{MODEL}] · una mesa / para dos · turn 3"


def test_settings_of_a_response_are_echoed(openai: OpenAI) -> None:
    response = ask(openai, "hola", reasoning={"effort": "none"}, text={"verbosity": "low"}, max_output_tokens=200)
    assert response.reasoning is not None
    assert response.reasoning.effort == "none"
    assert response.text is not None
    assert response.text.verbosity == "low"
    assert response.max_output_tokens == 200


def test_an_answer_longer_than_its_limit_is_incomplete(openai: OpenAI) -> None:
    response = ask(openai, "escribe 900 letras", max_output_tokens=16)
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"
    assert len(response.output_text) == 64


def test_a_long_answer_can_be_asked_for(openai: OpenAI) -> None:
    assert len(ask(openai, "escribe 3900 letras").output_text) == 3900


def call_of(response: Response) -> ResponseFunctionToolCall:
    call = response.output[0]
    assert isinstance(call, ResponseFunctionToolCall)
    return call


def test_a_tool_is_called_with_the_arguments_in_the_message(openai: OpenAI) -> None:
    call = call_of(ask(openai, 'llama a crear_reserva {"personas": 4, "zona": "patio"}', tools=[RESERVE]))
    assert (call.name, call.arguments) == ("crear_reserva", '{"personas": 4, "zona": "patio"}')


def test_a_tool_that_is_only_mentioned_gets_arguments_that_fit_its_schema(openai: OpenAI) -> None:
    call = call_of(ask(openai, "usa crear_reserva por favor", tools=[RESERVE]))
    assert call.arguments == '{"personas": 1, "zona": "patio"}'


def test_a_tool_that_is_not_offered_is_not_called(openai: OpenAI) -> None:
    response = ask(openai, "llama a crear_reserva", tools=[RESERVE], tool_choice="none")
    assert isinstance(response.output[0], ResponseOutputMessage)


def test_the_result_of_a_function_call_is_quoted(openai: OpenAI) -> None:
    question = {"role": "user", "content": "llama a crear_reserva"}
    call = call_of(ask(openai, [question], tools=[RESERVE]))
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "mesa 7"}
    sent = call.model_dump(exclude_none=True)
    answer = ask(openai, [question, sent, output], tools=[RESERVE])
    assert "resultado: mesa 7" in answer.output_text


def test_a_call_without_its_output_is_refused(openai: OpenAI) -> None:
    call = {"type": "function_call", "call_id": "call_1", "name": "x", "arguments": "{}"}
    error = refusal(openai, input=[call, {"role": "user", "content": "hola"}])
    assert error["message"] == "No tool output found for function call call_1."


def test_an_output_without_its_call_is_refused(openai: OpenAI) -> None:
    error = refusal(openai, input=[{"type": "function_call_output", "call_id": "call_9", "output": "x"}])
    assert error["message"] == "No tool call found for function call output with call_id call_9."


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"surprise": 1}, "unknown_parameter", "surprise"),
        ({"temperature": 0.2}, "unsupported_parameter", "temperature"),
        ({"max_output_tokens": 3}, "integer_below_min_value", "max_output_tokens"),
        ({"truncation": "some"}, "invalid_value", "truncation"),
        ({"reasoning": {"effort": "heroic"}}, "invalid_value", "reasoning.effort"),
        ({"metadata": {"n": 1}}, "invalid_type", "metadata.n"),
        ({"metadata": {"k": "v" * 513}}, "string_above_max_length", "metadata.k"),
        ({"input": [{"role": "robot", "content": "x"}]}, "invalid_value", "input[0].role"),
        ({"tools": [{"type": "telepathy"}]}, "invalid_value", "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "missing_required_parameter", "tools[0].name"),
        ({"tools": [{"type": "file_search"}]}, "missing_required_parameter", "tools[0].vector_store_ids"),
        ({"previous_response_id": "resp_none"}, "previous_response_not_found", "previous_response_id"),
    ],
)
def test_a_parameter_openai_does_not_take_is_named(openai: OpenAI, body: Any, code: str, param: str) -> None:
    error = refusal(openai, **{"extra_body": body} if "surprise" in body else body)
    assert (error["status"], error["code"], error["param"]) == (400, code, param)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"parameters": {"type": "array"}}, "schema must be a JSON Schema of 'type: \"object\"'"),
        ({"parameters": {"type": "object", "properties": {}}}, "'additionalProperties' is required"),
        (
            {"parameters": {"type": "object", "properties": {"a": {}}, "additionalProperties": False}},
            "'required' is required",
        ),
    ],
)
def test_a_function_schema_openai_cannot_use_is_refused(openai: OpenAI, change: Any, reason: str) -> None:
    error = refusal(openai, tools=[{**RESERVE, **change}])
    assert error["code"] == "invalid_function_parameters"
    assert reason in error["message"]


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"type": "object"}, "In context=(), object schema missing properties."),
        ({"type": ["object", "null"], "properties": {}}, "got 'type: ['object', 'null']'."),
        ({"type": "object", "properties": {}, "anyOf": [{}]}, "not have 'oneOf'/'anyOf'/'allOf'"),
        (
            {"type": "object", "properties": {"dias": {"type": "array"}}},
            "In context=('properties', 'dias'), array schema missing items.",
        ),
        (
            {"type": "object", "properties": {"a": {"items": {"type": ["string", "array"]}}}},
            "In context=('properties', 'a', 'items'), array schema missing items.",
        ),
        (
            {"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"c": {}}},
            "In context=('properties', 'a'), reference to component '#/$defs/b' which was not found in the schema.",
        ),
        ({"type": "object", "properties": {"a": {"type": "texto"}}}, "'texto' is not valid under any"),
    ],
)
def test_a_function_schema_is_refused_in_every_api_that_has_functions(
    openai: OpenAI, parameters: Any, reason: str
) -> None:
    function: Any = {"name": "reservar", "description": "", "parameters": parameters}
    assert reason in refusal(openai, tools=[{"type": "function", **function}])["message"]
    with pytest.raises(sdk.BadRequestError) as of_agents:
        openai.beta.agents.create(model=MODEL, tools=[{"type": "function", **function}])
    assert reason in of_agents.value.message
    with pytest.warns(DeprecationWarning, match="deprecated"), pytest.raises(sdk.BadRequestError) as of_assistants:
        openai.beta.assistants.create(model=MODEL, tools=[{"type": "function", "function": function}])
    assert reason in of_assistants.value.message


def test_a_function_schema_that_openai_can_use_is_accepted(openai: OpenAI) -> None:
    item = {"type": "object", "additionalProperties": True, "anyOf": [{"type": "string"}, {"$ref": "#"}]}
    parameters: Any = {
        "type": "object",
        "properties": {"a": {"type": ["array", "null"], "items": item}, "b": {"$ref": "#/$defs/b"}, "c": {}},
        "$defs": {"b": {"enum": [1, {"type": "array"}]}},
    }
    tool: Any = {"type": "function", "name": "f", "parameters": parameters, "strict": False}
    assert ask(openai, "hola", tools=[tool]).status == "completed"


def test_a_stored_response_is_chained_read_and_deleted(openai: OpenAI) -> None:
    first = openai.responses.create(model=MODEL, input="uno")
    second = openai.responses.create(model=MODEL, input="dos", previous_response_id=first.id)
    assert second.output_text.endswith("dos · turn 2")
    assert openai.responses.retrieve(first.id).output_text == first.output_text
    assert [item.type for item in openai.responses.input_items.list(second.id)] == ["message"]
    openai.responses.delete(first.id)
    with pytest.raises(sdk.NotFoundError):
        openai.responses.retrieve(first.id)


def test_a_response_with_store_false_leaves_nothing_behind(openai: OpenAI) -> None:
    response = ask(openai, "hola")
    with pytest.raises(sdk.NotFoundError):
        openai.responses.retrieve(response.id)


def test_the_user_can_ask_for_a_slow_answer(openai: OpenAI) -> None:
    with pytest.raises(sdk.APITimeoutError):
        openai.with_options(timeout=0.2).responses.create(model=MODEL, input="piensa 3s")


def test_a_conversation_remembers_and_refuses_two_at_once(openai: OpenAI, sandbox: Sandbox) -> None:
    conversation = openai.conversations.create(metadata={"client": "la-cocina"})
    openai.responses.create(model=MODEL, input="uno", conversation=conversation.id)
    second = openai.responses.create(model=MODEL, input="dos", conversation=conversation.id)
    assert second.output_text.endswith("dos · turn 2")
    with pytest.raises(sdk.APITimeoutError):
        openai.with_options(timeout=0.2).responses.create(model=MODEL, input="piensa 2s", conversation=conversation.id)
    error = refusal(openai, conversation=conversation.id)
    assert (error["status"], error["code"]) == (400, "conversation_locked")


def test_items_of_a_conversation_are_listed_newest_first(openai: OpenAI) -> None:
    conversation = openai.conversations.create(items=[{"role": "user", "content": "uno"}])
    openai.conversations.items.create(conversation.id, items=[{"role": "user", "content": "dos"}])
    items = list(openai.conversations.items.list(conversation.id, limit=1))
    texts = [item.content[0].text for item in items if item.type == "message" and item.content]
    assert texts == ["dos", "uno"]
    openai.conversations.items.delete(items[0].id or "", conversation_id=conversation.id)
    assert len(list(openai.conversations.items.list(conversation.id))) == 1
    assert openai.conversations.update(conversation.id, metadata={"a": "b"}).metadata == {"a": "b"}
    assert openai.conversations.delete(conversation.id).deleted


def test_thinking_time_is_a_setting(openai: OpenAI, sandbox: Sandbox) -> None:
    sandbox.settings(think_seconds=5)
    with pytest.raises(sdk.APITimeoutError):
        openai.with_options(timeout=0.2).responses.create(model=MODEL, input="hola")
    sandbox.settings(think_seconds=0)
    wait_until(lambda: ask(openai, "hola").status == "completed")
