"""Conversations: who waits, what was said, and what people do in them: take, answer, note, give back, close.

Everything is read and done by the functions that the API and the commands use, under the operator's address of mail.
"""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial
from typing import Final, TypeVar

from aiohttp import web

from runtime.console.conversation_list import ConversationList
from runtime.console.conversation_values import MESSAGES, AskedThread, list_values, thread_values
from runtime.console.page import Declined, OpenPage, OperatorPage, OperatorVisit, PageRead, not_here, redirect
from runtime.console.paging import CONVERSATIONS, address_of, conversation_of, id_of, kept_query
from runtime.console.words import Sentence
from runtime.delivery.operators import BotDeleted, HumanOperators
from runtime.delivery.splitting import MESSAGE_LIMIT
from runtime.errors import PermanentError, TemporaryError
from runtime.media.fetching import NotThere
from runtime.media.showing import FileDeleted, FilesOfUsers, NoSuchFile
from runtime.store.console import accounts, conversation_pages
from runtime.store.database.database import Database
from runtime.store.errors import ConversationTaken, NoConversation, PersonBlocked, RecordDamaged, WindowClosed
from runtime.store.messages import operators
from runtime.store.messages.outbound_content import OutboundText
from runtime.store.messages.threads import ConversationSummary
from runtime.text import is_blank
from runtime.twilio.accounts import AccountError, FormerAccount

NEWEST: Final = "9999"
"""After every timestamp."""
NOTE_LIMIT: Final = 4_000
EMPTY: Final = Sentence("Escribe algo antes de enviar.")
TOO_LONG: Final = Sentence("Un mensaje puede tener %(most)s caracteres.", {"most": MESSAGE_LIMIT})
NOTE_TOO_LONG: Final = Sentence("Una nota puede tener %(most)s caracteres.", {"most": NOTE_LIMIT})
WINDOW_CLOSED: Final = Sentence(
    "No se envió: pasaron más de 24 horas desde su último mensaje y WhatsApp solo admite una plantilla. Se puede "
    "escribir de nuevo cuando la persona escriba."
)
BLOCKED: Final = Sentence("No se envió: esta persona está bloqueada.")
BOT_DELETED: Final = Sentence("El número de esta conversación ya no existe; no hay desde dónde enviar.")
NO_ACCOUNT: Final = Sentence("No se envió: falta la clave de Twilio de este cliente. Avisa a quien administra.")
FILE_DELETED: Final = Sentence("El archivo ya no está en Twilio, y no hay otra copia.")
NOT_FETCHED: Final = Sentence("Twilio no entregó el archivo. Prueba de nuevo en unos segundos.")
T = TypeVar("T")


