"""How a client's canary stands, and how it compares with the assistant. Pure: of its manifest and of what the store
has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from reconciler.manifest import Manifest
from reconciler.render.times import NEVER, local_minute
from runtime.store.activity_records import CanaryRecord, VariantRecord
from runtime.store.records import BotRecord
from schemas.canary import digest_of

REASONS: Final = {
    "failing": "3 of its last turns failed",
    "failures": "it fails more often than the assistant, by more than the margin",
    "handoffs": "it hands over to people more often than the assistant, by more than the margin",
}
"""By `runtime.turns.canaries.StopReason`."""


@dataclass(frozen=True, slots=True)
class CanaryStatus:
    """A declared canary."""

    percent: int
    until: str
    since: str | None
    """When it was declared in the bot store; None where it is not yet."""
    stopped_at: str | None
    """When the runtime stopped it."""
    reason: str | None
    variants: Sequence[VariantRecord] | None = None
    """Both variants since then, those that had a turn; read for one client only."""


def canary_status(manifest: Manifest, bot: BotRecord | None, noted: CanaryRecord | None) -> CanaryStatus | None:
    """The status of a client's canary; None where its manifest has none. `noted`: of its bot."""
    canary = manifest.client.assistant.canary
    if canary is None:
        return None
    status = CanaryStatus(canary.percent, canary.until, None, None, None)
    if bot is None or noted is None or digest_of(bot.policy.get("canary")) != noted.canary:
        return status
    return replace(status, since=noted.since, stopped_at=noted.stopped_at, reason=noted.reason)


def stopped_text(canary: CanaryStatus, client: str) -> str:
    """English, without a full stop: why the runtime stopped it, and what to do."""
    why = REASONS.get(canary.reason or "", canary.reason or "no reason is recorded")
    return (
        f"the runtime stopped the canary at {local_minute(canary.stopped_at)}, since {why}; the assistant answers "
        f"everybody until another canary is applied, or `reconcile canary drop {client}` removes it"
    )


def canary_text(canary: CanaryStatus) -> str:
    """`10 % until 2026-12-15, since 2026-12-01 10:00`, or that it was stopped."""
    said = f"{canary.percent} % until {canary.until}"
    if canary.since is None:
        return f"{said}, not applied yet"
    if canary.stopped_at is not None:
        return f"{said}, stopped {local_minute(canary.stopped_at)}"
    return f"{said}, since {local_minute(canary.since)}"


def comparison_lines(canary: CanaryStatus) -> Iterator[str]:
    """Both variants side by side, a line each; nothing where neither had a turn."""
    by_name = {variant.variant: variant for variant in canary.variants or ()}
    if not by_name:
        return
    shown = [(name, by_name.get(name)) for name in ("stable", "canary")]
    yield "".join([f"{'':<{_LABEL}}", *(f"{name:>{_CELL}}" for name, _ in shown)])
    for label, value in _ROWS:
        cells = [NEVER if one is None else value(one) for _, one in shown]
        yield "".join([f"{label:<{_LABEL}}", *(f"{cell:>{_CELL}}" for cell in cells)])


_LABEL, _CELL = 22, 16


def _share(part: int, whole: int) -> str:
    return f"{part} ({100 * part / whole:.1f} %)" if whole else NEVER


def _each(total: int, count: int, decimals: int) -> str:
    return f"{total / count:,.{decimals}f}" if count else NEVER


def _cost(one: VariantRecord) -> str:
    return NEVER if one.nano_usd is None or not one.turns else f"{one.nano_usd / one.turns / 10**9:.5f} USD"


_ROWS: Sequence[tuple[str, Callable[[VariantRecord], str]]] = (
    ("turns", lambda one: f"{one.turns:,}"),
    ("handoffs", lambda one: _share(one.handoffs, one.turns)),
    ("failed", lambda one: _share(one.failed, one.turns)),
    ("without an answer", lambda one: _share(one.unanswered, one.turns)),
    ("tokens an answer", lambda one: _each(one.output_tokens, one.answered, 0)),
    ("messages an answer", lambda one: _each(one.messages, one.answered, 2)),
    ("cost a turn", _cost),
)
