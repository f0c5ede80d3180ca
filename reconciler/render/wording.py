"""Texts that all formats share: summaries, signs, values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from reconciler.manifest.invisible import CHARACTERS, JOINER
from reconciler.model import DESTRUCTIVE, Action, Estimate, FieldChange, Finding, Outcome, Plan
from terminal.language import label, said

if TYPE_CHECKING:
    from runtime.store.history_records import EditRecord

SIGNS: Final[dict[Action, str]] = {
    "create": "+",
    "update": "~",
    "delete": "-",
    "detach": "-",
    "adopt": "=",
    "rename": "»",
}

ORPHANED: Final = (
    "has our marker and no manifest declares it: bring its manifest back to keep it, or `reconcile --prune` deletes it"
)
"""What an orphan is, and both ways out."""

_UNSEEN: Final = (
    "[\x00-\x08\x0b-\x1f\x7f-\xa0\u0300-\u036f\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
    f"\ud800-\udfff{CHARACTERS}]|{JOINER}"
)
"""Characters that control a terminal, end a line or change the writing direction; and those that cannot be seen, or be
distinguished from others: blanks other than a space, accents apart from their letters."""

_TRAILING = re.compile(r"[ \t]+$")


def summary(plan: Plan) -> str:
    """One line: a summary of the plan."""
    left = f" {_count(len(plan.errors), 'error')}." if plan.errors else ""
    left += f" {_count(len(plan.unresolved), 'client')} unresolved." if plan.unresolved else ""
    left += f" {_count(len(plan.withheld), 'client')} withheld." if plan.withheld else ""
    left += adoption_summary(plan)
    if not plan.changes:
        return f"{_checked(plan)}{left}"
    parts = [
        f"{plan.count('create')} to create",
        f"{plan.count('update')} to update",
        f"{plan.count(*DESTRUCTIVE)} to delete",
    ]
    if plan.count("rename"):
        parts.insert(0, f"{plan.count('rename')} to rename")
    touched = len(plan.touched)
    return f"Plan: {', '.join(parts)}, in {touched} of {_count(plan.clients, 'client')}.{left}"


def is_blind(plan: Plan) -> bool:
    """Whether nothing could be compared, since each client needs a source that could not be read."""
    return len(plan.unresolved) >= plan.clients and bool(plan.unresolved or plan.unread)


def listed(names: Sequence[str], conjunction: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    return f" {conjunction} ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def _checked(plan: Plan) -> str:
    """How many clients were compared, of a plan without changes."""
    why = f": {listed(plan.unread)} could not be read" if plan.unread else ""
    if is_blind(plan):
        return f"Nothing was checked{why}."
    if plan.unresolved:
        checked = plan.clients - len(plan.unresolved)
        return f"No changes in {checked} of {_count(plan.clients, 'client')}; the others were not checked{why}."
    return f"No changes: {_count(plan.clients, 'client')} checked."


def adoption_summary(plan: Plan) -> str:
    """The number of objects made by hand that are adopted as they are; "" when there is none."""
    if not plan.adoptions:
        return ""
    one = len(plan.adoptions) == 1
    objects = f"{_count(len(plan.adoptions), 'object')} made by hand {'is' if one else 'are'} as declared"
    return f" {objects}; applying records {'it' if one else 'them'}."


def outcome_summary(outcomes: Sequence[Outcome]) -> str:
    """One line: the outcomes of the plan."""
    counts = {status: sum(o.status == status for o in outcomes) for status in ("applied", "failed", "skipped")}
    return "Applied: " + ", ".join(f"{count} {status}" for status, count in counts.items()) + "."


def estimate_text(estimate: Estimate) -> str:
    """`≈ +12.00 USD a month: 1,800 answers in the last 30 days × about +1,200 tokens of instructions`."""
    causes = []
    if estimate.tokens:
        causes.append(f"about {estimate.tokens:+,} tokens of instructions")
    if estimate.models is not None:
        causes.append("{} in place of {}".format(*reversed(estimate.models)))
    if estimate.dropped_tools:
        causes.append(f"without {', '.join(estimate.dropped_tools)}")
    answers = "answer" if estimate.answers == 1 else "answers"
    return f"{_more_a_month(estimate)}: {estimate.answers:,} {answers} in the last 30 days × {', '.join(causes)}"


def _more_a_month(estimate: Estimate) -> str:
    if estimate.nano_usd is None:
        return "unknown costs a month, since no price of it is known"
    cents = round(estimate.nano_usd / 10**7)
    return f"≈ {cents / 100:+,.2f} USD a month" if cents else "less than 0.01 USD a month"


def finding_text(finding: Finding) -> str:
    """`la-cocina: sender: what is wrong`."""
    where = [part for part in (finding.client, label(finding.kind or "")) if part]
    return visible(sentence(": ".join([*where, said(finding.message)])))


def edit_text(edit: EditRecord) -> str:
    """`changed through the API with the token 'ana' at 2026-11-22T10:00:00Z: name`."""
    what = "deleted" if edit.action == "delete" else "changed"
    which = f": {', '.join(edit.fields)}" if edit.fields else ""
    return visible(f"{what} through the API with the token {edit.actor!r} at {edit.at}{which}")


def sentence(text: str) -> str:
    """The text with one full stop at its end; a question keeps its mark."""
    return text if text.endswith(("?", "!")) else text.rstrip(".") + "."


def visible(text: str) -> str:
    """Text with visible control characters: each is replaced by its number, such as `\\x1b`."""
    return re.sub(_UNSEEN, _numbered, text)


def value_text(value: Any, limit: int = 120) -> str:
    """A value in one line, in YAML or JSON, cut to `limit` characters. A text whose blanks would not be seen is in
    quotes."""
    if value is None:
        return "(none)"
    is_plain = isinstance(value, str) and value != "" and value == " ".join(value.split())
    text = visible(value if is_plain else json.dumps(value, ensure_ascii=False))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def leaves(change: FieldChange) -> Sequence[FieldChange]:
    """A value with parts that appears, goes or is replaced as a whole, such as a tool: a change of each of its parts,
    so that all of it can be read. Any other change as it is."""
    if not any(isinstance(value, Mapping | list) and value for value in (change.old, change.new)):
        return (change,)
    old, new = dict(_leaves(change.old)), dict(_leaves(change.new))
    return [
        FieldChange((*change.steps, *path), old.get(path), new.get(path))
        for path in {**old, **new}
        if path not in old or path not in new or old[path] != new[path]
    ]


def _leaves(value: Any, above: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, Mapping) and value:
        for key, part in value.items():
            yield from _leaves(part, (*above, key))
    elif isinstance(value, list) and value:
        for index, part in enumerate(value):
            yield from _leaves(part, (*above, index))
    elif value is not None or above:
        yield above, value


def text_diff(change: FieldChange) -> list[str] | None:
    """A unified diff, without its header, where one of the values is a text of several lines or a long one; else
    None."""
    old, new = change.old or "", change.new or ""
    if not (isinstance(old, str) and isinstance(new, str)):
        return None
    if "\n" not in old + new and len(old) <= 100 and len(new) <= 100:
        return None
    before, after = _lines(old), _lines(new)
    if old and new and old.endswith("\n") is not new.endswith("\n"):
        # A missing final newline is not visible in lines; it is shown as an empty last line.
        (before if old.endswith("\n") else after).append("")
    import difflib  # for long texts only

    lines = difflib.unified_diff(before, after, lineterm="", n=2)
    return [_seen(line) for number, line in enumerate(lines) if number >= 2]


def _seen(line: str) -> str:
    """A line of a diff; blanks at the end of a changed one, and its tabs, are shown."""
    if line[:1] in ("+", "-"):
        line = _TRAILING.sub(lambda blanks: "·" * len(blanks[0]), line).replace("\t", "\\t")
    return visible(line)


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


def _numbered(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
