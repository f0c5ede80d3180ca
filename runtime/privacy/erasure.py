"""Erases a user here and elsewhere: in the store, at the model's provider, at the desk, and at Twilio when requested.

    store: messages and memory ──► provider: sessions, threads ──► desk ──► Twilio ──► store: the ids that led there

While something could not be deleted elsewhere, the addresses and the provider's id of its conversation are kept, so
that a timer (`resume`), or erasing the same user again, continues from there. Nothing else waits for it. Each erasure
ends with a receipt.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

from runtime.engines.selection import open_client
from runtime.errors import OperatorError, ProviderError
from runtime.memory import user_hash
from runtime.privacy.twilio_messages import NO_ACCOUNT, AtTwilio, Numbers, TwilioCopies
from runtime.settings import Settings
from runtime.store import catalog as catalog_store
from runtime.store import former_bots
from runtime.store.audit import Actor
from runtime.store.database.database import ErasableDatabase
from runtime.store.messages import erasure
from runtime.store.messages.erasure import ErasedConversation, ErasedUser
from runtime.store.messages.people import Clients
from runtime.store.messages.receipts import PersonReceipt
from runtime.store.messages.unfinished_erasures import ErasureToContinue, erasure_of
from runtime.store.records import AGENT_PREFIX
from runtime.store.timers import Timer
from runtime.text import portable
from schemas.addresses import number_of, whatsapp_address

if TYPE_CHECKING:
    from runtime.privacy.provider_sessions import ProviderSessions

RETRIES = 2
"""How often a failed call to the provider is repeated: deletion is idempotent."""
HERE = ("store", "ledger")
Outcome = Literal["deleted", "gone", "left"]
"""`gone`: there is none of that id elsewhere."""


class UnknownUser(OperatorError):
    """No data of a user was found."""


@dataclass(frozen=True, slots=True)
class AtProvider:
    """A conversation's object at the model's provider, with the result of its deletion."""

    id: str | None
    """Id of a session or thread; None when the provider could not be asked which there are."""
    bot_id: str
    state: Outcome
    reason: str | None = None
    """Why it is left, else None."""


@dataclass(frozen=True, slots=True)
class AtDesk:
    """A conversation at a client's desk, with the result of its deletion."""

    conversation: int
    """Its id here."""
    client: str
    state: Literal["deleted", "emptied", "gone", "left"]
    """`emptied`: without messages and name, since the token's user may not delete it."""
    reason: str | None = None
    """Why it is left, else None."""


class DeskEraser(Protocol):
    """Deletes conversations at desks."""

    async def erase(self, conversations: Sequence[ErasedUser]) -> Sequence[AtDesk]:
        """The result for each conversation that is, or may be, at a desk."""


@dataclass(frozen=True, slots=True)
class ErasureResult:
    """What was found of a user, and the results of deleting it."""

    complete: bool
    """False when something that was to be deleted is left: repeat the erasure."""
    conversations: int
    messages: int
    """Number of the user's messages in the store."""
    provider: Sequence[AtProvider]
    desk: Sequence[AtDesk]
    twilio: AtTwilio | None
    """None when it was not requested."""
    remains: Sequence[str]
    """What was not requested to be deleted, or cannot be deleted from here."""
    receipt: PersonReceipt


