"""The engine `assistants`: live objects at a server that speaks the Assistants API."""

from collections.abc import Callable, Iterator

import pytest
from openai import OpenAI

from tests.runtime_process import Line, Runtime, open_line, start_runtime
from tests.sandbox_process import Sandbox, wait_until

RUNS = {"provider": "openai", "method": "POST", "path": "/v1/threads/*/runs"}
TOOL = {
    "type": "function",
    "function": {"name": "crear_reserva", "parameters": {"type": "object", "properties": {}}},
}


@pytest.fixture
def live(sandbox: Sandbox) -> Iterator[OpenAI]:
    """The provider, as the agency's own console."""
    with OpenAI(base_url=sandbox.openai_url, api_key=sandbox.api_key) as client:
        yield client


@pytest.fixture
def assistant(live: OpenAI) -> Callable[..., str]:
    """`assistant(**fields)` makes a live assistant and gives its id."""

    def make(**fields: object) -> str:
        with pytest.warns(DeprecationWarning, match="deprecated"):
            made = live.beta.assistants.create(model="gpt-4o-mini", name="Vivo", **fields)  # type: ignore[arg-type]
        return made.id

    return make


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox) -> Iterator[Runtime]:
    settings = {"MODEL_TIMEOUT_SECONDS": "5", "TURN_DEADLINE_SECONDS": "8"}
    running = start_runtime(tmp_path_factory.mktemp("assistants"), sandbox_process, **settings)
    yield running
    running.stop()


@pytest.fixture
def shop(patient: Runtime, sandbox: Sandbox, assistant: Callable[..., str]) -> Line:
    return open_line(patient, sandbox, assistant_id=assistant(instructions="Eres un objeto vivo."))


def test_the_live_assistant_answers_and_its_thread_remembers(shop: Line) -> None:
    assert "Eres un objeto vivo." in shop.ask("Hola")
    assert "turn 2" in shop.ask("¿Y ahora?")
    assert len(shop.sandbox.calls("openai", "POST", "/v1/threads")) > 0


def test_two_users_have_two_threads(shop: Line) -> None:
    shop.ask("Hola", "+56911111111")
    assert "turn 1" in shop.ask("Hola", "+56922222222")


def test_a_thread_that_was_lost_is_begun_anew(shop: Line, live: OpenAI) -> None:
    shop.ask("Hola")
    created = [call for call in shop.sandbox.calls("openai", "POST", "/v1/threads") if call["path"] == "/v1/threads"]
    assert len(created) == 1
    shop.sandbox.faults(
        {"provider": "openai", "method": "GET", "path": "/v1/threads/*", "kind": "status", "status": 404, "times": 1}
    )
    assert "turn 1" in shop.ask("¿Sigues ahí?")


def test_a_function_call_of_a_run_is_answered(
    patient: Runtime, sandbox: Sandbox, assistant: Callable[..., str]
) -> None:
    shop = open_line(patient, sandbox, assistant_id=assistant(instructions="I", tools=[TOOL]))
    assert "no endpoint is configured" in shop.ask("llama a crear_reserva")


def test_a_result_whose_arrival_is_unknown_is_told_again_and_the_function_not_called_again(
    patient: Runtime, sandbox: Sandbox, assistant: Callable[..., str]
) -> None:
    shop = open_line(patient, sandbox, assistant_id=assistant(instructions="I", tools=[TOOL]))
    submit = "/v1/threads/*/runs/*/submit_tool_outputs"
    sandbox.faults(
        {"provider": "openai", "method": "POST", "path": submit, "kind": "status", "status": 503, "times": 1}
    )
    assert "no endpoint is configured" in shop.ask("llama a crear_reserva")
    events = [(entry["event"], entry.get("client")) for entry in patient.log()]
    assert events.count(("function_called", shop.bot["id"])) == 1
    assert sandbox.fired() == 1


def test_what_a_failed_turn_did_is_told_to_the_next_run(
    patient: Runtime, sandbox: Sandbox, assistant: Callable[..., str]
) -> None:
    shop = open_line(patient, sandbox, assistant_id=assistant(instructions="I", tools=[TOOL]))
    submit = "/v1/threads/*/runs/*/submit_tool_outputs"
    sandbox.faults(
        {"provider": "openai", "method": "POST", "path": submit, "kind": "status", "status": 400, "times": 1}
    )
    assert "problema técnico" in shop.ask('llama a crear_reserva {"personas": 2}')

    shop.ask("¿Quedó?")

    told = [
        (call.get("body") or {}).get("additional_instructions")
        for call in sandbox.calls("openai", "POST", "/v1/threads/")
    ]
    assert any("function called: crear_reserva(" in str(one) and "its result: " in str(one) for one in told)


def test_a_turn_that_is_tried_again_adds_no_second_message(shop: Line) -> None:
    shop.sandbox.faults(RUNS | {"kind": "status", "status": 500, "times": 1})
    assert "turn 1" in shop.ask("Hola")


def test_a_run_whose_answer_was_lost_is_found_again(shop: Line) -> None:
    shop.sandbox.faults(RUNS | {"kind": "timeout_after_write", "seconds": 0.1, "times": 1})
    assert "turn 1" in shop.ask("Hola")
    shop.sandbox.faults()
    assert "turn 2" in shop.ask("¿Y ahora?")


def test_a_bot_s_own_instructions_replace_the_live_ones(
    patient: Runtime, sandbox: Sandbox, assistant: Callable[..., str]
) -> None:
    shop = open_line(patient, sandbox, assistant_id=assistant(instructions="Viejas."), instructions="Propias de aquí.")
    assert "Propias de aquí." in shop.ask("Hola")


def test_openai_s_own_404_is_one_clear_sentence_and_the_user_is_told(shop: Line) -> None:
    shop.sandbox.settings(assistants_api="gone")
    assert "problema técnico" in shop.ask("Hola")
    wait_until(lambda: any("engine: responses" in str(entry.get("error")) for entry in shop.runtime.log()))


def test_an_assistant_that_does_not_exist_is_said_so(patient: Runtime, sandbox: Sandbox) -> None:
    shop = open_line(patient, sandbox, assistant_id="asst_nobody")
    assert "problema técnico" in shop.ask("Hola")
    assert any("asst_nobody" in str(entry.get("error")) for entry in patient.log())
