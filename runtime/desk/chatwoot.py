"""Calls of Chatwoot's Application API (≥ 4.13), bounded in time and size, with one user's token.

Nothing at Chatwoot is idempotent. A read that fails is repeated by the caller; of a write without an answer the caller
finds out whether it was made: of a message by its `source_id`, which Chatwoot keeps (source: Chatwoot 4.15.1).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from runtime.errors import KeyRefused, PermanentError, ProviderError, TemporaryError, UnknownOutcome
from runtime.public_http import NotCalled, Outgoing, PublicHttp
from runtime.resilience.backoff import spread
from runtime.resilience.http_errors import Provider, error_of_status, retry_after_seconds

CALL_SECONDS: Final = 10.0
UPLOAD_SECONDS: Final = 60.0
"""Time limits of one call, whole; of one with files, and of a file that is fetched."""
MAX_ANSWER_BYTES: Final = 4 * 2**20
RETRY_PAUSES: Final = (0.3, 1.0)
"""Seconds before a call is repeated at once that has no further effect."""
LONGEST_WAIT: Final = 60.0
"""Seconds of a `Retry-After` at most."""
MAX_REDIRECTS: Final = 3
PAGE: Final = 100
"""Messages of one answer to `after=`."""
_STORED: Final = "/rails/active_storage/"
_HINT: Final = (
    "Chatwoot refused the token (401): check the variable of handoff.desk.chatwoot.token, that its user is an agent of "
    "the inbox, and that a proxy in front of Chatwoot lets headers with underscores pass (underscores_in_headers on)."
)

Json = dict[str, Any]
Status = Literal["open", "resolved", "pending", "snoozed"]


class NotAtDesk(PermanentError):
    """Chatwoot does not have what was asked for (404)."""


class DeskRefused(PermanentError):
    """Chatwoot refuses what was sent (422)."""


class FailedAtDesk(UnknownOutcome):
    """Chatwoot answered that it failed (500): what it has made of the call by now is all that it will."""


class NotYet(TemporaryError):
    """One conversation has to wait, and no other."""


@dataclass(frozen=True, slots=True)
class DeskInbox:
    """An inbox of the type API."""

    url: str
    account: int
    inbox: int
    token: str = field(repr=False)

    @property
    def place(self) -> str:
        """Where it is, which tells it from every other."""
        return f"{self.url.rstrip('/')} {self.account} {self.inbox}"


@dataclass(frozen=True, slots=True)
class DeskFile:
    """A file of a message."""

    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to write at the desk."""

    content: str
    source_id: str
    kind: Literal["incoming", "outgoing"] = "outgoing"
    private: bool = False
    bot: int | None = None
    """The bot that wrote it; None: the contact, or the token's user."""
    files: Sequence[DeskFile] = ()
    written_at: str | None = None
    """When it was really written, where that was before."""


class Chatwoot:
    """Calls over two connection pools: to public addresses only, and to any. Close them at the end."""

    def __init__(self) -> None:
        self._public = PublicHttp(allow_private=False)
        self._private = PublicHttp(allow_private=True)

    async def close(self) -> None:
        """Closes the connections."""
        await self._public.close()
        await self._private.close()

    def at(self, inbox: DeskInbox, *, allow_private: bool) -> DeskCalls:
        """Calls that concern one inbox."""
        return DeskCalls(inbox, self._private if allow_private else self._public)


