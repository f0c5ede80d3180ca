"""The engine `assistants`: a live object at a server that speaks the Assistants API (threads, messages, runs).

OpenAI's own server answers 404 there since 2026-08-26; compatible servers continue. The thread is the provider's memory
of the conversation, and what is written to it stays, so each message and run carries the turn's id in its metadata: a
turn that is attempted again searches for its own before it adds anything.
"""

from __future__ import annotations

import asyncio
import time
import warnings
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

from openai import APIError, AsyncOpenAI, BadRequestError, NotFoundError
from openai.types.beta import Thread
from openai.types.beta.threads import Message, Run

from runtime.content.rendering import for_model
from runtime.engines.answer_text import ended, text_of
from runtime.engines.errors import from_openai
from runtime.engines.past import note_of_call, noted_calls, recap, recap_of_calls
from runtime.engines.port import MAX_ROUNDS, Answer, Request
from runtime.errors import PermanentError, TemporaryError
from runtime.memory import finished_calls
from runtime.store.usage.quantities import Usage

# The SDK marks this API as deprecated with every call; using it is this module's purpose.
warnings.filterwarnings("ignore", category=DeprecationWarning, module=__name__)

T = TypeVar("T")

POLL_SECONDS = (0.1, 0.2, 0.4, 0.8, 1.0)
ACTIVE = frozenset({"queued", "in_progress", "cancelling"})
GONE = (
    "The server at OPENAI_BASE_URL has no Assistants API (404); OpenAI switched its own off on 2026-08-26. "
    "Give the client `engine: responses`, or point OPENAI_BASE_URL at a server that still has it."
)


