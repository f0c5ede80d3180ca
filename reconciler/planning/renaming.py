"""The changes that rename a client: everything that was made under its former id becomes its own and stays as it is
otherwise. They come before its other changes. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.kinds.assistant.live import objects_of
from reconciler.kinds.assistant.plan import RECORD
from reconciler.kinds.context import ClientContext
from reconciler.kinds.knowledge.live import KEY, stores_of
from reconciler.model import KIND_ORDER, Change, FieldChange, KindName
from reconciler.readers.openai import OBJECT_ENGINES


def renames(context: ClientContext) -> Iterator[Change]:
    """What still has the former id: in the bot store, which is one step, and each marked object at the provider."""
    renaming = context.live_state.renames.get(context.id)
    if renaming is None:
        return
    if renaming.is_in_store:
        kind, key, live_id = _in_store(context)
        yield _rename(context, renaming.former, kind, key, live_id)
    former = context.live_state.former_marks
    for store in stores_of(context.id, context.live_state, context.store):
        if store.id in former:
            yield _rename(context, renaming.former, "knowledge", KEY, store.id)
    for engine in OBJECT_ENGINES:
        for live in objects_of(context, engine):
            if live.id in former:
                yield _rename(context, renaming.former, "assistant", engine, live.id)


def _in_store(context: ClientContext) -> tuple[KindName, str, str]:
    """Kind, key and id of the row that stands for all that the bot store has of the client."""
    if context.bot is not None:
        return "bot", context.bot.twilio_phone_number, context.bot.id
    if context.record is not None:
        return "assistant", RECORD, context.record.id
    kind = next(kind for kind in KIND_ORDER if context.applied(kind) is not None)
    return kind, "last applied values", context.id


def _rename(context: ClientContext, former: str, kind: KindName, key: str, live_id: str) -> Change:
    manifest = context.manifest
    return Change(
        client=context.id,
        kind=kind,
        action="rename",
        key=key,
        live_id=live_id,
        fields=(FieldChange(("client",), former, context.id),),
        after={"client": context.id},
        reason="config",
        before={"client": former},
        source=manifest.path,
        account=context.account,
    )