@dataclass(frozen=True, slots=True)
class DeskCalls:
    """The calls that concern one inbox. All raise ProviderError: KeyRefused, NotAtDesk, DeskRefused or another
    PermanentError; TemporaryError; a write also UnknownOutcome."""

    inbox: DeskInbox
    http: PublicHttp

    async def bot(self) -> int | None:
        """The bot that is connected to the inbox; None without one."""
        found = (await self._read(f"inboxes/{self.inbox.inbox}/agent_bot")).get("agent_bot") or {}
        return found.get("id")

    async def me(self) -> int:
        """The token's user."""
        answer = await self._call("GET", f"{self.inbox.url.rstrip('/')}/api/v1/profile")
        return int(answer["id"])

    async def contact_of(self, source_id: str) -> int | None:
        """The contact that the inbox knows under a key; None when it knows none."""
        try:
            answer = await self._read_by_post("contact_inboxes/filter", {**self._in_inbox, "source_id": source_id})
        except NotAtDesk:
            return None
        return int(answer["id"])

    async def contact_with(self, phone: str) -> int | None:
        """The contact of the account with a phone number."""
        answer = await self._read(f"contacts/search?{urlencode({'q': phone})}")
        found = [row for row in answer["payload"] if row.get("phone_number") == phone]
        return int(found[0]["id"]) if found else None

    async def add_contact(self, source_id: str, name: str, phone: str | None, identifier: str) -> int:
        """A new contact, known to the inbox under a key. Raises DeskRefused where the number is another contact's."""
        person = {"name": name, "identifier": identifier, **({"phone_number": phone} if phone else {})}
        answer = await self._write("contacts", {**self._in_inbox, "source_id": source_id, **person})
        return int(answer["payload"]["contact"]["id"])

    async def link(self, contact: int, source_id: str) -> None:
        """Makes a contact known to the inbox under a key; again without effect."""
        await self._write(f"contacts/{contact}/contact_inboxes", {**self._in_inbox, "source_id": source_id})

    async def conversations_of(self, contact: int) -> list[Json]:
        """A contact's conversations in this inbox, the latest first."""
        answer = await self._read(f"contacts/{contact}/conversations")
        return [row for row in answer["payload"] if row["inbox_id"] == self.inbox.inbox]

    async def add_conversation(self, contact: int, source_id: str, client: str) -> Json:
        """A new conversation."""
        whose = {"source_id": source_id, "contact_id": contact, "custom_attributes": {"client": client}}
        return await self._write("conversations", {**self._in_inbox, **whose})

    async def conversation(self, number: int) -> Json:
        """A conversation."""
        return await self._read(f"conversations/{number}")

    async def changed_within(self, seconds: int) -> list[Json]:
        """All conversations of the inbox that changed within some seconds."""
        query = {"inbox_id": self.inbox.inbox, "status": "all", "updated_within": seconds}
        answer = await self._read(f"conversations?{urlencode(query)}")
        return list(answer["data"]["payload"])

    async def messages(self, number: int, after: int | None) -> list[Json]:
        """A conversation's messages with greater ids, at most PAGE, ascending; None: its newest 20."""
        query = "" if after is None else f"?after={after}"
        return list((await self._read(f"conversations/{number}/messages{query}"))["payload"])

    async def write(self, number: int, message: NewMessage) -> int:
        """Writes a message; returns its id."""
        fields: Json = {
            "content": message.content,
            "message_type": message.kind,
            "private": message.private,
            "source_id": message.source_id,
            **({"sender_type": "AgentBot", "sender_id": message.bot} if message.bot is not None else {}),
        }
        if message.written_at is not None:
            fields["content_attributes"] = {"external_created_at": message.written_at}
        path = f"conversations/{number}/messages"
        if not message.files:
            return int((await self._write(path, fields))["id"])
        return int((await self._upload(path, fields, message.files))["id"])

    async def set_message_status(self, number: int, message: int, status: str, error: str | None = None) -> None:
        """Sets the delivery status of a message: delivered, read or failed. Again without effect."""
        fields = {"status": status, **({"external_error": error} if error else {})}
        await self._again(f"conversations/{number}/messages/{message}", fields, "PATCH")

    async def set_status(self, number: int, status: Status) -> None:
        """Sets a conversation's status. Again without effect."""
        await self._again(f"conversations/{number}/toggle_status", {"status": status})

    async def unassign(self, number: int) -> None:
        """Leaves a conversation to the agent who takes it. Again without effect."""
        await self._again(f"conversations/{number}/assignments", {"assignee_id": None})

    async def delete_conversation(self, number: int) -> None:
        """Deletes a conversation, for an administrator's token. Raises KeyRefused for an agent's."""
        await self._delete(f"conversations/{number}")

    async def has_conversations(self, contact: int) -> bool:
        """Whether a contact has a conversation in any inbox of the account."""
        return bool((await self._read(f"contacts/{contact}/conversations"))["payload"])

    async def delete_contact(self, contact: int) -> None:
        """Deletes a contact, for an administrator's token. Chatwoot refuses it while the contact is online."""
        await self._delete(f"contacts/{contact}")

    async def delete_message(self, number: int, message: int) -> None:
        """Deletes what a message says, and its files; Chatwoot keeps that there was one."""
        await self._delete(f"conversations/{number}/messages/{message}")

    async def make_nameless(self, contact: int) -> None:
        """Removes name, number, address and identifier of a contact. Again without effect."""
        nobody = {"name": "—", "phone_number": None, "email": None, "identifier": None}
        await self._again(f"contacts/{contact}", nobody, "PATCH")

    async def fetch(self, data_url: str, limit: int) -> bytes:
        """The bytes of an attachment, at most `limit`. Without the token: the address is
        the secret. What is not there yet is NotYet: Chatwoot stores it after the message."""
        outgoing = Outgoing(self._reachable(data_url), headers={"Accept-Encoding": "identity"})
        try:
            async with (
                asyncio.timeout(UPLOAD_SECONDS),
                self.http.request(outgoing, redirects=MAX_REDIRECTS) as response,
            ):
                if response.status != 200:
                    raise NotYet(f"Chatwoot did not give the file ({response.status}).")
                return await _bounded(response, limit)
        except TimeoutError as error:
            raise TemporaryError("Chatwoot did not give the file in time.") from error
        except NotCalled as refused:
            raise PermanentError(f"The file's URL {refused}.") from refused
        except aiohttp.ClientError as error:
            raise TemporaryError(f"The connection for the file broke ({type(error).__name__}).") from error

    def _reachable(self, data_url: str) -> str:
        """The address of a file; of Chatwoot's own at the address by which the manifest reaches it, since FRONTEND_URL
        may be another."""
        try:
            given = URL(data_url)
        except ValueError as error:
            raise PermanentError("The file's URL cannot be read.") from error
        if not given.path.startswith(_STORED):
            return data_url
        return str(URL(self.inbox.url).origin().join(URL(given.raw_path_qs, encoded=True)))

    @property
    def _in_inbox(self) -> Json:
        return {"inbox_id": self.inbox.inbox}

    async def _read(self, path: str) -> Json:
        return await self._call("GET", self._url(path))

    async def _read_by_post(self, path: str, fields: Json) -> Json:
        return await self._call("POST", self._url(path), json.dumps(fields).encode())

    async def _again(self, path: str, fields: Json, method: str = "POST") -> None:
        """A write that may be repeated."""
        await self._call(method, self._url(path), json.dumps(fields).encode())

    async def _delete(self, path: str) -> None:
        """Deletes something; what is not there counts as deleted."""
        with suppress(NotAtDesk):
            await self._call("DELETE", self._url(path))

    async def _write(self, path: str, fields: Json) -> Json:
        return await self._once("POST", self._url(path), json.dumps(fields).encode(), repeatable=False)

    async def _upload(self, path: str, fields: Json, files: Sequence[DeskFile]) -> Json:
        with aiohttp.MultipartWriter("form-data") as form:
            for name, value in fields.items():
                text = value if isinstance(value, str) else json.dumps(value)
                form.append(text).set_content_disposition("form-data", name=name)
            for file in files:
                part = form.append(file.content, {"Content-Type": file.content_type})
                part.set_content_disposition("form-data", name="attachments[]", filename=file.name)
            body = await form.as_bytes()
        return await self._once(
            "POST", self._url(path), body, form.content_type, seconds=UPLOAD_SECONDS, repeatable=False
        )

    def _url(self, path: str) -> str:
        return f"{self.inbox.url.rstrip('/')}/api/v1/accounts/{self.inbox.account}/{quote(path, safe='/?=&%+')}"

    async def _call(self, method: str, url: str, body: bytes | None = None) -> Json:
        """A call that may be repeated, and is after a failure that may pass."""
        for pause in RETRY_PAUSES:
            try:
                return await self._once(method, url, body)
            except TemporaryError as error:
                if isinstance(error.__cause__, TimeoutError) or (error.delay or 0.0) > RETRY_PAUSES[-1]:
                    raise
                await asyncio.sleep(max(pause, error.delay or 0.0) * spread())
        return await self._once(method, url, body)

    async def _once(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        content_type: str = "application/json",
        *,
        seconds: float = CALL_SECONDS,
        repeatable: bool = True,
    ) -> Json:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        credentials = {"api_access_token": self.inbox.token}
        typed = {"Content-Type": content_type} if body is not None else {}
        outgoing = Outgoing(url, method, headers | typed, credentials, body)
        lost: type[ProviderError] = TemporaryError if repeatable else UnknownOutcome
        try:
            async with asyncio.timeout(seconds), self.http.request(outgoing) as response:
                content = await _bounded(response, MAX_ANSWER_BYTES)
                _check(response.status, response.headers, content, repeatable=repeatable)
        except TimeoutError as error:
            raise lost(f"Chatwoot did not answer within {seconds:g} seconds.") from error
        except NotCalled as refused:
            raise PermanentError(f"handoff.desk.chatwoot.url {refused}; see handoff.desk.allow_private.") from refused
        except aiohttp.ClientConnectorError as error:
            raise TemporaryError("Chatwoot cannot be reached.") from error
        except aiohttp.ClientError as error:
            raise lost(f"The connection to Chatwoot broke ({type(error).__name__}).") from error
        return _document(content)


