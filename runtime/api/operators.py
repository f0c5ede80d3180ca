"""/conversations/{id}/…: people take a conversation, answer in it, give it back, close it, and note something."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.api.endpoint import ApiEndpoint, Call
from runtime.api.errors import ApiError
from runtime.api.files import hash_of
from runtime.api.models import NoteBody, ReplyBody
from runtime.api.threads import answered, conversation_of, flag
from runtime.api.uploads import received
from runtime.delivery.file_links import path_of_file
from runtime.delivery.operators import HumanOperators
from runtime.store import files
from runtime.store.audit import Entry, audited
from runtime.store.database.database import Database
from runtime.store.messages import operators, reply_files
from runtime.store.messages.outbound_content import OutboundContent, OutboundMedia, OutboundText
from schemas.media_types import BY_SUFFIX, MediaType, type_of_name

FORCE = {"force": "`true` takes it from another person who has it."}
NAME = {"name": "The file's name, as the user sees it, with the ending of its type."}


@dataclass(frozen=True, slots=True)
class ReplyDocument:
    """A reply that is sent in the order of its conversation; its state is in the conversation."""

    id: int
    state: str


@dataclass(frozen=True, slots=True)
class ReleasedDocument:
    """A conversation that was given back: the number of turns that the assistant answers now."""

    answered_turns: int


class OperatorActions:
    """Handlers of what people do in /conversations/{id}."""

    def __init__(self, database: Database, operators: HumanOperators) -> None:
        self._database = database
        self._operators = operators

    def endpoints(self) -> list[ApiEndpoint]:
        """The endpoints served."""
        one, both = "/conversations/{id}", " Needs the scopes `messages` and `write`."
        taken = " 409 with who has it, where another person does."
        return [
            ApiEndpoint(
                "POST",
                f"{one}/messages",
                "Answer as a person; takes the conversation where no person has it."
                + taken
                + " 409 outside the 24-hour"
                " window." + both,
                self.reply,
                status=202,
                body=ReplyBody,
                answer=ReplyDocument,
                query=FORCE,
                is_per_client=True,
            ),
            ApiEndpoint(
                "PUT",
                f"{one}/files/{{sha256}}",
                "Store a file that a reply may send, for 24 hours: PDF, DOCX, XLSX or PPTX up to 16 MB, JPEG or PNG"
                " up to 5 MB." + both,
                self.put_file,
                status=204,
                query=NAME,
                takes_bytes=True,
                is_per_client=True,
            ),
            ApiEndpoint(
                "POST",
                f"{one}/take",
                "Take it: the assistant is silent." + taken + both,
                self.take,
                status=204,
                query=FORCE,
                is_per_client=True,
            ),
            ApiEndpoint(
                "POST",
                f"{one}/release",
                "Give it back to the assistant, which answers what no person has." + taken + both,
                self.release,
                answer=ReleasedDocument,
                query=FORCE,
                is_per_client=True,
            ),
            ApiEndpoint(
                "POST",
                f"{one}/close",
                "Close it: the assistant answers when the user writes again." + taken + both,
                self.close,
                status=204,
                query=FORCE,
                is_per_client=True,
            ),
            ApiEndpoint(
                "POST",
                f"{one}/notes",
                "Note something for other people." + both,
                self.note,
                status=201,
                body=NoteBody,
                answer=dict[str, int],
                is_per_client=True,
            ),
        ]

    async def reply(self, call: Call) -> object:
        """POST /conversations/{id}/messages"""
        conversation = await conversation_of(self._operators, call, writes=True)
        content = await self._content(call.body, conversation.id)
        row = await answered(
            self._operators.reply(conversation.id, call.caller.actor, content, force=flag(call, "force"))
        )
        return {"id": row.id, "state": row.state}

    async def put_file(self, call: Call) -> object:
        """PUT /conversations/{id}/files/{sha256}"""
        conversation = await conversation_of(self._operators, call, writes=True)
        name = call.query.get("name", "")
        kind = _checked_name(name)

        def check(head: bytes) -> None:
            if not kind.is_type_of(head):
                message = f"The file's content is not what its name says: {name} is not {kind.content_type}."
                raise ApiError(415, "unsupported_media_type", message, field="name")

        file = await received(self._database, call.request, hash_of(call), check)
        if file.size > kind.max_bytes:
            await self._database.write(files.discard, file.upload)
            raise ApiError(413, "too_large", f"WhatsApp takes at most {kind.max_bytes // 1_000_000} MB of such a file.")
        entry = Entry("stored", "file", file.sha256, conversation.client, [conversation.id])
        finish = self._database.write(audited, call.caller.actor, entry, reply_files.finish, file, conversation.id)
        await answered(finish)
        return None

    async def take(self, call: Call) -> object:
        """POST /conversations/{id}/take"""
        conversation = await conversation_of(self._operators, call, writes=True)
        await answered(self._operators.take(conversation.id, call.caller.actor, force=flag(call, "force")))
        return None

    async def release(self, call: Call) -> object:
        """POST /conversations/{id}/release"""
        conversation = await conversation_of(self._operators, call, writes=True)
        turns = await answered(self._operators.release(conversation.id, call.caller.actor, force=flag(call, "force")))
        return {"answered_turns": turns}

    async def close(self, call: Call) -> object:
        """POST /conversations/{id}/close"""
        conversation = await conversation_of(self._operators, call, writes=True)
        await answered(self._operators.close(conversation.id, call.caller.actor, force=flag(call, "force")))
        return None

    async def note(self, call: Call) -> object:
        """POST /conversations/{id}/notes"""
        conversation = await conversation_of(self._operators, call, writes=True)
        note = self._database.write(operators.add_note, conversation.id, call.caller.actor, call.body.text)
        return {"id": await answered(note)}

    async def _content(self, body: ReplyBody, conversation_id: int) -> OutboundContent:
        if body.file is None:
            return OutboundText(body.text)
        kind = _checked_name(body.file.name)
        if not await self._database.read(reply_files.is_there, body.file.sha256, conversation_id):
            message = f"There is no such file; send it first: PUT /conversations/{conversation_id}/files/{{sha256}}."
            raise ApiError(400, "no_file", message, field="file")
        if body.text and not kind.is_image:
            message = "WhatsApp shows no text with a document; send the text as a message of its own."
            raise ApiError(400, "invalid_field", message, field="text")
        return OutboundMedia(path_of_file(body.file.sha256, body.file.name), body.text)


def _checked_name(name: str) -> MediaType:
    kind = type_of_name(name)
    if kind is None or "/" in name or not 1 <= len(name) <= 200:
        message = f"name must be a file's name that ends in {', '.join(sorted(BY_SUFFIX))}."
        raise ApiError(415, "unsupported_media_type", message, field="name")
    return kind
