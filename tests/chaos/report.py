"""What a person reads of a run: the table, and the whole story of a conversation in which something went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from tests.chaos.storm import Json, Outcome
from tests.chaos.verdict import TOKEN, Conversation

COLUMNS = (
    "store",
    "replicas",
    "sent",
    "acknowledged",
    "lost",
    "doubled",
    "out of order",
    "wrong assistant",
    "wrong memory",
    "unasked",
    "after a take",
    "not acknowledged (answered)",
    "with people",
    "proactive",
    "kills",
    "frozen",
    "cut off",
    "taken",
    "time",
)
STORIES = 3
"""Number of conversations that are reported in full; more of them rarely show more."""


def table(outcomes: Sequence[Outcome], skipped: Sequence[str] = ()) -> str:
    """The table of all runs, in Markdown."""
    rows = [COLUMNS, tuple("-" * len(name) for name in COLUMNS), *(_row(outcome) for outcome in outcomes)]
    widths = [max(len(row[index]) for row in rows) for index in range(len(COLUMNS))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return "\n".join([*lines, *map(_weather, outcomes), *skipped])


def _weather(outcome: Outcome) -> str:
    """What the run had to stand: without it a row of zeros would say nothing."""
    spoilt = Counter(
        f"{entry['provider']} {fault}"
        for entry in outcome.entries
        if entry["kind"] == "call"
        for fault in entry.get("faults", ())
    )
    arrived = Counter(
        entry["message_sid"]
        for entry in outcome.entries
        if entry["kind"] == "webhook" and entry["purpose"] != "status" and entry["status"] == 200
    )
    open_at = [
        sum(message.acknowledged_at < moment < message.answered_at for message in outcome.verdict.messages)
        for moment in outcome.killed
    ]
    return (
        f"{outcome.store}: seed {outcome.scenario.seed}, DEBOUNCE_SECONDS={outcome.scenario.pause}, "
        f"{outcome.pace:.1f} times as slow as written; "
        f"{outcome.verdict.outbound} messages went out; calls spoilt: "
        f"{', '.join(f'{name} {count}' for name, count in sorted(spoilt.items()))}; "
        f"webhooks that came again: {arrived.total() - len(arrived)}; "
        f"acknowledged and not yet answered at each kill: {', '.join(map(str, open_at))}"
    )


def _row(outcome: Outcome) -> tuple[str, ...]:
    verdict = outcome.verdict
    late = verdict.unacknowledged
    counts = (
        outcome.replicas,
        len(verdict.messages),
        verdict.acknowledged,
        *(verdict.count(kind) for kind in COLUMNS[4:11]),
    )
    answered = sum(message.answers > 0 for message in late)
    return (
        outcome.store,
        *map(str, counts),
        f"{len(late)} ({answered})",
        str(len(outcome.people)),
        str(len(outcome.proactive)),
        str(len(outcome.killed)),
        *(str(sum(what.startswith(name) for _, what in outcome.troubled)) for name in ("frozen", "cut off")),
        str(len(outcome.scenario.takes)),
        f"{outcome.seconds:.0f} s",
    )


def stories(outcome: Outcome) -> str:
    """Every violation in a line, then what happened in the conversations of the first ones."""
    violations = outcome.verdict.violations
    lines = [f"{violation.kind}: {violation.what} {_named(violation.conversation)}" for violation in violations]
    for conversation in list(dict.fromkeys(violation.conversation for violation in violations))[:STORIES]:
        lines += ["", f"The ledger {_named(conversation)}:", *_story(outcome, conversation)]
    return "\n".join(lines)


def _named(conversation: Conversation) -> str:
    return f"between {conversation[0]} and {conversation[1]}"


def _story(outcome: Outcome, conversation: Conversation) -> list[str]:
    told = [(entry["time"], _line(entry)) for entry in _of_conversation(outcome.entries, conversation)]
    told += [(_iso(moment), "KILL") for moment in outcome.killed]
    told += [(_iso(moment), what.upper()) for moment, what in outcome.troubled]
    return [f"  {moment[11:23]}  {line}" for moment, line in sorted(told)]


def _of_conversation(entries: Sequence[Json], conversation: Conversation) -> Iterator[Json]:
    """Its messages, their webhooks and callbacks, and the calls that were made because of them."""
    ours, theirs = conversation
    sids: set[str] = set()
    tokens: set[str] = set()
    for entry in entries:
        if entry["kind"] in ("inbound", "outbound"):
            if {entry["from"], entry["to"]} == {ours, theirs}:
                sids.add(entry["message_sid"])
                tokens.update(TOKEN.findall(entry["body"]))
                yield entry
        elif entry["kind"] == "webhook":
            if entry["message_sid"] in sids:
                yield entry
        elif entry["provider"] == "openai":
            if tokens.intersection(TOKEN.findall(str(entry.get("body")))):
                yield entry
        elif tokens.intersection(TOKEN.findall(str(entry.get("body")))) or _looks_up(entry, conversation):
            yield entry


def _looks_up(entry: Json, conversation: Conversation) -> bool:
    query = entry.get("query", "").replace("%3A", ":").replace("%2B", "+")
    return all(address in query for address in conversation)


def _line(entry: Json) -> str:
    match entry["kind"]:
        case "inbound":
            return f"user writes   {entry['message_sid']} {entry['body']!r}"
        case "outbound":
            return f"SENT          {entry['message_sid']} {entry['via']} {entry['body']!r}"
        case "webhook":
            came = entry["status"] or entry["error"]
            return (
                f"{entry['purpose']:<9} hook {entry['message_sid']} attempt {entry['attempt']}: {came}"
                f" after {entry['seconds']} s"
            )
        case _:
            said = TOKEN.findall(str(entry.get("body"))) or entry.get("query", "")
            faults = f" {entry['faults']}" if "faults" in entry else ""
            return (
                f"{entry['provider']} call   {entry['method']} {entry['path']} {said}: {entry['status']}{faults}"
                f" after {entry['seconds']} s"
            )


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
