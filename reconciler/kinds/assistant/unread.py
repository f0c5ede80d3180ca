"""What could not be read of the models, and of the assistants that live at the provider."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.kinds.context import ClientContext
from reconciler.kinds.protocol import Unread
from reconciler.observation.live_state import Failed, LiveState
from reconciler.observation.sources import MODELS, OBJECTS


def failed(live_state: LiveState) -> Iterator[Unread]:
    """The models, and the lists of live objects. A client that no longer uses an API gets only a warning that leftovers
    there cannot be found."""
    if isinstance(live_state.models, Failed):
        yield Unread(MODELS, live_state.models)
    for engine, objects in live_state.objects.items():
        if isinstance(objects, Failed):
            yield Unread(OBJECTS[engine], objects, "warning")


def unread(context: ClientContext) -> Iterator[Unread]:
    """The models, and the list of an engine of which the client has an assistant, or may have one to be deleted.

    In an API that does not exist nothing is left; where the models are not found either, the address is wrong.
    """
    is_leaving, models = context.client.is_leaving, context.live_state.models
    if isinstance(models, Failed) and not is_leaving:
        yield Unread(MODELS, models)
    for engine, objects in context.live_state.objects.items():
        if not isinstance(objects, Failed):
            continue
        applied = context.applied("assistant")
        had = applied is not None and applied.values.get("engine") == engine
        uses = not is_leaving and context.manifest.client.assistant.engine == engine
        is_missed = uses or (had and not objects.gone)
        if is_missed or (had and is_leaving and isinstance(models, Failed)):
            yield Unread(OBJECTS[engine], objects, "error" if is_missed else "warning")
    missed = context.live_state.missed.get((context.id, "assistant"))
    if missed is not None:
        yield Unread(f"{context.id}: assistant", missed)