class AssistantsEngine:
    """Answers with threads and runs."""

    def __init__(self, client: AsyncOpenAI, timeout: float) -> None:
        self._timeout = timeout
        self._threads = client.beta.threads

    async def answer(self, request: Request) -> Answer:
        """See Engine."""
        deadline = time.monotonic() + self._timeout
        try:
            thread_id = await self._thread(request)
            await self._add_messages(thread_id, request)
            run = await self._run(thread_id, request)
            run = await self._finished(run, request, deadline)
            text = await self._text(run)
        except APIError as error:
            raise from_openai(error, request.model) from error
        usage = Usage(run.usage.prompt_tokens, 0, run.usage.completion_tokens) if run.usage else Usage()
        request.spend(run.model, usage)
        if run.status != "incomplete":
            return Answer(text, (), run.model, usage)
        reason = run.incomplete_details.reason if run.incomplete_details else None
        return Answer(ended(text), (), run.model, usage, incomplete=reason or "unknown")

    async def _thread(self, request: Request) -> str:
        """The conversation's thread; a new one when there is none, the server has lost it, or the user starts over."""
        turn = {"turn": str(request.turn_id)}
        if request.thread_id is not None:
            try:
                known = await self._threads.retrieve(request.thread_id)
            except NotFoundError:
                pass
            else:
                # One that this turn has made in an earlier attempt has the user's new beginning.
                if not request.starts_over or _is_of(known, request):
                    return request.thread_id
                await self._threads.delete(request.thread_id)
        try:
            thread = await self._threads.create(metadata={"client": request.client[:512], **turn})
        except NotFoundError as error:
            raise PermanentError(GONE) from error
        await request.keep_thread(thread.id)
        return thread.id

    async def _add_messages(self, thread_id: str, request: Request) -> None:
        present = await self._threads.messages.list(thread_id, order="desc", limit=100)
        said = sum(1 for message in present.data if _is_of(message, request))
        for message in request.messages[said:]:
            text = for_model(message.content)
            await self._when_idle(thread_id, request, self._add_message(thread_id, request, text))

    async def _add_message(self, thread_id: str, request: Request, text: str) -> Message:
        return await self._threads.messages.create(
            thread_id, role="user", content=text, metadata={"turn": str(request.turn_id)}
        )

    async def _run(self, thread_id: str, request: Request) -> Run:
        """This turn's run: the one an earlier attempt began, or a new one."""
        runs = await self._threads.runs.list(thread_id, order="desc", limit=20)
        for run in runs.data:
            if _is_of(run, request) and (run.status in ACTIVE or run.status in ("requires_action", "completed")):
                return run
        return await self._when_idle(thread_id, request, self._create_run(thread_id, request))

    async def _create_run(self, thread_id: str, request: Request) -> Run:
        overrides: dict[str, Any] = {
            "model": request.model,
            "instructions": request.instructions,
            "additional_instructions": _besides(request),
        }
        run: Run = await self._threads.runs.create(
            thread_id,
            assistant_id=request.assistant_id,
            metadata={"turn": str(request.turn_id)},
            **{key: value for key, value in overrides.items() if value is not None},
        )
        return run

    async def _when_idle(self, thread_id: str, request: Request, action: Awaitable[T]) -> T:
        """Makes a call that a thread refuses while an earlier turn's run is active; when refused, cancels that run for
        a later attempt."""
        try:
            return await action
        except BadRequestError as error:
            # "while a run run_1 is active", "already has an active run run_1"
            if "active run" not in error.message and " is active" not in error.message:
                raise
        runs = await self._threads.runs.list(thread_id, order="desc", limit=20)
        for run in runs.data:
            if run.status in ("queued", "in_progress", "requires_action") and not _is_of(run, request):
                await self._threads.runs.cancel(run.id, thread_id=thread_id)
        raise TemporaryError("An earlier run is still active on this thread; it is being cancelled.", delay=1.0)

    async def _finished(self, run: Run, request: Request, deadline: float) -> Run:
        """Polls a run until it ends, answering its function calls meanwhile."""
        called = noted_calls(request.progress)
        rounds = polls = 0
        while run.status in ACTIVE or run.status == "requires_action":
            if run.status == "requires_action":
                rounds += 1
                if rounds > MAX_ROUNDS:
                    await self._threads.runs.cancel(run.id, thread_id=run.thread_id)
                    raise PermanentError(f"The assistant still called functions after {MAX_ROUNDS} rounds.")
                run = await self._answer_calls(run, request, called)
                continue
            if time.monotonic() > deadline:
                raise TemporaryError("The run did not end in time (MODEL_TIMEOUT_SECONDS).")
            await asyncio.sleep(POLL_SECONDS[min(polls, len(POLL_SECONDS) - 1)])
            polls += 1
            run = await self._threads.runs.retrieve(run.id, thread_id=run.thread_id)
        if run.status in ("completed", "incomplete"):
            return run
        code = run.last_error.code if run.last_error else run.status
        said = run.last_error.message if run.last_error else "no reason given"
        failure = TemporaryError if code in ("server_error", "rate_limit_exceeded", "expired") else PermanentError
        raise failure(f"The run ended as {run.status} ({code}): {said}")

    async def _answer_calls(self, run: Run, request: Request, called: dict[str, Mapping[str, Any]]) -> Run:
        """Calls functions, each once regardless of how often the turn is attempted, and submits the results."""
        calls = run.required_action.submit_tool_outputs.tool_calls if run.required_action else []
        new = [call for call in calls if call.id not in called]
        outputs = await asyncio.gather(
            *(request.call_function(call.function.name, call.function.arguments, call.id) for call in new)
        )
        called |= {
            call.id: note_of_call(call.id, call.function.name, call.function.arguments, output)
            for call, output in zip(new, outputs, strict=True)
        }
        await request.keep_progress(list(called.values()))
        return await self._threads.runs.submit_tool_outputs(
            run.id,
            thread_id=run.thread_id,
            tool_outputs=[{"tool_call_id": call.id, "output": called[call.id]["output"]} for call in calls],
        )

    async def _text(self, run: Run) -> str:
        """The assistant's answer in a run, without the marks that stand for its sources."""
        messages = await self._threads.messages.list(run.thread_id, run_id=run.id, order="asc", limit=100)
        parts: list[str] = []
        for message in messages.data:
            for block in message.content if message.role == "assistant" else ():
                if block.type == "text":
                    text = block.text.value
                    for annotation in block.text.annotations:
                        text = text.replace(annotation.text, "")
                    parts.append(text)
                elif block.type == "refusal":
                    parts.append(block.refusal)
        said = text_of(parts)
        if not said:
            raise PermanentError(f"The assistant answered with no text (run {run.status}).")
        return said


async def delete_thread(client: AsyncOpenAI, thread_id: str) -> bool:
    """Deletes a thread with its messages; False when the server has none of that id."""
    try:
        await client.beta.threads.delete(thread_id)
    except NotFoundError:
        return False
    return True


def _besides(request: Request) -> str | None:
    """What the model gets with this run besides the thread. The thread has what was answered there; our history has the
    rest: what failed turns left, and proactive messages."""
    texts = recap(request.history), recap_of_calls(finished_calls(request.progress)), request.note
    return "\n\n".join(text for text in texts if text is not None) or None


def _is_of(thing: Message | Run | Thread, request: Request) -> bool:
    return isinstance(thing.metadata, dict) and thing.metadata.get("turn") == str(request.turn_id)
