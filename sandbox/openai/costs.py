"""GET /v1/organization/costs: what the organization was charged, day by day, for callers with its admin key.

OpenAI documents the names of line items by one example, `gpt-6-astra, input_tokens`; those of other kinds follow the
fields of its usage objects. Unlike OpenAI's, these costs are there at once. Users are not distinguished, so grouping by
`user_id` is refused, as OpenAI refuses some groupings.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count, islice, takewhile

from aiohttp import web

from sandbox.middleware import answer
from sandbox.openai.wire import error, invalid, missing, number_within, out_of_set, wrong_type
from sandbox.price_ledger import Charge, Sum
from sandbox.state import State
from sandbox.storage import Json

KEY_ID = "key_sandbox"
"""The id of the one API key that there is."""
_DAY = 86_400
_GROUPS = ("project_id", "line_item", "api_key_id")
_REFUSED_GROUPS = ("user_id", "api_source")
_LINE_ITEMS: Mapping[str, tuple[str, str | None]] = {
    "model_input": ("input_tokens", "tokens"),
    "model_cached": ("input_cached_tokens", "tokens"),
    "model_cache_write": ("input_cache_write_tokens", "tokens"),
    "model_output": ("output_tokens", "tokens"),
    "transcription": ("audio_transcriptions", "duration_seconds"),
    "web_search": ("web_search_calls", None),
    "file_search": ("file_search_calls", None),
}
"""Kind → its line item after the model's name, and the unit of its quantity."""


@dataclass(frozen=True, slots=True)
class _Query:
    """A checked request."""

    start: int
    end: int
    limit: int
    group_by: tuple[str, ...]
    only: Mapping[str, list[str]]
    """Field → the values to which the result is narrowed down."""


class Costs:
    """The handler of /v1/organization/costs."""

    def __init__(self, state: State) -> None:
        self._state = state

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/v1/organization/costs", self.list_all)]

    async def list_all(self, request: web.Request) -> web.Response:
        query = _checked(request, self._state.now())
        days = takewhile(lambda day: day < query.end, count(query.start - query.start % _DAY, _DAY))
        starts = list(islice(days, query.limit + 1))
        more = len(starts) > query.limit
        shown = starts[: query.limit]
        charges: dict[int, list[Charge]] = {start: [] for start in shown}
        for charge in self._state.prices.charges():
            if charge.kind in _LINE_ITEMS and (start := _start_of(charge)) in charges:
                charges[start].append(charge)
        return answer(
            {
                "object": "page",
                "data": [_bucket(start, charges[start], query) for start in shown],
                "has_more": more,
                "next_page": f"page_{starts[query.limit]}" if more else None,
            }
        )


def _start_of(charge: Charge) -> int:
    return int(datetime.fromisoformat(charge.day).replace(tzinfo=UTC).timestamp())


def _fields(charge: Charge) -> dict[str, str | None]:
    """What a charge can be grouped by and narrowed down to."""
    return {
        "project_id": charge.project,
        "line_item": f"{charge.model}, {_LINE_ITEMS[charge.kind][0]}",
        "api_key_id": KEY_ID,
    }


def _bucket(start: int, charges: list[Charge], query: _Query) -> Json:
    groups: dict[tuple[str | None, ...], tuple[str, Sum]] = {}
    for charge in charges:
        fields = _fields(charge)
        if all(fields[name] in values for name, values in query.only.items()):
            key = tuple(fields[name] if name in query.group_by else None for name in _GROUPS)
            groups.setdefault(key, (charge.kind, Sum()))[1].add(charge)
    results = [_result(key, kind, found) for key, (kind, found) in groups.items()]
    return {"object": "bucket", "start_time": start, "end_time": start + _DAY, "results": results}


def _result(key: tuple[str | None, ...], kind: str, found: Sum) -> Json:
    named = dict(zip(_GROUPS, key, strict=True))
    counted = named["line_item"] is not None
    return {
        "object": "organization.costs.result",
        "amount": {"value": None if found.amount is None else found.amount / 10**9, "currency": "usd"},
        **named,
        "user_id": None,
        "api_source": None,
        "quantity": found.quantity if counted else None,
        "quantity_unit": _LINE_ITEMS[kind][1] if counted else None,
    }


def _checked(request: web.Request, now: int) -> _Query:
    """Raises OpenAI's errors for parameters that it does not accept."""
    given = request.query
    if "start_time" not in given:
        raise missing("start_time")
    start, end = _seconds(request, "start_time", 0), _seconds(request, "end_time", now)
    if (width := given.get("bucket_width", "1d")) != "1d":
        raise out_of_set("bucket_width", width, ("1d",))
    group_by = tuple(_listed(request, "group_by"))
    for group in group_by:
        if group in _REFUSED_GROUPS:
            raise error(400, f"Grouping by '{group}' is not supported for this organization.", param="group_by")
        if group not in _GROUPS:
            raise out_of_set("group_by", group, (*_GROUPS, *_REFUSED_GROUPS))
    only = {name: values for name in _GROUPS if (values := _listed(request, f"{name}s"))}
    return _Query(_cursor(request, start), end, number_within("limit", given.get("limit", "7"), 180), group_by, only)


def _seconds(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    if not text.isdecimal():
        raise wrong_type(name, f"an integer, but got '{text}' instead")
    return int(text)


def _cursor(request: web.Request, start: int) -> int:
    """Where a page begins."""
    page = request.query.get("page")
    if page is None:
        return start
    if not page.removeprefix("page_").isdecimal():
        raise invalid("page", f"Invalid 'page': '{page}'.")
    return int(page.removeprefix("page_"))


def _listed(request: web.Request, name: str) -> list[str]:
    """A list in the query, which the SDK writes as `name[]=…`."""
    return [*request.query.getall(f"{name}[]", []), *request.query.getall(name, [])]
