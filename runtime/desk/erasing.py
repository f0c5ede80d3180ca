"""Deletes people's conversations at desks, and the contacts that nothing else is left of.

    conversation ──► deleted, by an administrator's token ──► its contact too, unless it has others at the desk
                └──► emptied, by an agent's: every message deleted, the contact without name, number and identifier

A conversation may have been on its way to the desk as its user was erased: a process that shows it is waited for, which
ends with its next step, and what it made is found by the key under which the inbox knows the user.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from runtime.catalog import Catalog
from runtime.desk.chatwoot import Chatwoot, DeskCalls, DeskInbox
from runtime.desk.contacts import key_of
from runtime.errors import KeyRefused, ProviderError, TemporaryError
from runtime.privacy.erasure import AtDesk
from runtime.settings import Secrets
from runtime.store import former_bots
from runtime.store.database.database import Database
from runtime.store.messages import desk
from runtime.store.messages.erasure import ErasedUser
from schemas.desk import DeskPolicy

NO_DESK: Final = "The client's desk is not declared any more, so its copy cannot be reached; delete it there."
LONGEST_WAIT: Final = 70.0
"""Seconds that a process which shows the conversation is waited for: longer than its longest call."""
LOOK_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class DeskCopies:
    """Deletes copies at desks."""

    database: Database
    catalog: Catalog
    secrets: Secrets

    async def erase(self, conversations: Sequence[ErasedUser]) -> Sequence[AtDesk]:
        """The result for each conversation that is, or may be, at a desk; see `runtime.privacy.erasure.DeskEraser`."""
        chatwoot = Chatwoot()
        try:
            results = [await self._erased(chatwoot, one) for one in conversations]
        finally:
            await chatwoot.close()
        return [one for one in results if one is not None]

    async def _erased(self, chatwoot: Chatwoot, conversation: ErasedUser) -> AtDesk | None:
        """None where there is nothing of it at a desk."""
        id_, client, place = conversation.id, conversation.client, conversation.desk
        configuration = await self.catalog.configuration(conversation.bot_id)
        handoff = configuration.policy.handoff if configuration is not None else None
        policy = handoff.desk if handoff is not None else None
        if configuration is None:
            policy = await self._former(conversation.bot_id)
        if policy is None:
            return None if place is None else AtDesk(id_, client, "left", NO_DESK)
        inbox = _inbox(policy, self.secrets)
        if inbox is None:
            return AtDesk(id_, client, "left", f"The desk's token is not set here: {policy.chatwoot.token.env}.")
        if place is not None and inbox.place != place.place:
            return AtDesk(id_, client, "left", NO_DESK)
        calls = chatwoot.at(inbox, allow_private=bool(policy.allow_private))
        try:
            await self._settled(id_)
            state = await _deleted(calls, key_of(id_, self.catalog.salt))
        except ProviderError as error:
            return AtDesk(id_, client, "left", str(error))
        return None if state == "gone" and place is None else AtDesk(id_, client, state)

    async def _former(self, bot_id: str) -> DeskPolicy | None:
        """The desk that a deleted bot had."""
        bot = await self.database.read(former_bots.former_bot, bot_id)
        return DeskPolicy.model_validate(bot.policy["handoff"]["desk"]) if bot is not None and bot.policy else None

    async def _settled(self, conversation_id: int) -> None:
        """Waits for a process that shows a conversation. Raises TemporaryError."""
        give_up = time.monotonic() + LONGEST_WAIT
        while await self.database.read(desk.is_being_shown, conversation_id):
            if time.monotonic() > give_up:
                raise TemporaryError("The conversation is being written at the desk right now.")
            await asyncio.sleep(LOOK_SECONDS)


def _inbox(policy: DeskPolicy, secrets: Secrets) -> DeskInbox | None:
    """The inbox with its token; None where that is not set here."""
    declared = policy.chatwoot
    token = secrets.get(declared.token.env)
    return None if token is None else DeskInbox(declared.url, declared.account, declared.inbox, token)


async def _deleted(calls: DeskCalls, key: str) -> Literal["deleted", "emptied", "gone"]:
    """Deletes a person's conversations in the inbox, and their contact. Raises ProviderError."""
    contact = await calls.contact_of(key)
    if contact is None:
        return "gone"
    numbers = [int(row["id"]) for row in await calls.conversations_of(contact)]
    try:
        for number in numbers:
            await calls.delete_conversation(number)
        if not await calls.has_conversations(contact):
            await calls.delete_contact(contact)
    except KeyRefused:
        for number in numbers:
            await _empty(calls, number)
        await calls.make_nameless(contact)
        return "emptied"
    return "deleted"


async def _empty(calls: DeskCalls, number: int) -> None:
    """Deletes what was said, where the token's user may not delete the conversation."""
    after = 0
    while messages := await calls.messages(number, after):
        for message in messages:
            if not _is_deleted(message):
                await calls.delete_message(number, int(message["id"]))
        after = int(messages[-1]["id"])


def _is_deleted(message: Mapping[str, object]) -> bool:
    attributes = message.get("content_attributes")
    return isinstance(attributes, dict) and bool(attributes.get("deleted"))
