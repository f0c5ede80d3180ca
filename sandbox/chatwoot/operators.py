"""People at the desk: POST /_sandbox/desk/… opens an inbox, writes as an operator, and changes a conversation's status.

The same on Chatwoot's port and on Twilio's, since a phone knows one address only.
"""

from base64 import b64decode
from binascii import Error as Base64Error

from aiohttp import web

from sandbox.chatwoot.conversations import DeskConversations
from sandbox.chatwoot.inboxes import DeskInboxes
from sandbox.chatwoot.messages import DeskMessages
from sandbox.chatwoot.shapes import CONTACTS, CONVERSATIONS, INBOXES, message_json, messages_table
from sandbox.chatwoot.wire import ACCOUNTS, NAME, USERS, next_number
from sandbox.control import body_of, refuse
from sandbox.errors import InputError, ProviderRefusal
from sandbox.middleware import answer
from sandbox.openai.multipart import Part
from sandbox.state import State
from sandbox.storage import Json

_STATUSES = ("open", "resolved", "pending", "snoozed")


class Operators:
    """Handlers of /_sandbox/desk."""

    def __init__(
        self, state: State, inboxes: DeskInboxes, conversations: DeskConversations, messages: DeskMessages
    ) -> None:
        self._state = state
        self._inboxes = inboxes
        self._conversations = conversations
        self._messages = messages

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/_sandbox/desk/inboxes", self.open_inbox),
            web.get("/_sandbox/desk/conversations", self.conversations),
            web.post("/_sandbox/desk/messages", self.write),
            web.post("/_sandbox/desk/status", self.set_status),
        ]

    async def open_inbox(self, request: web.Request) -> web.Response:
        """An inbox of the type API, set up as the guide says, in an account with a bridge user, an administrator, an
        operator and a bot; with `inbox`, changes of that one. Where the desk listens is in `url`."""
        fields = await _fields(request)
        account = int(fields.get("account", 1))
        people = self._people(account)
        row = self._state.storage.get(INBOXES, str(fields.get("inbox")))
        if row is None:
            row = self._inboxes.open(account, str(fields.get("name", "WhatsApp")), "")
            bot = self._inboxes.open_bot(account, "Asistente") if fields.get("bot", True) else None
            row = {**row, "lock_to_single_conversation": True, "_bot": bot["id"] if bot else None}
        row = {**row, **{key: fields[key] for key in fields.keys() & row.keys()}}
        row["_secret"] = str(fields.get("secret", row["_secret"]))
        self._state.storage.put(INBOXES, str(row["id"]), row)
        tokens = {"token": people["bridge"]["_token"], "admin_token": people["administrator"]["_token"]}
        url = str(request.url.origin().with_port(self._state.desk_port or request.url.port))
        shown = {"account": account, "inbox": row["id"], "secret": row["_secret"], "bot": row["_bot"]}
        return answer({"url": url, **shown, **tokens, "operator": people["operator"]["id"]}, 201)

    def _people(self, account: int) -> dict[str, Json]:
        storage = self._state.storage
        if storage.get(ACCOUNTS, str(account)) is None:
            storage.put(ACCOUNTS, str(account), {"id": account, "name": f"Agencia {account}"})
            for part, name, role in (
                ("administrator", "Horizon", "administrator"),
                ("bridge", "Puente", "agent"),
                ("operator", "Carla", "agent"),
            ):
                number = next_number(self._state, "users")
                token = None if part == "operator" else f"desk-{part}-{account}"
                row = {"id": number, "account_id": account, "name": name, "email": f"{part}{account}@horizon.test"}
                storage.put(USERS, str(number), {**row, "role": role, "_token": token, "_part": part})
        return {row["_part"]: row for row in storage.values(USERS) if row["account_id"] == account}

    async def conversations(self, request: web.Request) -> web.Response:
        """All conversations, or one account's, each with all its messages."""
        account = request.query.get("account")
        rows = [row for row in self._state.storage.values(CONVERSATIONS) if account in (None, str(row["account_id"]))]
        return answer({"conversations": [self._shown(row) for row in rows]})

    def _shown(self, row: Json) -> Json:
        contact = self._state.storage.rows(CONTACTS)[str(row["_contact"])]
        messages = self._state.storage.values(messages_table(row["account_id"], row["id"]))
        kept = {key: row[key] for key in ("id", "account_id", "inbox_id", "status", "labels", "custom_attributes")}
        shown = [{**message_json(self._state, item), "message_type": item["message_type"]} for item in messages]
        return {**kept, "contact": contact, "assignee": row["_assignee"], "messages": shown}

    async def write(self, request: web.Request) -> web.Response:
        """An operator writes: `content`, `attachments` of {filename, content_type, base64}, `private`; where, see
        `_found`."""
        try:
            fields = await _fields(request)
            row, files = self._found(fields), [_part(item) for item in fields.get("attachments", [])]
        except InputError as error:
            return refuse(400, str(error))
        sender = ["user", int(fields["user"])] if "user" in fields else ["user", self._operator(row)]
        named = {key: fields[key] for key in fields.keys() & {"content", "private", "message_type", "content_type"}}
        origin = str(request.url.origin().with_port(self._state.desk_port or request.url.port))
        try:
            message = self._messages.add(row, named, files, sender, origin)
        except ProviderRefusal as refusal:
            return answer(refusal.body, refusal.status)
        self._state.ledger.append(
            "desk", NAME, account=row["account_id"], conversation=row["id"], message=message["id"], **named
        )
        return answer(message_json(self._state, message), 201)

    async def set_status(self, request: web.Request) -> web.Response:
        """An operator opens, resolves or snoozes a conversation, or gives it back to the bot (`pending`)."""
        try:
            fields = await _fields(request)
            row = self._found(fields)
        except InputError as error:
            return refuse(400, str(error))
        if fields.get("status") not in _STATUSES:
            return refuse(400, f"status is one of {', '.join(_STATUSES)}, not {fields.get('status')!r}")
        row = self._conversations.set_status(row, fields["status"])
        self._state.ledger.append("desk", NAME, account=row["account_id"], conversation=row["id"], status=row["status"])
        return answer({"status": row["status"]})

    def _found(self, fields: Json) -> Json:
        """The conversation `conversation` of `account` (1 without it), or the last one with the phone number `to`."""
        account, number, phone = int(fields.get("account", 1)), fields.get("conversation"), fields.get("to")
        rows = [row for row in self._state.storage.values(CONVERSATIONS) if row["account_id"] == account]
        if number is not None:
            rows = [row for row in rows if row["id"] == number]
        else:
            contacts = self._state.storage.rows(CONTACTS)
            rows = [row for row in rows if contacts[str(row["_contact"])]["phone_number"] == phone]
        if not rows:
            raise InputError(f"the desk has no conversation {number or phone} in account {account}")
        return rows[-1]

    def _operator(self, row: Json) -> int:
        return int(self._people(row["account_id"])["operator"]["id"])


async def _fields(request: web.Request) -> Json:
    return await body_of(request)


def _part(item: Json) -> Part:
    try:
        content = b64decode(str(item.get("base64", "")), validate=True)
    except Base64Error as error:
        raise InputError(f"'base64' of an attachment cannot be decoded: {error}") from None
    return Part("attachments[]", str(item.get("filename", "file")), content, str(item.get("content_type", "")))
