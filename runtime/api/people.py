"""/people/: what is done for a person who asks. Every call needs the scope `privacy`; a caller who is bound to clients
names one of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import structlog
from aiohttp import web

from runtime.api.endpoint import ApiEndpoint, Call, Reply, Send, whole_number
from runtime.api.errors import ApiError
from runtime.api.models import Rectification, RequestAnswer, RequestCreate, RequestExtension
from runtime.privacy.erasure import ErasureResult, UnknownUser
from runtime.privacy.export import ExportedPerson
from runtime.privacy.people import NoClient, People
from runtime.store.database.database import Database
from runtime.store.messages import privacy_requests, receipts
from runtime.store.messages.blocking import BlockedForAll, NotBlocked
from runtime.store.messages.person_copies import FoundPerson
from runtime.store.messages.privacy_requests import NoRequest, PrivacyRequest
from runtime.store.messages.receipts import PersonReceipt
from runtime.store.messages.rectification import NothingToRectify
from runtime.store.messages.unfinished_erasures import UnfinishedErasure

BLOCK = 256 * 1024
SEND_SECONDS = 300.0
"""Time limit of sending a package."""
CLIENT = {"client": "Only with this client; with all without it."}
T = TypeVar("T")

log = structlog.get_logger("runtime.api")


@dataclass(frozen=True, slots=True)
class BlockingDocument:
    """A person was blocked, unblocked or rectified."""

    conversations: int
    """Number of conversations that changed."""
    receipt: PersonReceipt


class PeopleApi:
    """Handlers of /people/, /privacy-requests/ and /receipts/."""

    def __init__(self, database: Database, people: People, folder: Path | None) -> None:
        """`folder`: where a package lies until it was sent; the system's own without one."""
        self._database = database
        self._people = people
        self._folder = folder

    def endpoints(self) -> list[ApiEndpoint]:
        """The endpoints served."""
        user = "a number (+56912345678) or WhatsApp's user id"
        return [
            _endpoint(
                "GET",
                "/people/{user}",
                f"What there is about a person, {user}, and where; no content.",
                self.find,
                FoundPerson,
            ),
            _endpoint(
                "POST",
                "/people/{user}/block",
                "Block a person: nothing of them is processed from now on, and nothing is sent to them.",
                self.block,
                BlockingDocument,
            ),
            _endpoint(
                "POST",
                "/people/{user}/unblock",
                "End a block. What they wrote meanwhile stays unanswered.",
                self.unblock,
                BlockingDocument,
            ),
            _endpoint(
                "DELETE",
                "/people/{user}",
                "Erase a person for good: in the store, at the model's provider, at the "
                "desk and at Twilio. 502 when something is left there; the store is erased all the same, and the "
                "service tries the rest again (`GET /erasures/`), as the same call does.",
                self.erase,
                ErasureResult,
            ),
            _endpoint(
                "POST",
                "/people/{user}/rectify",
                "Rectify how a person is called, or what was heard in one of their voice notes.",
                self.rectify,
                BlockingDocument,
                body=Rectification,
            ),
            ApiEndpoint(
                "POST",
                "/people/{user}/export",
                "What there is about a person, as a package (ZIP): `person.json`, `person.html`, their files. The "
                "receipt's number is in the header `X-Receipt`.",
                self.export,
                query=CLIENT,
                needs="privacy",
                is_per_client=True,
                content_type="application/zip",
            ),
            *self._register(),
        ]

    def _register(self) -> list[ApiEndpoint]:
        one = "/privacy-requests/{id}"
        return [
            _endpoint(
                "GET",
                "/people/{user}/requests",
                "What a person asked for under the law, oldest first.",
                self.requests,
                list[PrivacyRequest],
            ),
            _endpoint(
                "POST",
                "/people/{user}/requests",
                "Register what a person asks a client for, with the day by which the law wants an answer.",
                self.register,
                PrivacyRequest,
                status=201,
                body=RequestCreate,
                query={},
            ),
            _endpoint(
                "GET", "/privacy-requests/", "The register of requests, oldest first.", self.index, list[PrivacyRequest]
            ),
            _endpoint(
                "POST",
                f"{one}/acknowledge",
                "Record that the receipt of a request was confirmed.",
                self.acknowledge,
                PrivacyRequest,
                query={},
            ),
            _endpoint(
                "POST",
                f"{one}/extend",
                "Give a request 30 days more, once.",
                self.extend,
                PrivacyRequest,
                body=RequestExtension,
                query={},
            ),
            _endpoint(
                "POST",
                f"{one}/answer",
                "Record how a request was answered, with the proof.",
                self.answer,
                PrivacyRequest,
                body=RequestAnswer,
                query={},
            ),
            _endpoint(
                "GET",
                "/erasures/",
                "Erasures of which something is left elsewhere, and when it is tried again, oldest first.",
                self.erasures,
                list[UnfinishedErasure],
            ),
            ApiEndpoint(
                "GET",
                "/receipts/",
                "Receipts of what was done for people, oldest first; each has the hash of the one before.",
                self.receipts,
                answer=list[PersonReceipt],
                needs="privacy",
                query={"limit": "Page size, from 1 to 1000.", "after": "The last number of the previous page."},
            ),
        ]

    async def find(self, call: Call) -> object:
        """GET /people/{user}"""
        return asdict(await _answered(self._people.find(call.path["user"], _client(call))))

    async def export(self, call: Call) -> Send:
        """POST /people/{user}/export"""
        user, actor, client = call.path["user"], call.caller.actor, _client(call)

        async def send(request: web.Request) -> web.StreamResponse:
            with TemporaryDirectory(dir=self._folder, prefix="person-") as folder:
                package = Path(folder) / "person.zip"
                done = await _answered(self._people.export(user, actor, package, client))
                return await _sent(package, done, request)

        return send

    async def block(self, call: Call) -> object:
        """POST /people/{user}/block"""
        done = await _answered(self._people.block(call.path["user"], call.caller.actor, _client(call)))
        return {"conversations": done.conversations, "receipt": asdict(done.receipt)}

    async def rectify(self, call: Call) -> object:
        """POST /people/{user}/rectify"""
        body: Rectification = call.body
        heard = None if body.message is None else (body.message, body.transcript or "")
        work = self._people.rectify(call.path["user"], call.caller.actor, body.name, heard, _client(call))
        done = await _answered(work)
        return {"conversations": done.conversations, "receipt": asdict(done.receipt)}

    async def unblock(self, call: Call) -> object:
        """POST /people/{user}/unblock"""
        done = await _answered(self._people.unblock(call.path["user"], call.caller.actor, _client(call)))
        return {"conversations": done.conversations, "receipt": asdict(done.receipt)}

    async def erase(self, call: Call) -> object:
        """DELETE /people/{user}"""
        actor = call.caller.actor
        outcome = await _answered(self._people.erase(call.path["user"], actor, _client(call)))
        log.info("user_erased", actor=actor.name, conversations=outcome.conversations, complete=outcome.complete)
        return erasure_reply(outcome)

    async def requests(self, call: Call) -> object:
        """GET /people/{user}/requests"""
        found = await _answered(self._people.requests(call.path["user"], _client(call)))
        return [asdict(one) for one in found]

    async def register(self, call: Call) -> object:
        """POST /people/{user}/requests"""
        body: RequestCreate = call.body
        _reach(call, body.client)
        return asdict(
            await _answered(
                self._people.register(call.path["user"], call.caller.actor, body.kind, body.client, body.received)
            )
        )

    async def index(self, call: Call) -> object:
        """GET /privacy-requests/"""
        return [asdict(one) for one in await self._people.requests(None, _client(call))]

    async def erasures(self, call: Call) -> object:
        """GET /erasures/"""
        return [asdict(one) for one in await self._people.unfinished(None, _client(call))]

    async def acknowledge(self, call: Call) -> object:
        """POST /privacy-requests/{id}/acknowledge"""
        request_id = await self._reached(call)
        return asdict(await self._database.write(privacy_requests.acknowledge, request_id, call.caller.actor))

    async def extend(self, call: Call) -> object:
        """POST /privacy-requests/{id}/extend"""
        body: RequestExtension = call.body
        request_id = await self._reached(call)
        work = self._database.write(privacy_requests.extend, request_id, body.because, call.caller.actor)
        return asdict(await _answered(work))

    async def answer(self, call: Call) -> object:
        """POST /privacy-requests/{id}/answer"""
        body: RequestAnswer = call.body
        request_id = await self._reached(call)
        work = self._database.write(
            privacy_requests.answer, request_id, body.outcome, body.proof, call.caller.actor, body.receipt
        )
        return asdict(await _answered(work))

    async def receipts(self, call: Call) -> object:
        """GET /receipts/"""
        limit = whole_number(call.query.get("limit", "1000"), "limit", 1, 1000)
        after = whole_number(call.query.get("after", "0"), "after")
        return [asdict(one) for one in await self._database.read(receipts.list_receipts, after, limit)]

    async def _reached(self, call: Call) -> int:
        """The request that a path names; raises 404 where the caller is bound to other clients."""
        request_id = whole_number(call.path["id"], "id")
        request = await _answered(self._database.read(privacy_requests.get, request_id))
        _reach(call, request.client)
        return request_id


