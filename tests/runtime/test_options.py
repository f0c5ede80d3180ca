"""What the policy says of how to answer reaches the model, whichever engine answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from openai import AsyncOpenAI

from runtime.catalog import Configuration
from runtime.content.parts import Content, Text
from runtime.engines.agents import AgentsEngine
from runtime.engines.assistants import AssistantsEngine
from runtime.engines.functions import Functions
from runtime.engines.port import Request
from runtime.engines.responses import ResponsesEngine
from runtime.engines.responses_api import ResponsesApi
from runtime.settings import Secrets
from runtime.store.database.database import open_database
from runtime.store.messages.inbox import InboundMessage
from runtime.store.messages.turn_start import store_and_begin
from runtime.store.messages.turns import Turn
from runtime.store.records import AssistantRecord, BotRecord
from runtime.turns.context import LENGTH
from runtime.turns.policy import Options
from runtime.turns.request import Requests
from schemas.policy_document import PolicyDocument
from tests.sandbox_process import Sandbox

LINE = "Es domingo y está cerrado."
OTHERWISE = Options(model="gpt-5.6-luna", line=LINE)
HELLO = InboundMessage(
    "AC1", "SM1", "bot", "whatsapp:+56912345678", "whatsapp:+56912345678", Content((Text("Hola"),)), "{}"
)
SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Asking:
    """A turn that has begun, and what makes its requests."""

    requests: Requests
    turn: Turn

    async def request(self, bot: BotRecord, options: Options, assistant: AssistantRecord | None = None) -> Request:
        progress = self.requests.progress_of(self.turn)
        return await self.requests.of(
            self.turn, Configuration(bot, assistant, PolicyDocument()), options, progress, self.turn.messages
        )


@pytest.fixture
async def asking(tmp_path: Path, sandbox: Sandbox) -> AsyncIterator[Asking]:
    async with AsyncExitStack() as stack:
        database = await open_database(f"sqlite:///{tmp_path}/store.db")
        stack.push_async_callback(database.close)
        functions = Functions(Secrets(), allow_private=True)
        stack.push_async_callback(functions.close)
        _, turn = await database.write(store_and_begin, HELLO, 10)
        assert turn is not None
        yield Asking(Requests(database, functions, functions.secrets, (), "salt", 16_000, "America/Santiago"), turn)


@pytest.fixture
async def live(sandbox: Sandbox) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=sandbox.openai_url, api_key=sandbox.api_key, max_retries=0) as client:
        yield client


def bot(**fields: object) -> BotRecord:
    return BotRecord("bot", "Bot", "+15550001", **fields)


async def test_the_responses_engine_asks_that_model_with_the_line_just_before_the_new_words(
    asking: Asking, sandbox: Sandbox
) -> None:
    api = ResponsesApi(sandbox.openai_url, sandbox.api_key, SECONDS)
    assistant = AssistantRecord("a", "A", "Eres amable.", "gpt-6-luna")

    answer = await ResponsesEngine(api).answer(await asking.request(bot(assistant_id="a"), OTHERWISE, assistant))

    await api.close()
    (call,) = sandbox.calls("openai", "POST", "/v1/responses")
    assert (call["body"]["model"], call["body"]["instructions"]) == ("gpt-5.6-luna", "Eres amable.")
    note, words = call["body"]["input"]
    assert (note["role"], note["content"].splitlines()[-1]) == ("developer", LINE)
    assert words == {"role": "user", "content": "Hola"}
    assert answer.items[0] == words


async def test_without_options_the_bot_s_own_model_is_asked_and_told_the_context_only(
    asking: Asking, sandbox: Sandbox
) -> None:
    api = ResponsesApi(sandbox.openai_url, sandbox.api_key, SECONDS)
    own = bot(model="gpt-6-luna", instructions="Eres amable.")

    await ResponsesEngine(api).answer(await asking.request(own, Options()))

    await api.close()
    (call,) = sandbox.calls("openai", "POST", "/v1/responses")
    note, words = call["body"]["input"]
    assert (call["body"]["model"], words) == ("gpt-6-luna", {"role": "user", "content": "Hola"})
    assert note["content"].splitlines()[-2:] == ["Person: first contact, phone +569****5678.", LENGTH]


@pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")
async def test_the_assistants_engine_runs_that_model_with_the_line(
    asking: Asking, sandbox: Sandbox, live: AsyncOpenAI
) -> None:
    made = await live.beta.assistants.create(model="gpt-4o-mini", name="Vivo", instructions="Eres vivo.")

    await AssistantsEngine(live, SECONDS).answer(await asking.request(bot(assistant_id=made.id), OTHERWISE))

    (run,) = [call for call in sandbox.calls("openai", "POST", "/v1/threads") if call["path"].endswith("/runs")]
    assert run["body"]["model"] == "gpt-5.6-luna"
    assert run["body"]["additional_instructions"].splitlines()[-1] == LINE


@pytest.mark.parametrize("is_known", [False, True], ids=["in a new session", "in a session that there is"])
async def test_the_agents_engine_asks_that_model_and_is_told_the_line_before_the_new_words(
    asking: Asking, sandbox: Sandbox, live: AsyncOpenAI, is_known: bool
) -> None:
    made = await live.beta.agents.create(model="gpt-6-luna", name="Vivo", instructions="Eres vivo.")
    engine = AgentsEngine(live, SECONDS)
    request = await asking.request(bot(assistant_id=made.id), OTHERWISE)
    if is_known:
        await engine.answer(await asking.request(bot(assistant_id=made.id), Options(model="gpt-5.6-luna")))
        (session,) = [session async for session in live.beta.agents.sessions.list()]
        request = replace(request, turn_id=2, thread_id=session.id)

    await engine.answer(request)

    call = sandbox.calls("openai", "POST", "/v1/agents/sessions")[-1]
    said = call["body"]["events"][0]["input"] if is_known else call["body"]["input"]
    (note, words) = [item["content"][0]["text"] for item in said]
    assert (note.endswith(LINE), words) == (True, "Hola")
    assert [session.agent.model async for session in live.beta.agents.sessions.list()] == ["gpt-5.6-luna"]
