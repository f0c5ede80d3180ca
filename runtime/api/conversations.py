"""/conversations/{id}: what a conversation holds, for people who read it. Reading is recorded in the audit."""

from __future__ import annotations

from aiohttp import web

from runtime.api.endpoint import ApiEndpoint, Call, Send, whole_number
from runtime.api.errors import ApiError
from runtime.errors import PermanentError, TemporaryError
from runtime.media.fetching import NotThere
from runtime.media.showing import MOST_FILES, FileDeleted, FilesOfUsers, NoSuchFile
from runtime.twilio.accounts import AccountError, FormerAccount

QUERY = {"file": "Which of the message's files, from 0; WhatsApp's messages have one."}


class ConversationFiles:
    """Handler of /conversations/{id}/media/{n}."""

    def __init__(self, files: FilesOfUsers) -> None:
        self._files = files

    def endpoints(self) -> list[ApiEndpoint]:
        """The endpoints served."""
        return [
            ApiEndpoint(
                "GET",
                "/conversations/{id}/media/{n}",
                "A file that a user sent, from Twilio, with the type of its bytes; `n` is the message's id. Recorded "
                "in the audit. 410 when it was deleted (`deleted`: as data.retention.media says), or Twilio no longer "
                "has it (`gone`).",
                self.media,
                needs="messages",
                query=QUERY,
                is_per_client=True,
                content_type="application/octet-stream",
            )
        ]

    async def media(self, call: Call) -> Send:
        """GET /conversations/{id}/media/{n}"""
        conversation_id, inbox_id = whole_number(call.path["id"], "id"), whole_number(call.path["n"], "n")
        index = whole_number(call.query.get("file", "0"), "file", 0, MOST_FILES - 1)
        try:
            found = await self._files.find(conversation_id, inbox_id, index, call.caller.actor, call.caller.clients)
        except NoSuchFile as error:
            raise ApiError(404, "not_found", str(error)) from error
        except FileDeleted as error:
            raise ApiError(410, "deleted", str(error)) from error
        except FormerAccount as error:
            raise ApiError(410, "gone", str(error)) from error
        except AccountError as error:
            raise ApiError(503, "not_configured", str(error)) from error

        async def send(request: web.Request) -> web.StreamResponse:
            try:
                return await self._files.send(found, request)
            except NotThere as error:
                raise ApiError(410, "gone", str(error)) from error
            except (PermanentError, TemporaryError) as error:
                raise ApiError(502, "not_fetched", str(error)) from error

        return send
