"""A report's words and tables, for the text and the page. Pure; built from what a client may see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

from runtime.reports.figures import Figures
from runtime.reports.money import Bill, BillLine, messages_out
from runtime.reports.variants import variant_rows
from runtime.reports.words import Words
from runtime.store.delivery_errors import delivery_error
from runtime.store.usage.ledger import FREE_SERVICE_MESSAGES
from runtime.store.usage.traffic import Traffic
from schemas.money import exact

MOST_USED = 10
"""How many documents and functions are listed."""


@dataclass(frozen=True, slots=True)
class Branding:
    """Who sends the report."""

    name: str | None
    contact: str | None
    logo: str | None
    """An address, or a data: URL."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A figure with its name."""

    label: str
    value: str
    note: str = ""
    key: str = ""
    """What its messages are found by (`runtime.console.behind`); "" where it counts none."""


@dataclass(frozen=True, slots=True)
class ReportTable:
    """Rows under a head, the first cell of each its name."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    sums: int = 0
    """How many rows at the end are sums."""
    keys: Sequence[str] = ()
    """What the messages of each row are found by, as `Fact.key`; () where rows count none."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Values side by side."""

    labels: Sequence[str]
    values: Sequence[int]


@dataclass(frozen=True, slots=True)
class ReportSection:
    """A heading with what stands below it."""

    title: str
    paragraphs: Sequence[str] = ()
    chart: Chart | None = None
    heat: Sequence[Sequence[int]] | None = None
    """The numbers of `tables[0]`, to be shaded by their size."""
    tables: Sequence[ReportTable] = ()
    items: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ClientReport:
    """The whole report."""

    language: str
    title: str
    client: str
    numbers: str
    subtitle: str
    lead: str
    facts: Sequence[Fact]
    sections: Sequence[ReportSection]
    branding: Branding


def document(figures: Figures, bill: Bill, branding: Branding, words: Words) -> ClientReport:
    """The report of a month."""
    traffic = figures.traffic
    made = figures.made_at.astimezone(ZoneInfo(figures.zone))
    day = words.day(made.date())
    sections = [_days(figures, words), _hours(figures, words), _outcomes(traffic, words)] if traffic.received else []
    return ClientReport(
        language=words.language,
        title=words("title", month=words.month(figures.month)),
        client=figures.name,
        numbers=", ".join(figures.numbers),
        subtitle=words("by", agency=branding.name, day=day) if branding.name else day,
        lead=" ".join(_lead(figures, bill, words)),
        facts=list(_facts(figures, words)),
        sections=[
            *sections,
            *_used(traffic, words),
            *_variants(figures, words),
            _costs(figures, bill, words),
            ReportSection(words("notes"), items=list(_notes(figures, bill, words))),
            *([ReportSection(words("contact"), paragraphs=[branding.contact])] if branding.contact else ()),
        ],
        branding=branding,
    )


def _lead(figures: Figures, bill: Bill, words: Words) -> Iterator[str]:
    traffic = figures.traffic
    if not traffic.received:
        yield words("lead_nothing", month=words.month(figures.month), name=figures.name)
    else:
        yield words(
            "lead",
            people=words.count(traffic.people, "person", "people"),
            name=figures.name,
            conversations=words.count(traffic.conversations, "conversation", "conversations"),
            received=words.count(traffic.received, "message", "messages"),
            share=words.percent(Fraction(traffic.answered, traffic.received)),
        )
    if traffic.half_within is not None:
        yield words("lead_time", time=words.seconds(traffic.half_within))
    yield words("lead_cost", amount=words.money(bill.total, bill.currency), vat=vat_words(bill, words))


def vat_words(bill: Bill, words: Words) -> str:
    """What the total includes: ` con IVA`."""
    if bill.vat_percent is not None:
        return words("with_vat")
    return words("without_vat") if bill.is_taxed else ""


