"""Runs and their steps as they go over the wire. Nothing here is stored, and nothing depends on the clock."""

from sandbox.answers import WantedCall
from sandbox.openai import tools
from sandbox.openai.shapes import checked_metadata
from sandbox.storage import Json, new_id

_LIFETIME = 600
"""Seconds until an unfinished run expires."""


def new_run(body: Json, assistant: Json, thread: str, now: int) -> Json:
    """A queued run: the assistant's settings as of now, each replaced by what the caller gave."""
    given = {name: value for name, value in body.items() if value is not None}
    added = given.get("additional_instructions")
    instructions = given.get("instructions", assistant["instructions"] or "")
    resources = assistant["tool_resources"] or {}
    return {
        "id": new_id("run_", 24),
        "object": "thread.run",
        "created_at": now,
        "thread_id": thread,
        "assistant_id": assistant["id"],
        "status": "queued",
        "required_action": None,
        "last_error": None,
        "expires_at": now + _LIFETIME,
        "started_at": None,
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": None,
        "incomplete_details": None,
        "model": given.get("model", assistant["model"]),
        "instructions": f"{instructions}\n\n{added}" if added else instructions,
        "tools": tools.for_assistant(given.get("tools", assistant["tools"])),
        "metadata": checked_metadata(given.get("metadata")),
        "usage": None,
        "temperature": given.get("temperature", assistant["temperature"]),
        "top_p": given.get("top_p", assistant["top_p"]),
        "max_prompt_tokens": given.get("max_prompt_tokens"),
        "max_completion_tokens": given.get("max_completion_tokens"),
        "truncation_strategy": given.get("truncation_strategy", {"type": "auto", "last_messages": None}),
        "tool_choice": given.get("tool_choice", "auto"),
        "parallel_tool_calls": given.get("parallel_tool_calls", True),
        "response_format": given.get("response_format", assistant["response_format"] or "auto"),
        "reasoning_effort": given.get("reasoning_effort", assistant.get("reasoning_effort")),
        "_name": assistant["name"] or assistant["model"],
        "_stores": (resources.get("file_search") or {}).get("vector_store_ids") or [],
        "_outputs": [],
    }


def wanted(calls: tuple[WantedCall, ...]) -> Json:
    """The `required_action` that asks for the results of function calls."""
    tool_calls = [
        {"id": new_id("call_", 24), "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in calls
    ]
    return {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": tool_calls}}


def steps(run: Json) -> dict[str, Json]:
    """The steps of a run by id: one, the message it made."""
    if "_message" not in run:
        return {}
    step: Json = {
        "id": run["id"].replace("run_", "step_"),
        "object": "thread.run.step",
        "created_at": run["created_at"],
        "assistant_id": run["assistant_id"],
        "thread_id": run["thread_id"],
        "run_id": run["id"],
        "type": "message_creation",
        "status": "completed",
        "step_details": {"type": "message_creation", "message_creation": {"message_id": run["_message"]}},
        "last_error": None,
        "expired_at": None,
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": run["completed_at"],
        "metadata": {},
        "usage": run["usage"],
    }
    return {step["id"]: step}