@dataclass(frozen=True, slots=True)
class DeletedElsewhere:
    """The results of deleting what is outside of the store."""

    items: Sequence[AtProvider]
    desk: Sequence[AtDesk]
    twilio: AtTwilio | None
    left: Collection[int]
    """The conversations of which something is left."""

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left that was to be deleted."""
        return not self.left and not (self.twilio is not None and self.twilio.reasons)


@dataclass(frozen=True, slots=True)
class Erasure:
    """Erases users."""

    settings: Settings
    database: ErasableDatabase
    copies: TwilioCopies
    desks: DeskEraser
    salt: str
    """Key of the hashes under which the provider knows users."""

    async def forget(self, user: str, actor: Actor, *, at_twilio: bool, client: str | None = None) -> ErasureResult:
        """Erases the user with a number (`+56912345678`) or WhatsApp's user id, with all clients or one; raises
        UnknownUser. What is left elsewhere is deleted later (`resume`)."""
        address = address_of(user)
        clients: Clients = None if client is None else [client]
        erased = await self.database.write(erasure.forget, address, actor, clients)
        elsewhere = await self._elsewhere(erased, client, at_twilio=at_twilio)
        twilio = elsewhere.twilio
        is_known = erased.conversations or erased.notices or erased.campaign_rows or (twilio and twilio.deleted)
        has_no_place = twilio is not None and list(twilio.reasons) == [NO_ACCOUNT]
        if not is_known and (elsewhere.is_complete or has_no_place):
            raise unknown(user)
        facts = self._facts(erased, elsewhere)
        receipt = await self.database.write(
            erasure.finish, address, erased, elsewhere.left, actor, client, facts, is_at_twilio=at_twilio
        )
        await self.database.expunge()
        return ErasureResult(
            elsewhere.is_complete,
            len(erased.conversations),
            sum(one.messages for one in erased.conversations),
            elsewhere.items,
            elsewhere.desk,
            twilio,
            facts["remains"],
            receipt,
        )

    async def resume(self, timer: Timer) -> ErasureToContinue | None:
        """Deletes what an erasure has left elsewhere, and nothing that the person did since. With the receipt where
        nothing is left any more, and then None; else what is to be continued. Raises TimerTakenOver."""
        continued = erasure_of(timer)
        left = continued.conversations
        erased = await self.database.read(erasure.left_of, left, continued.addresses)
        elsewhere = await self._elsewhere(
            erased, continued.client, at_twilio=continued.is_at_twilio, until=continued.since
        )
        facts = self._facts(erased, elsewhere)
        done = [item for item in facts["done"] if item["where"] not in HERE]
        again = continued.again(sorted(elsewhere.left), facts["left"], done)
        if elsewhere.is_complete:
            facts |= {"done": again.done, "continues": continued.receipt}
        ended = [id_ for id_ in left if id_ not in elsewhere.left]
        said = facts if elsewhere.is_complete else None
        await self.database.write(erasure.finish_later, timer, continued, ended, said)
        if elsewhere.is_complete:
            await self.database.expunge()
            return None
        return again

    async def elsewhere_of(self, conversations: Sequence[ErasedUser]) -> DeletedElsewhere:
        """Deletes what is at the model's provider and at the desk of conversations."""
        return await self._elsewhere(ErasedConversation(conversations, 0, 0, [], [], []), None, at_twilio=False)

    async def _elsewhere(
        self, erased: ErasedConversation, client: str | None, *, at_twilio: bool, until: str | None = None
    ) -> DeletedElsewhere:
        """Deletes what is elsewhere; `until`: only what was there at a time, text of `timestamp`."""
        at = None if until is None else datetime.fromisoformat(until)
        provider = await self._at_provider(erased.conversations, at)
        desk = await self.desks.erase(erased.conversations)
        twilio = await self._at_twilio(erased, client, at) if at_twilio else None
        left = {id_ for id_, items in provider.items() if any(item.state == "left" for item in items)}
        left |= {one.conversation for one in desk if one.state == "left"}
        if twilio is not None and twilio.reasons:
            left |= {one.id for one in erased.conversations}
        return DeletedElsewhere([item for found in provider.values() for item in found], desk, twilio, left)

    def _facts(self, erased: ErasedConversation, elsewhere: DeletedElsewhere) -> dict[str, Any]:
        stays = self.database.keeps_deleted
        remains = [*_remains(erased, elsewhere), *([stays] if stays is not None else ())]
        return _facts(erased, elsewhere, remains)

    async def _at_provider(
        self, conversations: Sequence[ErasedUser], until: datetime | None
    ) -> dict[int, list[AtProvider]]:
        """Conversation → its results at the provider, which is asked only about those that it may know."""
        remembered = [one for one in conversations if one.thread_id is not None or _is_an_agent_s(one)]
        if not remembered:
            return {}
        module = await asyncio.to_thread(importlib.import_module, "runtime.privacy.provider_sessions")
        async with open_client(self.settings, retries=RETRIES) as client:
            memory: ProviderSessions = module.ProviderSessions(client, self.settings.model_timeout_seconds)
            return {one.id: await self._deleted(memory, one, until) for one in remembered}

    async def _deleted(
        self, memory: ProviderSessions, conversation: ErasedUser, until: datetime | None
    ) -> list[AtProvider]:
        bot_id, thread_id = conversation.bot_id, conversation.thread_id
        ids = [thread_id] if thread_id is not None else []
        results: list[AtProvider] = []
        try:
            if _is_an_agent_s(conversation) or (thread_id is not None and not memory.is_thread(thread_id)):
                hashes = {user_hash(self.salt, bot_id, address) for address in conversation.addresses}
                ids += await memory.sessions_of(hashes, conversation.cut_off, until)
        except ProviderError as error:
            results.append(AtProvider(None, bot_id, "left", str(error)))
        for memory_id in dict.fromkeys(ids):
            try:
                is_deleted = await memory.delete(memory_id)
            except ProviderError as error:
                results.append(AtProvider(memory_id, bot_id, "left", str(error)))
            else:
                results.append(AtProvider(memory_id, bot_id, "deleted" if is_deleted else "gone"))
        return results

    async def _at_twilio(self, erased: ErasedConversation, client: str | None, until: datetime | None) -> AtTwilio:
        numbers = await numbers_of(self.database, client)
        accounts = {sid for one in erased.conversations for sid in one.account_sids}
        return await self.copies.delete(erased.addresses, accounts, numbers, until)