def _check(status: int, headers: Mapping[str, str], content: bytes, *, repeatable: bool) -> None:
    """Raises the error of an answer that is not a success."""
    if 200 <= status < 300:
        return
    said = _sentence(content)
    if status in (401, 403):
        raise KeyRefused(_HINT)
    if status == 404:
        raise NotAtDesk(f"Chatwoot does not have it (404): {said}")
    if status == 422:
        raise DeskRefused(f"Chatwoot refused it (422): {said}")
    if status == 500 and not repeatable:
        raise FailedAtDesk(f"Chatwoot failed (500): {said}")
    provider = Provider("Chatwoot", _HINT, repeatable)
    delay = retry_after_seconds(headers, LONGEST_WAIT)
    raise error_of_status(provider, status, code="", said=said, delay=delay)


def _sentence(content: bytes) -> str:
    """What an error says, short."""
    try:
        document = json.loads(content)
        text = str(document.get("error") or document.get("message") or "")
    except (ValueError, AttributeError, RecursionError):
        text = content.decode("utf-8", "replace")
    return text[:200] or "no reason"


def _document(content: bytes) -> Json:
    try:
        document = json.loads(content) if content else {}
    except (ValueError, RecursionError) as error:
        raise PermanentError("Chatwoot answered with what is not JSON; is handoff.desk.chatwoot.url right?") from error
    return document if isinstance(document, dict) else {}


async def _bounded(response: aiohttp.ClientResponse, limit: int) -> bytes:
    content = bytearray()
    async for chunk in response.content.iter_any():
        content += chunk
        if len(content) > limit:
            raise PermanentError(f"Chatwoot's answer has more than {limit} bytes.")
    return bytes(content)
