"""The plan for one client: its kinds in their order; a withheld one withholds those that follow it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from reconciler.kinds.client_plan import ClientPlan, joined
from reconciler.kinds.context import ClientContext
from reconciler.kinds.protocol import Kind
from reconciler.kinds.registry import KINDS
from reconciler.kinds.withheld import NotReady, Withheld
from reconciler.model import KIND_ORDER, Finding, KindName, Severity
from runtime.store.records import BotRecord


def plan_client(context: ClientContext) -> ClientPlan:
    """The changes of a client that is not absent. While its bot is one that was created by hand, it is adopted with its
    assistant, or nothing of the client is touched."""
    bot = context.unmanaged_bot
    if bot is None:
        return _in_order(_planned(context, KINDS.values()))
    found = joined(list(_adopted(context, bot)))
    if found.withheld:
        return replace(found, changes=(), deferred=())
    sender = _planned(replace(context, is_adopted=True), [KINDS["sender"]])
    return _in_order([found, *sender])


def plan_departure(context: ClientContext) -> ClientPlan:
    """The changes after which nothing is left of a client, in reverse order. One whose number passes to another client
    stays until that is ready."""
    successor = context.successor
    if successor is not None and successor.change is None:
        reason = NotReady(
            f"its number passes to client {successor.client!r}, which is withheld itself, could not be read, or is "
            "left out by --client; until then it answers"
        )
        return _withheld(context, "bot", reason)
    found = joined(list(_removed(context)))
    touched = {change.kind for change in found.changes}
    forgotten = [name for name in KINDS if context.applied(name) and name not in touched]
    return replace(found, forgotten=forgotten) if forgotten else found


def _in_order(parts: Iterable[ClientPlan]) -> ClientPlan:
    """The parts as one. Replaced objects are deleted last, and only once everything that replaces them can be
    planned."""
    found = joined(list(parts))
    if not found.deferred:
        return found
    return replace(found, changes=[*found.changes, *(() if found.withheld else found.deferred)], deferred=())


def _planned(context: ClientContext, kinds: Iterable[Kind]) -> Iterator[ClientPlan]:
    for kind in kinds:
        try:
            yield from _checked(context, kind)
            yield kind.plan(context)
        except Withheld as reason:
            yield _withheld(context, kind.name, reason)
            return


def _adopted(context: ClientContext, bot: BotRecord) -> Iterator[ClientPlan]:
    # Most fleets have no such bot, and start without what compares one.
    from reconciler.planning.adoption import adopted

    try:
        yield KINDS["knowledge"].plan(context)
        yield from _checked(context, KINDS["template"])
        yield KINDS["template"].plan(context)
        yield from _checked(context, KINDS["assistant"])
        yield KINDS["content"].plan(context)
        yield adopted(context, bot)
    except Withheld as reason:
        yield _withheld(context, "bot", reason)


def _removed(context: ClientContext) -> Iterator[ClientPlan]:
    for name in reversed(KIND_ORDER):
        try:
            yield KINDS[name].plan_absent(context)
        except Withheld as reason:
            yield _withheld(context, name, reason)
            return


def _checked(context: ClientContext, kind: Kind) -> Iterator[ClientPlan]:
    for finding in kind.check(context):
        yield ClientPlan(findings=(finding,))


def _withheld(context: ClientContext, kind: KindName, reason: Withheld) -> ClientPlan:
    severity: Severity = "withheld" if isinstance(reason, NotReady) else "error"
    return ClientPlan(findings=(Finding(severity, str(reason), context.id, kind),), withheld=kind)