def _facts(figures: Figures, words: Words) -> Iterator[Fact]:
    traffic = figures.traffic
    yield Fact(words("fact_conversations"), words.number(traffic.conversations), key="received")
    yield Fact(words("fact_people"), words.number(traffic.people), key="received")
    yield Fact(words("fact_received"), words.number(traffic.received), _before(figures, words, "twilio_in"), "received")
    sent = messages_out(figures.usage)
    yield Fact(words("fact_sent"), words.number(sent), _before(figures, words, "twilio_out", "twilio_failed"))
    if traffic.received:
        counts = {"count": words.number(traffic.answered), "whole": words.number(traffic.received)}
        share = words.percent(Fraction(traffic.answered, traffic.received))
        yield Fact(words("fact_answered"), share, words("of_received", **counts), "answered")
    if traffic.half_within is not None and traffic.most_within is not None:
        most = words("time_most", time=words.seconds(traffic.most_within))
        yield Fact(words("fact_time"), words.seconds(traffic.half_within), most, "answered")


def _before(figures: Figures, words: Words, *kinds: str) -> str:
    if not figures.usage_before:
        return ""
    count = sum(total.quantity for total in figures.usage_before if total.kind in kinds)
    return words("before", value=words.number(count))


def _days(figures: Figures, words: Words) -> ReportSection:
    days = figures.traffic.days
    busiest = max(range(len(days)), key=days.__getitem__)
    note = words(
        "days_most",
        day=words.day(date(figures.month.year, figures.month.number, busiest + 1)),
        count=words.number(days[busiest]),
        mean=words.number(Fraction(sum(days), len(days)), 1),
    )
    return ReportSection(words("days"), [note], chart=Chart([str(day + 1) for day in range(len(days))], days))


def _hours(figures: Figures, words: Words) -> ReportSection:
    hours = figures.traffic.hours
    weekday, hour = max(
        ((weekday, hour) for weekday in range(7) for hour in range(24)), key=lambda place: hours[place[0]][place[1]]
    )
    note = words(
        "hours_note",
        zone=figures.zone,
        weekday=words.weekdays[weekday],
        hour=f"{hour:02}:00",
        count=words.number(hours[weekday][hour]),
    )
    head = [words("weekday"), *(str(each) for each in range(24))]
    rows = [[words.weekdays[day], *(str(count) if count else "" for count in hours[day])] for day in range(7)]
    return ReportSection(words("hours"), [note], heat=hours, tables=[ReportTable(head, rows)])


def outcome_keys(traffic: Traffic) -> list[str]:
    """What the messages of each row of `outcomes` are found by."""
    keys = ["answered", *(f"reason:{reason}" for reason in traffic.unanswered)]
    keys += ["failed"] if traffic.failed else []
    return keys + (["waiting"] if traffic.waiting else [])


def outcomes(traffic: Traffic, words: Words) -> list[tuple[str, int]]:
    """What happened to messages, with their number: answered first, then by the reason."""
    rows = [(words("answered"), traffic.answered)]
    rows += [(words("unanswered", reason=_reason(reason, words)), n) for reason, n in traffic.unanswered.items()]
    rows += [(words("failed"), traffic.failed)] if traffic.failed else []
    return rows + ([(words("waiting"), traffic.waiting)] if traffic.waiting else [])


def _reason(reason: str, words: Words) -> str:
    return words(f"reason_{reason}") if words.has(f"reason_{reason}") else reason


def _why(traffic: Traffic, words: Words) -> str:
    """Why messages reached no phone, by code; codes with the same words stand together."""
    counts: dict[str, int] = {}
    for code, count in traffic.undelivered_codes.items():
        error = delivery_error(code)
        said = error.says_es if words.language == "es" else error.says
        counts[said] = counts.get(said, 0) + count
    return "; ".join(f"{said}: {words.number(count)}" for said, count in counts.items())


def _outcomes(traffic: Traffic, words: Words) -> ReportSection:
    rows = [
        [name, words.number(count), words.percent(Fraction(count, traffic.received))]
        for name, count in outcomes(traffic, words)
    ]
    said = words("undelivered", count=words.number(traffic.undelivered), why=_why(traffic, words))
    undelivered = [said] if traffic.undelivered else []
    head = [words("outcome"), words("messages").capitalize(), words("share")]
    return ReportSection(words("outcomes"), undelivered, tables=[ReportTable(head, rows, keys=outcome_keys(traffic))])


def _used(traffic: Traffic, words: Words) -> list[ReportSection]:
    tables = [
        ReportTable([words(title), words("answers")], _most(used, words), keys=_used_keys(title, used))
        for title, used in (("documents", traffic.documents), ("functions", traffic.functions))
        if used
    ]
    return [ReportSection(words("used"), tables=tables)] if tables else []


