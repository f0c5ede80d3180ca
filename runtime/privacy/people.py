"""What is done for a person who asks: found, exported, blocked, erased. Each but the first ends with a receipt."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from runtime.catalog import Catalog
from runtime.errors import OperatorError
from runtime.privacy.erasure import Erasure, ErasureResult, address_of, numbers_of, unknown
from runtime.privacy.export import ExportedPerson, PersonExport
from runtime.store import catalog as catalog_store
from runtime.store.audit import Actor
from runtime.store.database.database import ErasableDatabase
from runtime.store.database.times import timestamp
from runtime.store.messages import blocking, person_copies, privacy_requests, rectification, unfinished_erasures
from runtime.store.messages.blocking import BlockingDone
from runtime.store.messages.person_copies import FoundPerson
from runtime.store.messages.privacy_requests import PrivacyRequest, RequestKind, due_of
from runtime.store.messages.rectification import Rectified
from runtime.store.messages.unfinished_erasures import UnfinishedErasure
from runtime.text import portable
from schemas.addresses import number_of
from schemas.holiday_dates import holidays_of


class NoClient(OperatorError):
    """A request is registered for a client that there is not."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What there is about a person outside of the store."""

    twilio: int
    """Messages, as far as Twilio could be asked."""
    unknown: Sequence[str]
    """Why it is not known in full."""


@dataclass(frozen=True, slots=True)
class People:
    """What is done for people."""

    database: ErasableDatabase
    catalog: Catalog
    erasure: Erasure
    exports: PersonExport
    timezone: str
    """The zone of clients for whom neither a manifest nor a number decides."""

    async def find(self, user: str, client: str | None = None) -> FoundPerson:
        """What there is about a person in the store; raises UnknownUser."""
        found = await self.database.read(person_copies.find, address_of(user), _only(client))
        if not found.is_known:
            raise unknown(user)
        return found

    async def elsewhere(self, found: FoundPerson, client: str | None = None) -> Elsewhere:
        """What there is about them at Twilio, which is asked now."""
        numbers = await numbers_of(self.database, client)
        copies = await self.erasure.copies.count(found.addresses, numbers)
        return Elsewhere(copies.left, copies.reasons)

    async def export(self, user: str, actor: Actor, path: Path, client: str | None = None) -> ExportedPerson:
        """Writes the package of a person; raises UnknownUser, and OSError where it cannot be written."""
        return await self.exports.write(user, client, actor, path)

    async def block(self, user: str, actor: Actor, client: str | None = None) -> BlockingDone:
        """Blocks a person, also one who has not written yet: nothing of them is processed when this returns."""
        done = await self.database.write(blocking.block, address_of(user), client, actor)
        await self.database.write(blocking.interrupt, done.conversation_ids)
        return done

    async def rectify(
        self, user: str, actor: Actor, name: str | None, transcript: tuple[int, str] | None, client: str | None = None
    ) -> Rectified:
        """Sets how a person is called, or what was heard in one of their voice notes (the message's id, and the text);
        raises NothingToRectify."""
        address = address_of(user)
        if transcript is not None:
            inbox_id, text = transcript
            done = await self.database.write(
                rectification.rectify_transcript, address, client, inbox_id, portable(text), actor
            )
        else:
            done = await self.database.write(rectification.rectify_name, address, client, portable(name or ""), actor)
        await self.database.expunge()
        return done

    async def unblock(self, user: str, actor: Actor, client: str | None = None) -> BlockingDone:
        """Ends a block; raises BlockedForAll and NotBlocked."""
        return await self.database.write(blocking.unblock, address_of(user), client, actor)

    async def erase(self, user: str, actor: Actor, client: str | None = None) -> ErasureResult:
        """Erases a person everywhere; raises UnknownUser."""
        return await self.erasure.forget(user, actor, at_twilio=True, client=client)

    async def register(
        self, user: str, actor: Actor, kind: RequestKind, client: str, received: datetime | None = None
    ) -> PrivacyRequest:
        """Registers what a person asked a client for. `received`: when, by the client's clock if it has no
        zone. Raises NoClient."""
        bots = await self.database.read(catalog_store.bots_of_client, client)
        if not bots:
            raise NoClient(f"There is no client {client!r}; see GET /bots/.")
        configuration = await self.catalog.configuration(bots[0].id)
        zone = ZoneInfo((configuration.timezone if configuration else None) or self.timezone)
        at = received or datetime.now(zone)
        at = at.replace(tzinfo=zone) if at.tzinfo is None else at.astimezone(zone)
        country = (
            configuration.policy.hours.holidays if configuration and configuration.policy.hours else None
        ) or "CL"
        days_off = await asyncio.to_thread(_days_off, country, at.year)
        due_at = timestamp(due_of(kind, at, days_off).timestamp())
        hashes = (await self.database.read(person_copies.find, address_of(user))).hashes
        return await self.database.write(
            privacy_requests.register,
            client=client,
            hashes=hashes,
            kind=kind,
            received_at=timestamp(at.timestamp()),
            due_at=due_at,
            by=actor,
        )

    async def requests(self, user: str | None, client: str | None = None) -> Sequence[PrivacyRequest]:
        """What a person asked for, or all people; of one client or all."""
        if user is None:
            return await self.database.read(privacy_requests.list_requests, _only(client))
        found = await self.database.read(person_copies.find, address_of(user), _only(client))
        return found.requests

    async def unfinished(self, user: str | None, client: str | None = None) -> Sequence[UnfinishedErasure]:
        """Erasures of which something is left elsewhere, of a person or all people; of one client or all."""
        if user is None:
            return await self.database.read(unfinished_erasures.list_unfinished, _only(client))
        found = await self.database.read(person_copies.find, address_of(user), _only(client))
        return found.unfinished


def shown_addresses(found: FoundPerson) -> list[str]:
    """A person's numbers and WhatsApp's ids, as people write them."""
    return [number_of(address) for address in found.addresses]


def is_blocked(found: FoundPerson) -> bool:
    """Whether nothing of a person is processed, at one of these clients at least."""
    return any(one.blocked_at for one in found.conversations) or any(mark.kind == "blocked" for mark in found.marks)


def _days_off(country: str, year: int) -> frozenset[date]:
    """The holidays of a year and the next one."""
    return frozenset(day for one in (year, year + 1) for day in holidays_of(country, one))


def _only(client: str | None) -> list[str] | None:
    return None if client is None else [client]