async def _sent(package: Path, done: ExportedPerson, request: web.Request) -> web.StreamResponse:
    """Writes a package; a caller who does not read it is cut off."""
    headers = {
        "Content-Type": "application/zip",
        "Content-Disposition": 'attachment; filename="person.zip"',
        "Cache-Control": "private, no-store",
        "X-Receipt": str(done.receipt.number),
    }
    response = web.StreamResponse(headers=headers)
    response.content_length = (await asyncio.to_thread(package.stat)).st_size
    await response.prepare(request)
    try:
        async with asyncio.timeout(SEND_SECONDS):
            with package.open("rb") as file:
                while block := await asyncio.to_thread(file.read, BLOCK):
                    await response.write(block)
            await response.write_eof()
    except TimeoutError:
        log.warning("person_export_aborted", seconds=SEND_SECONDS, receipt=done.receipt.number)
        if request.transport is not None:
            request.transport.abort()
    return response


def erasure_reply(outcome: ErasureResult) -> object:
    """The answer to an erasure: 502 where something is left."""
    if outcome.complete:
        return asdict(outcome)
    message = (
        "Something is left elsewhere, see `provider`, `desk` and `twilio`; the rest is deleted. It is tried again."
    )
    return Reply(502, {"error": {"code": "left_at_provider", "message": message}, **asdict(outcome)})