class ConversationPages:
    """Handlers of /console/conversations."""

    def __init__(self, database: Database, people: HumanOperators, files: FilesOfUsers, timezone: str) -> None:
        self._database = database
        self._people = people
        self._files = files
        self._timezone = timezone
        self._list = ConversationList(timezone)

    def pages(self) -> list[OperatorPage | OpenPage]:
        """The pages served."""
        one = f"{CONVERSATIONS}/{{id}}"
        return [
            OperatorPage("GET", CONVERSATIONS, self.index),
            OperatorPage("GET", one, self.show),
            OperatorPage("GET", f"{one}/media/{{message}}/{{file}}", self.media),
            OperatorPage("POST", f"{one}/take", self.take, needs="answer"),
            OperatorPage("POST", f"{one}/reply", self.reply, needs="answer"),
            OperatorPage("POST", f"{one}/note", self.note, needs="answer"),
            OperatorPage("POST", f"{one}/release", self.release, needs="answer"),
            OperatorPage("POST", f"{one}/close", self.close, needs="answer"),
        ]

    async def index(self, visit: OperatorVisit) -> web.StreamResponse:
        """GET /console/conversations"""
        live = None if visit.query("after") else {"id": 0, "page": visit.request.path_qs, "seen": None}
        asked = self._list.asked(visit)
        read = PageRead(
            partial(conversation_pages.listed, actor=visit.actor, query=asked.query), partial(list_values, asked=asked)
        )
        return visit.page("conversations.html", read=read, thread=None, live=live)

    async def show(self, visit: OperatorVisit) -> web.StreamResponse:
        """GET /console/conversations/{id}"""
        return await self._thread(visit, await self._conversation(visit))

    async def media(self, visit: OperatorVisit) -> web.StreamResponse:
        """GET /console/conversations/{id}/media/{message}/{file}: a file that the user sent."""
        conversation = await self._conversation(visit)
        message, file = id_of(visit, "message"), id_of(visit, "file")
        clients = None if visit.clients is None else frozenset(visit.clients)
        try:
            found = await self._files.find(conversation.id, message, file, visit.actor, clients)
            return await self._files.send(found, visit.request)
        except NoSuchFile as error:
            raise not_here() from error
        except (FileDeleted, FormerAccount, NotThere) as error:
            raise Declined(410, FILE_DELETED) from error
        except AccountError as error:
            raise Declined(503, NO_ACCOUNT) from error
        except (PermanentError, TemporaryError) as error:
            raise Declined(502, NOT_FETCHED) from error

    async def take(self, visit: OperatorVisit) -> web.StreamResponse:
        """POST /console/conversations/{id}/take"""
        conversation = await self._conversation(visit)
        return await self._done(
            visit, conversation, self._people.take(conversation.id, visit.actor, force=_forced(visit))
        )

    async def release(self, visit: OperatorVisit) -> web.StreamResponse:
        """POST /console/conversations/{id}/release"""
        conversation = await self._conversation(visit)
        return await self._done(
            visit, conversation, self._people.release(conversation.id, visit.actor, force=_forced(visit))
        )

    async def close(self, visit: OperatorVisit) -> web.StreamResponse:
        """POST /console/conversations/{id}/close"""
        conversation = await self._conversation(visit)
        return await self._done(
            visit, conversation, self._people.close(conversation.id, visit.actor, force=_forced(visit))
        )

    async def reply(self, visit: OperatorVisit) -> web.StreamResponse:
        """POST /console/conversations/{id}/reply"""
        conversation, text = await self._conversation(visit), _written(visit)
        problem = EMPTY if is_blank(text) else TOO_LONG if len(text) > MESSAGE_LIMIT else None
        if problem is not None:
            return await self._thread(visit, conversation, problem, draft=text, status=400)
        sent = self._people.reply(conversation.id, visit.actor, OutboundText(text), force=_forced(visit))
        return await self._done(visit, conversation, sent, draft=text)

    async def note(self, visit: OperatorVisit) -> web.StreamResponse:
        """POST /console/conversations/{id}/note"""
        conversation, text = await self._conversation(visit), _written(visit)
        problem = EMPTY if is_blank(text) else NOTE_TOO_LONG if len(text) > NOTE_LIMIT else None
        if problem is not None:
            return await self._thread(visit, conversation, problem, draft=text, status=400)
        noted = self._database.write(operators.add_note, conversation.id, visit.actor, text)
        return await self._done(visit, conversation, noted, draft=text)

    async def _conversation(self, visit: OperatorVisit) -> ConversationSummary:
        return await conversation_of(visit, self._people)

    async def _done(
        self, visit: OperatorVisit, conversation: ConversationSummary, work: Awaitable[T], draft: str = ""
    ) -> web.StreamResponse:
        """Shows the thread after an action, or why nothing was done, with what was written."""
        try:
            await work
        except NoConversation as error:
            raise not_here() from error
        except ConversationTaken as taken:
            names = await self._database.read(accounts.names)
            name = names.get(taken.operator, taken.operator)
            said = Sentence("%(name)s tiene esta conversación. Nada cambió.", {"name": name})
            return await self._thread(visit, conversation, said, draft=draft, status=409, is_taken=True)
        except WindowClosed:
            return await self._thread(visit, conversation, WINDOW_CLOSED, draft=draft, status=409)
        except PersonBlocked:
            return await self._thread(visit, conversation, BLOCKED, draft=draft, status=409)
        except BotDeleted:
            return await self._thread(visit, conversation, BOT_DELETED, draft=draft, status=409)
        except AccountError:
            return await self._thread(visit, conversation, NO_ACCOUNT, draft=draft, status=503)
        return redirect(address_of(visit, conversation.id))

    async def _thread(
        self,
        visit: OperatorVisit,
        conversation: ConversationSummary,
        problem: Sentence | None = None,
        *,
        draft: str = "",
        status: int = 200,
        is_taken: bool = False,
    ) -> web.Response:
        earlier = visit.query("earlier") or NEWEST
        asked = AskedThread(
            self._list.asked(visit),
            await self._zone(conversation.bot_id),
            earlier == NEWEST,
            address_of(visit, conversation.id),
        )
        operation = partial(
            conversation_pages.shown,
            actor=visit.actor,
            conversation_id=conversation.id,
            limit=MESSAGES,
            before=earlier,
            query=asked.beside.query,
        )
        return visit.page(
            "conversations.html",
            status,
            read=PageRead(operation, partial(thread_values, asked=asked)),
            problem=problem,
            draft=draft,
            is_taken=is_taken,
            kept=kept_query(visit),
        )

    async def _zone(self, bot_id: str) -> str:
        """The client's, where its bot can be read."""
        try:
            configuration = await self._people.catalog.configuration(bot_id)
        except RecordDamaged:
            return self._timezone
        return (configuration.timezone if configuration is not None else None) or self._timezone


def _forced(visit: OperatorVisit) -> bool:
    return visit.form.get("force") == "true"


def _written(visit: OperatorVisit) -> str:
    """What a form's text field has; browsers send line breaks as CR LF."""
    return visit.form.get("text", "").replace("\r\n", "\n").strip()
