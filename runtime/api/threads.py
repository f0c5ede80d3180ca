"""/conversations/: what was said, who answers, who waits. Reading is recorded in the audit."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import asdict, dataclass
from typing import TypeVar, cast, get_args

from runtime.api.auth import Caller
from runtime.api.endpoint import TIMESTAMP, ApiEndpoint, Call, whole_number
from runtime.api.errors import ApiError
from runtime.delivery.operators import BotDeleted, HumanOperators
from runtime.store.database.database import Database
from runtime.store.errors import ConversationTaken, NoConversation, PersonBlocked, WindowClosed
from runtime.store.messages import threads
from runtime.store.messages.conversations import ConversationState
from runtime.store.messages.threads import ConversationSummary, Thread
from runtime.twilio.accounts import AccountError

LIST_QUERY = {
    "client": "Only this client's.",
    "state": "Only those in this state: assistant, human, closed.",
    "waiting": "`true`: only those that people have and have not answered.",
    "unread": "`true`: only those with a message that no person has read.",
    "limit": "Page size, from 1 to 1000; 100 without it.",
    "after": "`newest` of the last one of the previous page.",
}
SHOW_QUERY = {
    "limit": "Number of messages, the newest ones, from 1 to 1000; 100 without it.",
    "before": "Only messages before this timestamp, of the page before: its first message's.",
}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ConversationDocument:
    """A conversation in a list; `window_until`: until when WhatsApp delivers free text to its user, null where it has
    refused that since they last wrote."""

    id: int
    bot_id: str
    client: str
    user: str
    name: str | None
    state: ConversationState
    since: str | None
    by: str | None
    reason: str | None
    until: str | None
    operator: str | None
    operator_at: str | None
    summary: str | None
    consent: str | None
    last_inbound: str | None
    is_waiting: bool
    unread: int
    newest: int
    blocked_at: str | None
    window_refused_at: str | None
    window_until: str | None


class ConversationThreads:
    """Handlers of /conversations/ and /conversations/{id}."""

    def __init__(self, database: Database, operators: HumanOperators) -> None:
        self._database = database
        self._operators = operators

    def endpoints(self) -> list[ApiEndpoint]:
        """The endpoints served."""
        return [
            ApiEndpoint(
                "GET",
                "/conversations/",
                "List conversations, the newest message first. Recorded in the audit.",
                self.index,
                answer=list[ConversationDocument],
                query=LIST_QUERY,
                needs="messages",
                is_per_client=True,
            ),
            ApiEndpoint(
                "GET",
                "/conversations/{id}",
                "A conversation: its messages with their delivery, transcripts, calls of functions, notes, and what "
                "they cost. It counts as read then. Recorded in the audit.",
                self.show,
                answer=Thread,
                query=SHOW_QUERY,
                needs="messages",
                is_per_client=True,
            ),
        ]

    async def index(self, call: Call) -> object:
        """GET /conversations/"""
        state = _one_of(call, "state", get_args(ConversationState))
        limit = whole_number(call.query.get("limit", "100"), "limit", 1, 1000)
        after = call.query.get("after")
        found = await self._database.read_traced(
            threads.listed_by,
            call.caller.actor,
            clients=_clients(call),
            state=cast("ConversationState | None", state),
            waiting=flag(call, "waiting"),
            unread=flag(call, "unread"),
            before=threads.LAST if after is None else whole_number(after, "after"),
            limit=limit,
        )
        return [_document(conversation) for conversation in found]

    async def show(self, call: Call) -> object:
        """GET /conversations/{id}"""
        before = call.query.get("before", "9999")
        if before != "9999" and TIMESTAMP.fullmatch(before) is None:
            raise ApiError(400, "invalid_field", "before must be a timestamp of a message.", field="before")
        limit = whole_number(call.query.get("limit", "100"), "limit", 1, 1000)
        conversation = await conversation_of(self._operators, call)
        actor = call.caller.actor
        thread = await self._database.read_traced(threads.read_by, actor, conversation.id, limit=limit, before=before)
        if thread is None:
            raise none(str(conversation.id))
        return {**asdict(thread), "conversation": _document(thread.conversation)}


async def conversation_of(operators: HumanOperators, call: Call, *, writes: bool = False) -> ConversationSummary:
    """The conversation that a path names; raises 403 without the scopes, 404 where the caller is bound to other
    clients."""
    call.caller.require("messages")
    if writes:
        call.caller.require("write")
    conversation = await answered(operators.conversation(whole_number(call.path["id"], "id")))
    if call.caller.clients is not None and conversation.client not in call.caller.clients:
        raise none(call.path["id"])
    return conversation


def flag(call: Call, name: str) -> bool:
    return _one_of(call, name, ("true", "false")) == "true"


def _one_of(call: Call, name: str, values: Sequence[str]) -> str | None:
    value = call.query.get(name)
    if value is not None and value not in values:
        message = f"{name} must be one of {', '.join(values)}, not {value!r}."
        raise ApiError(400, "invalid_field", message, field=name)
    return value


async def answered(work: Awaitable[T]) -> T:
    """The result, or the API's error for it."""
    try:
        return await work
    except NoConversation as error:
        raise ApiError(404, "not_found", str(error)) from error
    except ConversationTaken as error:
        raise ApiError(409, "taken", str(error)) from error
    except WindowClosed as error:
        raise ApiError(409, "window_closed", str(error)) from error
    except PersonBlocked as error:
        raise ApiError(409, "blocked", str(error)) from error
    except BotDeleted as error:
        raise ApiError(409, "bot_deleted", str(error)) from error
    except AccountError as error:
        raise ApiError(503, "not_configured", str(error)) from error


def _document(conversation: ConversationSummary) -> dict[str, object]:
    return {**asdict(conversation), "window_until": conversation.window_until}


def _clients(call: Call) -> Sequence[str] | None:
    """The clients that are asked for, as far as the caller reaches them; None: all."""
    wanted, reached = call.query.get("client"), call.caller.clients
    if wanted is None:
        return None if reached is None else sorted(reached)
    return [wanted] if _reaches(call.caller, wanted) else []


def _reaches(caller: Caller, client: str) -> bool:
    return caller.clients is None or client in caller.clients


def none(conversation_id: str) -> ApiError:
    """The error for a conversation that the caller does not reach."""
    return ApiError(404, "not_found", f"There is no conversation {conversation_id}; see GET /conversations/.")
