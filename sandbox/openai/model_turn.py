"""One turn of the simulated model: what it knows goes in, output items come out.

The same turn serves both APIs; each wraps the result in its own objects. Nothing here is stored.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from sandbox import answers
from sandbox.answers import Context, WantedCall
from sandbox.openai import items, tools
from sandbox.openai.knowledge import Passage
from sandbox.storage import Json, new_id

Search = Callable[[list[str], str, Json | None, int, float], list[Passage]]
_WORTH_QUOTING = 0.3
_WEB = ("web_search", "web_search_preview")


@dataclass(frozen=True, slots=True)
class ModelTurn:
    """What the model did: it called functions, or it answered, maybe after searching files or the web."""

    calls: tuple[WantedCall, ...] = ()
    text: str = ""
    searched: bool = False
    found: tuple[Passage, ...] = ()
    searched_web: bool = False

    @property
    def quoted(self) -> tuple[Passage, ...]:
        return tuple(passage for passage in self.found[:1] if passage.score >= _WORTH_QUOTING)

    def annotations(self) -> list[Json]:
        return [
            {"type": "file_citation", "file_id": item.file_id, "filename": item.filename, "index": len(self.text)}
            for item in self.quoted
        ]


def take(context: Context, offered: list[Json], choice: object, *, parallel: bool, search: Search) -> ModelTurn:
    """The model's turn. `offered` are the tools in either API's shape, `choice` is the caller's `tool_choice`."""
    calls = _calls(context, offered, choice)
    if calls:
        return ModelTurn(calls=tuple(calls if parallel else calls[:1]))
    tool = next((item for item in offered if item["type"] == "file_search"), None)
    found: list[Passage] = []
    if tool is not None and choice != "none":
        threshold = (tool.get("ranking_options") or {}).get("score_threshold") or 0.0
        most = tool.get("max_num_results") or 20
        found = search(tool.get("vector_store_ids") or [], context.text, tool.get("filters"), most, threshold)
    searched = tool is not None and choice != "none"
    turn = ModelTurn(searched=searched, found=tuple(found), searched_web=_searches_web(context, offered, choice))
    quotes = tuple(passage.text for passage in turn.quoted)
    return replace(turn, text=answers.reply(replace(context, passages=quotes)))


def _searches_web(context: Context, offered: list[Json], choice: object) -> bool:
    """Whether the user's words, or the caller's, ask for a search of the web. What it finds changes no answer."""
    if choice == "none" or all(tool["type"] not in _WEB for tool in offered):
        return False
    forced = isinstance(choice, dict) and choice.get("type") in _WEB
    return forced or answers.mentions("web_search", context)


def _calls(context: Context, offered: list[Json], choice: object) -> list[WantedCall]:
    functions = tools.functions_of(offered)
    if choice == "none" or not functions:
        return []
    forced = next(iter(functions)) if choice == "required" else None
    if isinstance(choice, dict):
        forced = choice.get("function", choice).get("name")
    if forced in functions and not context.outputs:
        return [answers.forced_call(forced, functions[forced], context)]
    return answers.function_calls(context, functions)


def output_items(turn: ModelTurn, question: str, *, with_results: bool) -> list[Json]:
    """The turn as output items of a response."""
    if turn.calls:
        return [items.call_item(call.name, call.arguments) for call in turn.calls]
    message = items.output_message(turn.text, turn.annotations())
    made = [items.web_search_item(question)] if turn.searched_web else []
    if not turn.searched:
        return [*made, message]
    results = [
        {
            "file_id": item.file_id,
            "filename": item.filename,
            "score": item.score,
            "text": item.text,
            "attributes": item.attributes,
        }
        for item in turn.found
    ]
    search: Json = {"id": new_id("fs_"), "type": "file_search_call", "status": "completed", "queries": [question]}
    return [*made, {**search, "results": results if with_results else None}, message]
