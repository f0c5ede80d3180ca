"""The list of conversations beside a thread: by state, client, dates, person, and what people wrote."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from runtime.console.conversation_values import LISTED, AskedList
from runtime.console.page import OperatorVisit
from runtime.console.paging import clients_of, number_of
from runtime.console.words import Sentence
from runtime.store.console import search
from runtime.store.console.conversation_pages import ListQuery
from runtime.store.database.times import timestamp
from runtime.store.messages.threads import LAST

LISTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "waiting": {"waiting": True},
    "people": {"state": "human"},
    "assistant": {"state": "assistant"},
    "closed": {"state": "closed"},
    "all": {},
}
"""What `?list=` shows."""
SEARCHED_CHARACTERS: Final = 100
MOST_CLIENTS: Final = 300
"""Up to this number of clients they are offered by name; after that their ids are written."""
ALWAYS: Final = ("", "9999")
WHERE_TO_SEARCH: Final = Sentence("Para buscar palabras, elige un cliente en la flota; un número se busca en todos.")
WHERE_DATES: Final = Sentence("Para filtrar por fecha, elige también un cliente.")


class ConversationList:
    """What a page asks for by its address."""

    def __init__(self, timezone: str) -> None:
        self._timezone = timezone

    def asked(self, visit: OperatorVisit) -> AskedList:
        """The list. Raises Declined."""
        chosen = visit.query("list") if visit.query("list") in LISTS else "waiting"
        clients, wanted = clients_of(visit), visit.query("q").strip()[:SEARCHED_CHARACTERS]
        first, last = _day(visit.query("from")), _day(visit.query("to"))
        span, is_one = self._span(first, last), clients is not None and len(clients) == 1
        hint = None
        if span != ALWAYS and not is_one:
            hint = WHERE_DATES
        elif wanted and not is_one and not search.is_number(wanted):
            hint = WHERE_TO_SEARCH
        after = visit.query("after")
        before = number_of(after) if after else LAST
        query = ListQuery(
            clients=clients,
            offered=visit.clients,
            most_offered=MOST_CLIENTS,
            limit=LISTED if wanted else LISTED + 1,
            wanted="" if hint else wanted,
            filters=None if hint else {"before": before, "since": span[0], "until": span[1], **LISTS[chosen]},
        )
        return AskedList(query, visit.query("client"), chosen, wanted, first, last, span, hint)

    def _span(self, first: date | None, last: date | None) -> tuple[str, str]:
        """From when to when, as texts of `timestamp`, in the installation's zone; the last day is within."""
        since = self._begin(first) if first is not None else ALWAYS[0]
        return since, self._begin(last + timedelta(days=1)) if last is not None else ALWAYS[1]

    def _begin(self, day: date) -> str:
        return timestamp(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(self._timezone)).timestamp())


def _day(text: str) -> date | None:
    """A day of a form; None for another text, and for years that are no one's."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if 2000 <= found.year < 2100 else None
