"""`horizonai-whatsapp-bot costs`: what the ledger has, and whether the providers charge the same."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from runtime.commands.opening import configured, in_sentences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.bills.charged import BillUnread, OpenAIBill, TwilioBill
    from runtime.settings import Settings
    from runtime.store.records import BotRecord
    from runtime.twilio.accounts import Account


class MonthType(click.ParamType[str]):
    """A calendar month that has begun in UTC: `2026-11`."""

    name = "month"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The month as the ledger writes it."""
        if not re.fullmatch(r"2\d{3}-(0[1-9]|1[0-2])", value):
            self.fail(f"{value!r} is not a month; write it as 2026-11.", param, ctx)
        if value > this_month():
            self.fail(f"{value} has not begun yet; in UTC it is {this_month()}.", param, ctx)
        return value


def this_month() -> str:
    """The month in UTC."""
    return f"{datetime.now(UTC):%Y-%m}"


month_option = click.option("--month", type=MonthType(), metavar="YYYY-MM", help="In UTC; the current one without it.")
format_option = click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How it is printed.",
)


@click.group(invoke_without_command=True, short_help="What clients cost, by kind of usage.")
@click.option("--client", help="Only this client's.")
@month_option
@format_option
@click.pass_context
def costs(ctx: click.Context, client: str | None, month: str | None, form: str) -> None:
    """What clients cost in a month: the sums of the ledger by client and kind, with how well each price is known."""
    if ctx.invoked_subcommand is not None:
        if client or month:
            raise click.UsageError(f"Options of `{ctx.invoked_subcommand}` come after it.", ctx)
        return
    from runtime.bills.shown import sums_as_json, sums_as_text
    from runtime.store.database.once import run_once
    from runtime.store.usage.sums import usage_sums

    chosen = month or this_month()
    with in_sentences():
        sums = run_once(configured().database_url, usage_sums, chosen, client)
    if form == "json":
        _print_json(sums_as_json(chosen, sums))
        return
    if not sums:
        click.echo(f"The ledger has nothing of {chosen}{f' for {client!r}' if client else ''}.", err=True)
    else:
        click.echo(sums_as_text(chosen, sums), nl=False)


@costs.command("compare", short_help="Compare the ledger with what Twilio and OpenAI charge.")
@month_option
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 100),
    default=2.0,
    show_default=True,
    help="In per cent of what was charged.",
)
@click.option(
    "--project",
    "projects",
    multiple=True,
    metavar="ID",
    help="Only these projects of OpenAI; may be given more than once.",
)
@format_option
def costs_compare(month: str | None, tolerance: float, projects: tuple[str, ...], form: str) -> None:
    """Compare the ledger with what Twilio, Meta through Twilio, and OpenAI charge for a month. OpenAI's costs are read
    with OPENAI_ADMIN_KEY. Exit 0 within the tolerance, 2 above it, 1 when a side could not be read."""
    from runtime.bills.comparison import compare
    from runtime.bills.shown import comparison_as_json, comparison_as_text
    from runtime.store.database.once import run_once
    from runtime.store.usage.sums import read_ledger_of_month

    chosen = month or this_month()
    with in_sentences():
        settings = configured()
        ledger = run_once(settings.database_url, read_ledger_of_month, chosen)
        twilio, openai = asyncio.run(_read_bills(settings, ledger.bots, chosen, projects))
    found = compare(chosen, tolerance, ledger.sums, twilio, openai, ledger.border)
    if form == "json":
        _print_json(comparison_as_json(found))
    else:
        click.echo(comparison_as_text(found), nl=False)
    raise SystemExit(found.exit_code)


async def _read_bills(
    settings: Settings, bots: Sequence[BotRecord], month: str, projects: Sequence[str]
) -> tuple[list[TwilioBill | BillUnread], OpenAIBill | BillUnread | None]:
    from runtime.bills.of_openai import read_openai
    from runtime.bills.of_twilio import read_twilio

    accounts, unknown = _accounts(settings, bots)
    bills = await read_twilio(accounts, settings.twilio_base_url, month)
    key = settings.openai_admin_key
    openai = await read_openai(key.get_secret_value(), settings.openai_base_url, month, projects) if key else None
    return [*bills, *unknown], openai


def _accounts(settings: Settings, bots: Sequence[BotRecord]) -> tuple[list[Account], list[BillUnread]]:
    """The shared account and those that bots name, each once; and why one cannot be asked."""
    from runtime.bills.charged import BillUnread
    from runtime.settings import Secrets
    from runtime.twilio.accounts import AccountError, Accounts

    known = Accounts(settings, Secrets())
    is_shared_used = settings.twilio_account_sid is not None or not bots
    found: dict[str, Account] = {}
    unknown = []
    for bot in (*([None] if is_shared_used else []), *bots):
        try:
            account = known.account_of(bot)
        except AccountError as error:
            unknown.append(BillUnread(str(error)))
        else:
            found.setdefault(account.sid, account)
    return list(found.values()), unknown


def _print_json(document: dict[str, Any]) -> None:
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))
