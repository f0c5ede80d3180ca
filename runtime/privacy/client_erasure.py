"""Erases a client at the end of the service: what there is of it in the store, at the model's provider, at the desk and
at Twilio. Its bots must be deleted before (`state: absent`), so that nothing new comes in.

What could not be deleted elsewhere is deleted by a timer, as of a person (`runtime.privacy.erasure`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from runtime.errors import OperatorError
from runtime.privacy.erasure import DeletedElsewhere, Erasure, left_elsewhere, numbers_of
from runtime.privacy.twilio_messages import AtTwilio
from runtime.store.audit import Actor
from runtime.store.messages import client_erasure
from runtime.store.messages.client_erasure import ClientContents
from runtime.store.messages.erasure import ErasedUser
from runtime.store.messages.receipts import PersonReceipt
from runtime.store.messages.unfinished_erasures import summed

REMAINS: Final = (
    "In backups: what was there when they were made.",
    "At Twilio: what was deleted, physically, for up to 30 days.",
    "At Meta: its own copies of WhatsApp messages, which cannot be deleted from here.",
    "At OpenAI: logs against abuse for up to 30 days, unless the account keeps none.",
    "In the ledger: kinds, prices and amounts of the client, which lead to no person, for the agency's accounts.",
    "In the store: receipts, the register of requests and the audit (for AUDIT_DAYS), which lead to people by keyed "
    "hashes and ids only, as proof of what was done.",
    "In the history of applies and in git: what its manifest declared.",
)


class ClientStays(OperatorError):
    """A client cannot be erased now."""


@dataclass(frozen=True, slots=True)
class ErasedClient:
    """A client was erased."""

    is_complete: bool
    """False where something is left elsewhere: a timer deletes it."""
    receipt: PersonReceipt


@dataclass(slots=True)
class _Done:
    """What was done so far."""

    left: set[int] = field(default_factory=set)
    why: list[dict[str, Any]] = field(default_factory=list)
    done: list[dict[str, Any]] = field(default_factory=list)

    def add(self, users: Sequence[ErasedUser], elsewhere: DeletedElsewhere) -> None:
        """Adds the results of some conversations."""
        addresses = [address for one in users for address in one.addresses]
        counts = {
            ("store", "conversations"): len(users),
            ("store", "messages"): sum(one.messages for one in users),
            ("store", "answers, memory, turns, notes"): sum(one.deleted for one in users),
            ("ledger", "rows cut off, amounts stay"): sum(one.ledger_rows for one in users),
            ("model", "sessions and threads"): sum(item.state == "deleted" for item in elsewhere.items),
            ("desk", "conversations"): sum(item.state in ("deleted", "emptied") for item in elsewhere.desk),
        }
        new = [{"where": where, "what": what, "count": count} for (where, what), count in counts.items() if count]
        self.done = summed(self.done, new)
        self.left |= set(elsewhere.left)
        self.why += [item for item in left_elsewhere(elsewhere, addresses) if item not in self.why]


@dataclass(frozen=True, slots=True)
class ClientErasure:
    """Erases clients."""

    erasure: Erasure

    async def contents(self, client: str) -> ClientContents:
        """What there is of a client; raises ClientStays where nothing is."""
        found = await self.erasure.database.read(client_erasure.contents_of, client)
        if not found.is_known:
            raise ClientStays(f"There is nothing of a client {client!r}.")
        return found

    async def erase(
        self, client: str, actor: Actor, *, is_without_export: bool, tell: Callable[[int], None]
    ) -> ErasedClient:
        """Erases a client, and issues the receipt; raises ClientStays. `tell`: called with how many conversations were
        erased so far."""
        found = await self.contents(client)
        check(found, is_without_export=is_without_export)
        numbers = await numbers_of(self.erasure.database, client) or []
        done = _Done()
        for bot_id in found.former:
            await self._conversations(bot_id, done, tell)
        twilio = await self._at_twilio(list(numbers))
        done.done = summed(done.done, [{"where": "twilio", "what": "messages and files", "count": twilio.deleted}])
        done.why += [{"where": "twilio", "why": reason} for reason in twilio.reasons]
        rest = {
            name: count for name, count in found.counts.items() if count and name not in ("conversations", "messages")
        }
        done.done = summed(done.done, [{"where": "store", "what": name, "count": n} for name, n in rest.items()])
        facts = {"done": [one for one in done.done if one["count"]], "left": done.why, "remains": self._remains(done)}
        receipt = await self.erasure.database.write(
            client_erasure.finish, found, list(numbers), done.left, actor, facts
        )
        await self.erasure.database.expunge()
        return ErasedClient(not done.why, receipt)

    async def _conversations(self, bot_id: str, done: _Done, tell: Callable[[int], None]) -> None:
        """Erases the conversations of a bot, a few at a time."""
        database, after, count = self.erasure.database, 0, 0
        while ids := await database.read(client_erasure.next_conversations, bot_id, after):
            users = await database.write(client_erasure.forget, ids)
            elsewhere = await self.erasure.elsewhere_of(users)
            done.add(users, elsewhere)
            await database.write(client_erasure.drop, [id_ for id_ in ids if id_ not in elsewhere.left])
            after, count = ids[-1], count + len(ids)
            tell(count)

    async def _at_twilio(self, numbers: Sequence[str]) -> AtTwilio:
        """Deletes all messages of the client's numbers."""
        if not numbers:
            return AtTwilio(0, 0, [])
        return await self.erasure.copies.delete(numbers, [], numbers)

    def _remains(self, done: _Done) -> list[str]:
        stays = self.erasure.database.keeps_deleted
        later = [
            "In the store: where what is left elsewhere can be reached, until it is deleted, which is tried again."
        ]
        return [*REMAINS, *(later if done.why else ()), *([stays] if stays is not None else ())]


def check(found: ClientContents, *, is_without_export: bool) -> None:
    """Raises ClientStays where a client cannot be erased now."""
    client = found.client
    if found.bots:
        raise ClientStays(
            f"{client} still has bots ({', '.join(found.bots)}), so messages still come in; nothing was deleted. Set "
            f"`state: absent` in its manifest, apply that, and erase it then."
        )
    if found.exported is None and not is_without_export:
        raise ClientStays(
            f"{client} was never exported, so nothing could be given back after this; nothing was deleted. Run "
            f"`horizonai-whatsapp-bot client export {client}` first, or add --without-export where the client wants "
            "nothing back."
        )