def address_of(user: str) -> str:
    """The address (`whatsapp:+…`) of a person who is named by a number or WhatsApp's user id; raises UnknownUser for
    what is neither."""
    address = whatsapp_address(user)
    if portable(address) != address or not number_of(address):
        raise unknown(user)
    return address


async def numbers_of(database: ErasableDatabase, client: str | None) -> Numbers:
    """The addresses of a client's bots, deleted ones included; None for all."""
    if client is None:
        return None
    bots = await database.read(catalog_store.bots_of_client, client)
    former = await database.read(former_bots.former_bots, client)
    return sorted({whatsapp_address(bot.twilio_phone_number) for bot in (*bots, *former)})


def unknown(user: str) -> UnknownUser:
    """The error for a person of whom nothing is known."""
    return UnknownUser(f"No user {user} was found; write a number with its country code, as +56912345678.")


def _is_an_agent_s(conversation: ErasedUser) -> bool:
    return conversation.assistant_id is not None and conversation.assistant_id.startswith(AGENT_PREFIX)


def _remains(erased: ErasedConversation, elsewhere: DeletedElsewhere) -> list[str]:
    twilio = elsewhere.twilio
    remains = ["In backups: what was there when they were made."]
    if twilio is None:
        remains.insert(0, "At Twilio: its own copies of the messages (--at-twilio deletes them).")
    else:
        remains.append("At Twilio: what was deleted, physically, for up to 30 days.")
    remains.append("At Meta: its own copies of WhatsApp messages, which cannot be deleted from here.")
    remains.append("At OpenAI: logs against abuse for up to 30 days, unless the account keeps none.")
    if any(one.ledger_rows for one in erased.conversations):
        remains.append("In the ledger: amounts, which lead to no person any more.")
    if any(one.state == "emptied" for one in elsewhere.desk):
        remains.append("At the desk: an empty conversation without a name; an administrator's token would delete it.")
    if not elsewhere.is_complete:
        remains.append("In the store: the addresses, until what is left elsewhere is deleted, which is tried again.")
    for kind in sorted({mark.kind for mark in erased.marks}):
        what = "the block" if kind == "blocked" else "the opt-out"
        remains.append(f"In the store: {what}, as a keyed hash of each address, so that it still holds.")
    return remains


def _facts(erased: ErasedConversation, elsewhere: DeletedElsewhere, remains: Sequence[str]) -> dict[str, Any]:
    """What the receipt says, without content and without an address."""
    provider, desk, twilio = elsewhere.items, elsewhere.desk, elsewhere.twilio
    found = erased.conversations
    done: list[dict[str, Any]] = [
        {"where": "store", "what": "conversations", "count": len(found)},
        {"where": "store", "what": "messages", "count": sum(one.messages for one in found)},
        {"where": "store", "what": "answers, memory, turns, notes", "count": sum(one.deleted for one in found)},
        {"where": "store", "what": "messages outside of conversations", "count": erased.notices},
        {"where": "store", "what": "rows of lists", "count": erased.campaign_rows},
        {"where": "ledger", "what": "rows cut off, amounts stay", "count": sum(one.ledger_rows for one in found)},
        {"where": "model", "what": "sessions and threads", "count": _count(provider, "deleted")},
        {"where": "desk", "what": "conversations", "count": _count(desk, "deleted") + _count(desk, "emptied")},
    ]
    if twilio is not None:
        done.append({"where": "twilio", "what": "messages and files", "count": twilio.deleted})
    return {
        "done": [item for item in done if item["count"]],
        "left": left_elsewhere(elsewhere, erased.addresses),
        "remains": list(remains),
    }


def left_elsewhere(elsewhere: DeletedElsewhere, addresses: Sequence[str]) -> list[dict[str, Any]]:
    """`where` something is left and `why`, without a person's addresses."""
    twilio = elsewhere.twilio
    left = [{"where": "model", "why": item.reason} for item in elsewhere.items if item.state == "left"]
    left += [{"where": "desk", "why": item.reason} for item in elsewhere.desk if item.state == "left"]
    left += [{"where": "twilio", "why": reason} for reason in (twilio.reasons if twilio is not None else ())]
    return [{**item, "why": _without(str(item["why"]), addresses)} for item in left]


def _count(items: Sequence[AtProvider] | Sequence[AtDesk], state: str) -> int:
    return sum(item.state == state for item in items)


def _without(text: str, addresses: Sequence[str]) -> str:
    """A provider's words without a person's addresses, which it may repeat."""
    for address in addresses:
        text = text.replace(number_of(address), "…")
    return text
