"""The list of conversations beside a thread: by state, client, dates, person, and what people wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from runtime.console.page import OperatorVisit
from runtime.console.paging import clients_of, number_of
from runtime.console.words import Sentence
from runtime.store.console import accounts, search, trials
from runtime.store.database.database import Database
from runtime.store.database.times import timestamp
from runtime.store.messages import threads
from runtime.store.messages.threads import LAST, ConversationSummary

LISTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "waiting": {"waiting": True},
    "people": {"state": "human"},
    "assistant": {"state": "assistant"},
    "closed": {"state": "closed"},
    "all": {},
}
"""What `?list=` shows."""
LISTED: Final = 50
SEARCHED_CHARACTERS: Final = 100
MOST_CLIENTS: Final = 300
"""Up to this number of clients they are offered by name; after that their ids are written."""
ALWAYS: Final = ("", "9999")
WHERE_TO_SEARCH: Final = Sentence("Para buscar palabras, elige un cliente en la flota; un número se busca en todos.")
WHERE_DATES: Final = Sentence("Para filtrar por fecha, elige también un cliente.")


class ConversationList:
    """Reads it; a read is in the audit."""

    def __init__(self, database: Database, timezone: str) -> None:
        self._database = database
        self._timezone = timezone

    async def of(self, visit: OperatorVisit) -> dict[str, Any]:
        """What the template needs. Raises Declined."""
        chosen = visit.query("list") if visit.query("list") in LISTS else "waiting"
        clients, wanted = clients_of(visit), visit.query("q").strip()[:SEARCHED_CHARACTERS]
        first, last = _day(visit.query("from")), _day(visit.query("to"))
        span, is_one = self._span(first, last), clients is not None and len(clients) == 1
        after, hint = None, None
        found: Sequence[ConversationSummary] = ()
        if span != ALWAYS and not is_one:
            hint = WHERE_DATES
        elif wanted and not is_one and not search.is_number(wanted):
            hint = WHERE_TO_SEARCH
        elif wanted:
            matching = await self._database.read_traced(
                search.search, visit.actor, wanted, clients=clients, limit=LISTED
            )
            found = [one for one in matching if span[0] <= (one.last_inbound or "") < span[1]]
        else:
            found = await self._newest(visit, chosen, clients, span)
            after = found[LISTED - 1].newest if len(found) > LISTED else None
        choices = await self._database.read(trials.choice_of, visit.clients, MOST_CLIENTS)
        keep = {"list": chosen, "client": visit.query("client"), "q": wanted}
        keep |= {"from": first.isoformat() if first else "", "to": last.isoformat() if last else ""}
        return {
            "chosen": chosen,
            "client": visit.query("client"),
            "conversations": found[:LISTED],
            "after": after,
            "names": await self._database.read(accounts.names),
            "wanted": wanted,
            "hint": hint,
            "keep": {name: value for name, value in keep.items() if value},
            "first": first.isoformat() if first else "",
            "last": last.isoformat() if last else "",
            "choices": choices,
        }

    async def _newest(
        self, visit: OperatorVisit, chosen: str, clients: Sequence[str] | None, span: tuple[str, str]
    ) -> Sequence[ConversationSummary]:
        after = visit.query("after")
        return await self._database.read_traced(
            threads.listed_by,
            visit.actor,
            clients=clients,
            before=number_of(after) if after else LAST,
            limit=LISTED + 1,
            since=span[0],
            until=span[1],
            **LISTS[chosen],
        )

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
