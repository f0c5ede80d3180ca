"""Erases a user here and elsewhere: in the store, at the model's provider, and at Twilio when requested.

    store: messages and memory ──► provider: sessions, threads ──► Twilio ──► store: the ids that led there

While something could not be deleted elsewhere, the addresses and the provider's id of its conversation are kept, so
that erasing the same user again continues from there. Nothing else waits for it.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from runtime.engines.selection import open_client
from runtime.errors import OperatorError, ProviderError
from runtime.memory import user_hash
from runtime.privacy.twilio_messages import AtTwilio, TwilioCopies
from runtime.settings import Settings
from runtime.store.database.database import Database
from runtime.store.messages import erasure
from runtime.store.messages.erasure import ErasedUser
from runtime.store.records import AGENT_PREFIX
from runtime.text import portable
from schemas.addresses import number_of, whatsapp_address

if TYPE_CHECKING:
    from runtime.privacy.provider_sessions import ProviderSessions

RETRIES = 2
"""How often a failed call to the provider is repeated: deletion is idempotent."""


class UnknownUser(OperatorError):
    """No data of a user was found."""


@dataclass(frozen=True, slots=True)
class AtProvider:
    """A conversation's object at the model's provider, with the result of its deletion."""

    id: str | None
    """Id of a session or thread; None when the provider could not be asked which there are."""
    bot_id: str
    state: Literal["deleted", "gone", "left"]
    """`gone`: the provider has none of that id."""
    reason: str | None = None
    """Why it is left, else None."""


@dataclass(frozen=True, slots=True)
class ErasureResult:
    """What was found of a user, and the results of deleting it."""

    complete: bool
    """False when something that was to be deleted is left: repeat the erasure."""
    conversations: int
    messages: int
    """Number of the user's messages in the store."""
    provider: Sequence[AtProvider]
    twilio: AtTwilio | None
    """None when it was not requested."""
    remains: Sequence[str]
    """What was not requested to be deleted, or cannot be deleted from here."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """Erases users."""

    settings: Settings
    database: Database
    copies: TwilioCopies
    salt: str
    """Key of the hashes under which the provider knows users."""

    async def forget(self, user: str, actor: str, *, at_twilio: bool) -> ErasureResult:
        """Erases the user with a number (`+56912345678`) or WhatsApp's user id; raises UnknownUser."""
        address = whatsapp_address(user)
        if portable(address) != address or not number_of(address):
            raise _unknown(user)
        erased = await self.database.write(erasure.forget, address, actor)
        conversations = erased.conversations
        provider = await self._at_provider(conversations)
        twilio = await self._at_twilio(address, conversations) if at_twilio else None
        left = {id_ for id_, items in provider.items() if any(item.state == "left" for item in items)}
        if twilio is not None and twilio.reasons:
            left |= {one.id for one in conversations}
        await self.database.write(erasure.erase_ids, [one.id for one in conversations if one.id not in left])
        complete = not left and not (twilio is not None and twilio.reasons)
        if complete and not conversations and not erased.notices and not (twilio is not None and twilio.deleted):
            raise _unknown(user)
        return ErasureResult(
            complete,
            len(conversations),
            sum(one.messages for one in conversations),
            [item for items in provider.values() for item in items],
            twilio,
            _remains(twilio),
        )

    async def _at_provider(self, conversations: Sequence[ErasedUser]) -> dict[int, list[AtProvider]]:
        """Conversation → its results at the provider, which is asked only about those that it may know."""
        remembered = [one for one in conversations if one.thread_id is not None or _is_an_agent_s(one)]
        if not remembered:
            return {}
        module = await asyncio.to_thread(importlib.import_module, "runtime.privacy.provider_sessions")
        async with open_client(self.settings, retries=RETRIES) as client:
            memory: ProviderSessions = module.ProviderSessions(client, self.settings.model_timeout_seconds)
            return {one.id: await self._deleted(memory, one) for one in remembered}

    async def _deleted(self, memory: ProviderSessions, conversation: ErasedUser) -> list[AtProvider]:
        bot_id, thread_id = conversation.bot_id, conversation.thread_id
        ids = [thread_id] if thread_id is not None else []
        results: list[AtProvider] = []
        try:
            if _is_an_agent_s(conversation) or (thread_id is not None and not memory.is_thread(thread_id)):
                hashes = {user_hash(self.salt, bot_id, address) for address in conversation.addresses}
                ids += await memory.sessions_of(hashes, conversation.cut_off)
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

    async def _at_twilio(self, address: str, conversations: Sequence[ErasedUser]) -> AtTwilio:
        addresses = {address, *(known for one in conversations for known in one.addresses)}
        return await self.copies.delete(addresses, {sid for one in conversations for sid in one.account_sids})


def _is_an_agent_s(conversation: ErasedUser) -> bool:
    return conversation.assistant_id is not None and conversation.assistant_id.startswith(AGENT_PREFIX)


def _remains(twilio: AtTwilio | None) -> list[str]:
    elsewhere = ["In backups: what was there when they were made."]
    return (
        elsewhere
        if twilio is not None
        else ["At Twilio: its own copies of the messages (--at-twilio deletes them).", *elsewhere]
    )


def _unknown(user: str) -> UnknownUser:
    return UnknownUser(f"No user {user} was found; write a number with its country code, as +56912345678.")