def _variants(figures: Figures, words: Words) -> list[ReportSection]:
    rows = variant_rows(figures.variants, words)
    head = ["", words("variant_stable"), words("variant_canary")]
    section = ReportSection(words("variants"), [words("variants_note")], tables=[ReportTable(head, rows)])
    return [section] if rows else []


def _used_keys(sort: str, used: Mapping[str, int]) -> list[str]:
    return [f"{sort}:{name}" for name, _ in _ranked(used)]


def _ranked(used: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(used.items(), key=lambda item: (-item[1], item[0]))[:MOST_USED]


def _most(used: Mapping[str, int], words: Words) -> list[list[str]]:
    return [[name, words.number(count)] for name, count in _ranked(used)]


def _costs(figures: Figures, bill: Bill, words: Words) -> ReportSection:
    shows_before = bill.net_before is not None
    head = [words("what"), words("quantity"), words("amount"), *([words("month_before")] if shows_before else [])]
    money = [(words(f"group_{line.group}"), _quantity(line, words), line.amount, line.before) for line in bill.lines]
    if bill.monthly is not None:
        money.append((words("monthly"), "", bill.monthly, bill.monthly if shows_before else None))
    sums = [(words("net"), "", bill.net, bill.net_before)]
    if bill.vat_percent is not None:
        factor = bill.vat_percent / 100
        vat_before = None if bill.net_before is None else bill.net_before * factor
        with_vat = None if bill.net_before is None else bill.net_before * (1 + factor)
        sums.append((words("vat", percent=words.percent(factor)), "", bill.vat, vat_before))
        sums.append((words("total"), "", bill.total, with_vat))
    rows = [
        [name, quantity, _amount(amount, bill, words), *([_amount(before, bill, words)] if shows_before else [])]
        for name, quantity, amount, before in (*money, *sums)
    ]
    return ReportSection(words("costs") + vat_words(bill, words), tables=[ReportTable(head, rows, sums=len(sums))])


def _amount(amount: Fraction | None, bill: Bill, words: Words) -> str:
    return words("unpriced") if amount is None else words.money(amount, bill.currency)


def _quantity(line: BillLine, words: Words) -> str:
    if line.group == "transcription":
        return words.number(Fraction(line.quantity, 60_000), 1)
    return words.number(line.quantity)


def _notes(figures: Figures, bill: Bill, words: Words) -> Iterator[str]:
    """What the reader must know to take the figures for what they are."""
    zone = ZoneInfo(figures.zone)
    if not figures.is_over:
        yield words("note_open", day=words.minute(figures.made_at.astimezone(zone)))
    yield words("note_vat" if bill.vat_percent is not None else "note_without_vat" if bill.is_taxed else "note_no_tax")
    yield words("note_rounding")
    if bill.rate is not None:
        rate = words.money(exact(bill.rate.per_usd), bill.currency)
        yield words("note_rate", rate=rate, since=words.day(date.fromisoformat(bill.rate.since)))
    if bill.budget is not None:
        limit = words.money(bill.budget.limit, bill.currency)
        yield words("note_budget", limit=limit, share=words.percent(bill.budget.share))
    yield from _certainty(figures, bill, words)
    if figures.free_used:
        yield words("note_free", used=words.number(figures.free_used), free=words.number(FREE_SERVICE_MESSAGES))
    if figures.traffic.at_the_border:
        count = words.count(figures.traffic.at_the_border, "message", "messages")
        yield words("note_border", zone=figures.zone, count=count)
    if figures.traffic.received:
        yield words("note_conversation")


def _certainty(figures: Figures, bill: Bill, words: Words) -> Iterator[str]:
    """How much of the amount is known how well, and since when."""
    if bill.shares:
        parts = [words(f"confidence_{name}", share=words.percent(share)) for name, share in bill.shares.items()]
        yield words("note_shares", shares=", ".join(parts))
    unpriced = [words(f"group_{line.group}") for line in bill.lines if line.unpriced]
    if unpriced:
        yield words("note_unknown", what=", ".join(unpriced))
    if figures.messages_since is not None:
        since = datetime.fromisoformat(figures.messages_since).astimezone(ZoneInfo(figures.zone))
        first = date(figures.month.before.year, figures.month.before.number, 1)
        if since.date() > first:
            yield words("note_since", since=words.minute(since))