def _endpoint(method: str, path: str, summary: str, act: Any, answer: Any, **more: Any) -> ApiEndpoint:
    given = {"query": CLIENT, **more}
    return ApiEndpoint(method, path, summary, act, answer=answer, needs="privacy", is_per_client=True, **given)


def _client(call: Call) -> str | None:
    """The client that a call is about; None: all. Raises 404 for one that the caller does not reach, 400 where one who
    is bound to clients names none."""
    wanted, reached = call.query.get("client"), call.caller.clients
    if wanted is not None:
        _reach(call, wanted)
    elif reached is not None:
        if len(reached) > 1:
            bound = ", ".join(sorted(reached))
            raise ApiError(400, "missing_field", f"Name the client: ?client=… (one of {bound}).", field="client")
        (wanted,) = reached
    return wanted


def _reach(call: Call, client: str) -> None:
    if call.caller.clients is not None and client not in call.caller.clients:
        raise ApiError(404, "not_found", f"There is no client {client!r}; see GET /bots/.")


async def _answered(work: Awaitable[T]) -> T:
    """The result, or the API's error for it."""
    try:
        return await work
    except (UnknownUser, NoClient) as error:
        raise ApiError(404, "not_found", str(error)) from error
    except NoRequest as error:
        raise ApiError(404, "not_found", str(error)) from error
    except NothingToRectify as error:
        raise ApiError(404, "not_found", str(error)) from error
    except BlockedForAll as error:
        raise ApiError(409, "blocked_for_all", str(error)) from error
    except NotBlocked as error:
        raise ApiError(409, "not_blocked", str(error)) from error
