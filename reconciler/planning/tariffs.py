"""The installation's tariffs: the file against the store's record. Pure.

Without a record the packaged tariffs hold, so a first plan shows what differs from those. Where no file declares any,
the record stays as it is: deleting never follows from a missing file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from reconciler.manifest.folder import TARIFFS as FILE
from reconciler.model import Change, FieldChange, Finding, Reason, Values
from runtime.store.records import INSTALLATION
from runtime.store.tariffs_record import SHA256, TARIFFS, fingerprint, record_values

if TYPE_CHECKING:
    from reconciler.manifest.tariffs import DeclaredTariffs


def plan_tariffs(declared: DeclaredTariffs | None, live: Values | None) -> Sequence[Change]:
    """The change that makes the record as declared, if there is one. `live` is the record's values."""
    if declared is None:
        return ()
    values = _plain(declared.tariffs.model_dump(mode="json", exclude_none=True))
    now = _plain(live.get(TARIFFS)) if live is not None else _packaged()
    if live is not None and now == values:
        return ()
    before, after = by_row(now), by_row(values)
    fields = [
        FieldChange(steps, before.get(steps), after.get(steps))
        for steps in {**before, **after}
        if before.get(steps) != after.get(steps)
    ]
    is_new = live is None
    return (
        Change(
            client=INSTALLATION,
            kind="tariffs",
            action="create" if is_new else "update",
            key=declared.path.rpartition("/")[2],
            live_id=None if is_new else INSTALLATION,
            fields=sorted(fields, key=lambda change: change.path),
            after=record_values(values),
            reason="config" if live is None else _reason(live, values),
            source=declared.path,
        ),
    )


def undeclared_tariffs(declared: DeclaredTariffs | None, live: Values | None) -> Iterator[Finding]:
    """A notice about tariffs in the store that no file declares any more."""
    if declared is None and live is not None:
        yield Finding(
            "notice",
            f"the bot store has tariffs and there is no {FILE} here, so they stay as they are. Bring the file back to "
            "change them; TARIFFS_FILE names one that is elsewhere",
        )


def _reason(live: Values, declared: Mapping[str, Any]) -> Reason:
    """By the hash of what was applied last: the file is another one since, or the record is, or both."""
    drifted = fingerprint(_plain(live.get(TARIFFS))) != live.get(SHA256)
    moved = fingerprint(declared) != live.get(SHA256)
    if drifted:
        return "both" if moved else "drift"
    return "config"


def _packaged() -> Any:
    from schemas.default_tariffs import DEFAULT  # its rows are validated when it is imported

    return _plain(DEFAULT.model_dump(mode="json", exclude_none=True))


def _plain(value: Any) -> Any:
    """The value with whole numbers as such, so that 25 and 25.0 have one hash whichever way they were read."""
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def by_row(tariffs: object) -> dict[tuple[str, ...], Any]:
    """Every value under its row's own key, whatever its position in the list: `("meta", "CL", "service", "2026-10-01",
    "usd")`. What has not the form of tariffs is left out."""
    from schemas.tariffs import KEYS  # models, which a plan without tariffs does not need

    found: dict[tuple[str, ...], Any] = {}
    if not isinstance(tariffs, Mapping):
        return found
    for name, keys in KEYS.items():
        rows = tariffs.get(name)
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, Mapping):
                key = tuple(str(row.get(part)) for part in keys)
                found |= {(name, *key, field): value for field, value in row.items() if field not in keys}
    agency = tariffs.get("agency")
    if isinstance(agency, Mapping):
        found |= {("agency", field): value for field, value in agency.items()}
    return found
