"""The differences between declared and live values, and their reason.

Only declared fields are compared: a provider's defaults are never a difference. Equality is tried first; DeepDiff,
which costs a hundred times as much, is used only for values that are known to differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from reconciler.model import FieldChange, Reason, Values

ABSENT: Final = object()
"""The result of `at_path` where nothing was ever declared."""


def field_changes(live: Values, declared: Values) -> list[FieldChange]:
    """The declared fields that differ, by path, in the order of their paths. Both arguments are normalised values.

    A declared field is managed as a whole: an undeclared live value below it is a difference too.
    """
    seen = {key: live.get(key) for key in declared}
    if seen == declared:
        return []
    from deepdiff import DeepDiff
    from deepdiff.helper import NotPresent

    def plain(value: Any) -> Any:
        return None if isinstance(value, NotPresent) else value

    found = [
        FieldChange(tuple(item.path(output_format="list")), plain(item.t1), plain(item.t2))
        for items in DeepDiff(seen, declared, view="tree", threshold_to_diff_deeper=0).values()
        for item in items
    ]
    return sorted(found, key=lambda change: change.path)


def all_fields(declared: Values) -> list[FieldChange]:
    """Every declared field with a value as new, in the order of declaration: what a create shows."""
    says_nothing: tuple[Any, ...] = (None, False, [], {})
    return [FieldChange(steps, None, value) for steps, value in _leaves(declared) if value not in says_nothing]


def reason_of(fields: Sequence[FieldChange], applied: Values | None) -> Reason:
    """Why the fields differ, by the values that were applied last (three-way). `config` without such a record.

    Only the manifest changed: `config`. Only the live object was changed: `drift`. Both: `both`.
    """
    if applied is None:
        return "config"
    moved = drifted = False
    for change in fields:
        last = at_path(applied, change.steps)
        if last is ABSENT:
            # Never declared before: it is new in git, or, where it is not in git, it was added live.
            moved |= change.new is not None
            drifted |= change.new is None
        else:
            moved |= last != change.new
            drifted |= last != change.old
    if moved and drifted:
        return "both"
    return "drift" if drifted else "config"


def reason_of_missing(declared: Values, applied: Values | None) -> Reason:
    """Why a declared object does not exist: never created (`config`), or deleted outside of `reconcile`."""
    if applied is None:
        return "config"
    return "drift" if applied == declared else "both"


def at_path(values: Any, steps: Sequence[str | int]) -> Any:
    """The value at a path; None past a list's end, `ABSENT` where a mapping has no such key."""
    for step in steps:
        if isinstance(step, int) and isinstance(values, Sequence) and not isinstance(values, str):
            if step >= len(values):
                return None
            values = values[step]
        elif isinstance(values, Mapping) and step in values:
            values = values[step]
        else:
            return ABSENT
    return values


def _leaves(values: Values, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key), value
