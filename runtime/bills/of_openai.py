"""Reads the costs of OpenAI's organization for a month, with its SDK and an admin key.

OpenAI: buckets of one day, in UTC, with an amount per line item; at most 180 a page.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from openai import APIConnectionError, AsyncOpenAI, Omit, OpenAIError, omit

from runtime.bills.charged import BillUnread, OpenAIBill, nanos_of
from runtime.store.usage.sums import month_bounds

DAYS: Final = 31
CURRENCY: Final = "usd"


async def read_openai(
    admin_key: str, base_url: str | None, month: str, projects: Sequence[str] = ()
) -> OpenAIBill | BillUnread:
    """The costs of these projects, or of the whole organization; or why they cannot be read."""
    async with AsyncOpenAI(api_key="", admin_api_key=admin_key, base_url=base_url) as client:
        try:
            return OpenAIBill(await _line_items(client, month, projects))
        except BillUnread as error:
            return BillUnread(f"The costs of OpenAI's organization cannot be compared: {error}")
        except APIConnectionError:
            return BillUnread(
                "The costs of OpenAI's organization cannot be read: OpenAI cannot be reached; check the network and"
                " OPENAI_BASE_URL."
            )
        except (OpenAIError, ValueError) as error:
            reason = str(error).rstrip(".")
            return BillUnread(
                f"The costs of OpenAI's organization cannot be read: {reason}; check that OPENAI_ADMIN_KEY is a key for"
                " administrators of it."
            )


async def _line_items(client: AsyncOpenAI, month: str, projects: Sequence[str]) -> dict[str, int]:
    first, following = (int(time.timestamp()) for time in month_bounds(month))
    sums: dict[str, int] = {}
    page: str | Omit = omit
    while True:
        answer = await client.admin.organization.usage.costs(
            start_time=first,
            end_time=following,
            bucket_width="1d",
            group_by=["line_item"],
            limit=DAYS,
            project_ids=list(projects) or omit,
            page=page,
        )
        for bucket in answer.data:
            for result in bucket.results:
                _add(sums, result)
        if not answer.has_more or not answer.next_page:
            return sums
        page = answer.next_page


def _add(sums: dict[str, int], result: object) -> None:
    amount = getattr(result, "amount", None)
    if amount is None or not amount.value:
        return
    if amount.currency and amount.currency.lower() != CURRENCY:
        raise BillUnread(f"they are in {amount.currency.upper()}, and the ledger is in USD.")
    name = getattr(result, "line_item", None) or "no line item"
    sums[name] = sums.get(name, 0) + nanos_of(amount.value)
