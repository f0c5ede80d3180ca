"""Objects that their provider's list lacks: recorded ones, asked for by their ids before anything is concluded from
that, and those that an interrupted run was creating.

A list may lag behind a create, or lose a page. What it lacks is deleted only once the provider says so by its id: else
a second object would be created, or a leaving one left behind and forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from math import ceil
from typing import Final, NamedTuple

from reconciler.errors import ProviderError
from reconciler.intents import Intent
from reconciler.model import AccountKey, KindName
from reconciler.observation.live_state import AccountSenders, Failed, LiveState, Store
from reconciler.observation.sources import attempt, open_openai, open_twilio, openai_advice, twilio_advice
from reconciler.readers.openai import ObjectEngine
from reconciler.settings import Settings
from runtime.store.records import AppliedRecord

_CALLED: Final[Mapping[str, str]] = {
    "vector store": "a vector store",
    "file": "a file",
    "agents": "an agent",
    "assistants": "an assistant",
}


class _Missed(NamedTuple):
    """A recorded object that a list lacks."""

    client: str
    kind: KindName
    live_id: str
    ask: Callable[[], object]
    """Reads it by its id."""
    advice: Callable[[ProviderError], str] = openai_advice


def read_missed(
    settings: Settings, live_state: LiveState, accounts: Mapping[str, Collection[AccountKey]]
) -> Mapping[tuple[str, KindName], Failed]:
    """By client and kind, why it is not known whether the recorded object still exists. One call for each object that
    a list lacks, none where the lists have all of them.

    `accounts`: the clients to look at, each with the Twilio accounts that its sender may be in.
    """
    store = live_state.store
    if isinstance(store, Failed):
        return {}
    found = [*_stores(settings, live_state, store), *_objects(settings, live_state, store)]
    found += _senders(settings, live_state, store, accounts)
    found = [missed for missed in found if missed.client in accounts]
    intents = [intent for intent in store.intents.values() if intent.client in accounts]
    unseen = dict(_unseen(settings, live_state, intents))
    if not found:
        return unseen
    with ThreadPoolExecutor(settings.openai_concurrency, thread_name_prefix="missed") as pool:
        answers = pool.map(_asked, found)
        return unseen | {
            (missed.client, missed.kind): failed
            for missed, failed in zip(found, answers, strict=True)
            if failed is not None
        }


def _asked(missed: _Missed) -> Failed | None:
    """None when it is not found."""
    answer = attempt(missed.ask, missed.advice)
    if isinstance(answer, Failed):
        return None if answer.gone else answer
    return Failed(
        f"the list lacks {missed.live_id}, which was applied last and exists: the list lags behind or is "
        "incomplete. Run again in a minute."
    )


def _unseen(
    settings: Settings, live_state: LiveState, intents: Iterable[Intent]
) -> Iterator[tuple[tuple[str, KindName], Failed]]:
    """What was being created, and is not listed while the list may lag behind."""
    for intent in intents:
        left = intent.seconds_left(settings.openai_list_lag)
        if not left or _is_listed(settings, live_state, intent):
            continue
        message = (
            f"a run that was interrupted may have created {_CALLED.get(intent.what, 'something')}, which the list does "
            f"not show yet: it may lag {settings.openai_list_lag:g} seconds behind (OPENAI_LIST_LAG). Run again in "
            f"{ceil(left)} seconds."
        )
        yield (intent.client, intent.kind), Failed(message)


def _is_listed(settings: Settings, live_state: LiveState, intent: Intent) -> bool:
    if intent.what == "file":
        names = attempt(lambda: open_openai(settings).file_names(), openai_advice)
        return not isinstance(names, Failed) and intent.name in names
    if intent.what == "vector store":
        documents = live_state.documents
        listed = () if isinstance(documents, Failed) else documents.by_client.get(intent.client, ())
        return any(live.status != "expired" for live in listed)
    return any(live.engine == intent.what for live in live_state.objects_by_client.get(intent.client, ()))


def _stores(settings: Settings, live_state: LiveState, store: Store) -> Iterator[_Missed]:
    documents = live_state.documents
    if isinstance(documents, Failed):
        return
    for record in _records(store, "knowledge"):
        if record.live_id not in documents.stores:
            yield _Missed(record.client, "knowledge", record.live_id, partial(_ask_store, settings, record.live_id))


def _objects(settings: Settings, live_state: LiveState, store: Store) -> Iterator[_Missed]:
    for engine, objects in live_state.objects.items():
        if isinstance(objects, Failed):
            continue
        listed = {live.id for live in objects}
        for record in _records(store, "assistant"):
            if record.values.get("engine") == engine and record.live_id not in listed:
                ask = partial(_ask_object, settings, engine, record.live_id)
                yield _Missed(record.client, "assistant", record.live_id, ask)


def _senders(
    settings: Settings, live_state: LiveState, store: Store, accounts: Mapping[str, Collection[AccountKey]]
) -> Iterator[_Missed]:
    for record in _records(store, "sender"):
        read = {account: live_state.senders.get(account) for account in accounts.get(record.client, ())}
        lists = {account: senders for account, senders in read.items() if isinstance(senders, AccountSenders)}
        if not any(record.live_id in senders.by_sid for senders in lists.values()):
            for account in lists:
                ask = partial(_ask_sender, settings, account, record.live_id)
                yield _Missed(record.client, "sender", record.live_id, ask, twilio_advice)


def _records(store: Store, kind: KindName) -> Iterator[AppliedRecord]:
    return (record for (_, of), record in store.applied.items() if of == kind)


def _ask_store(settings: Settings, live_id: str) -> None:
    open_openai(settings).vector_store(live_id)


def _ask_object(settings: Settings, engine: ObjectEngine, live_id: str) -> None:
    open_openai(settings).object(engine, live_id)


def _ask_sender(settings: Settings, account: AccountKey, sid: str) -> None:
    open_twilio(settings, account).sender(sid)
