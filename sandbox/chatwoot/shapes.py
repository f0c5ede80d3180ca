"""The JSON of Chatwoot's objects: as its REST API answers, and as its webhooks are, which differ.

In REST a message's type is a number and times are seconds since the epoch; in webhooks the type is a word and times are
ISO 8601, and a message has no status. Pure, but for reading the tables.
"""

from datetime import UTC, datetime

from sandbox.chatwoot.wire import ACCOUNTS, BOTS, USERS
from sandbox.state import State
from sandbox.storage import Json, public

INBOXES, CONTACTS, CONTACT_INBOXES, CONVERSATIONS = (
    "desk_inboxes",
    "desk_contacts",
    "desk_contact_inboxes",
    "desk_conversations",
)
TYPES = ("incoming", "outgoing", "activity", "template")
"""The types of a message, in the order of their numbers."""


def messages_table(account: int, conversation: int) -> str:
    """Where a conversation's messages are."""
    return f"desk_messages/{account}/{conversation}"


def conversation_key(account: int, conversation: int) -> str:
    return f"{account}/{conversation}"


def drop_conversation(state: State, row: Json) -> None:
    """Deletes a conversation with its messages and their files."""
    table = messages_table(row["account_id"], row["id"])
    for key, message in list(state.storage.rows(table).items()):
        drop_files(state, message)
        state.storage.delete(table, key)
    state.storage.delete(CONVERSATIONS, conversation_key(row["account_id"], row["id"]))


def drop_files(state: State, message: Json) -> None:
    """Deletes the files of a message."""
    for part in message["attachments"]:
        blob = str(part["data_url"]).rsplit("/", 2)[1]
        state.storage.delete("desk_blobs", blob)
        state.storage.blob(blob).unlink(missing_ok=True)


def account_json(state: State, account: int) -> Json:
    row = state.storage.get(ACCOUNTS, str(account)) or {"id": account, "name": ""}
    return {"id": row["id"], "name": row["name"]}


def user_json(row: Json) -> Json:
    return {"id": row["id"], "name": row["name"], "email": row["email"], "type": "user"}


def assignee_json(row: Json) -> Json:
    shown = {"available_name": row["name"], "avatar_url": "", "availability_status": "online", "thumbnail": ""}
    return {"id": row["id"], "name": row["name"], "type": "user", **shown}


def bot_json(row: Json, *, token: bool = False) -> Json:
    shown = {"id": row["id"], "name": row["name"], "description": "", "outgoing_url": row["outgoing_url"]}
    return {**shown, "bot_type": "webhook", **({"access_token": row["_token"]} if token else {})}


def inbox_json(row: Json, *, administrator: bool) -> Json:
    """Secrets are for administrators only."""
    shown = public(row)
    return {**shown, "hmac_token": row["_hmac_token"], "secret": row["_secret"]} if administrator else shown


def slim_inbox(row: Json) -> Json:
    kept = {name: row[name] for name in ("id", "channel_id", "name", "channel_type")}
    return {**kept, "avatar_url": "", "provider": None}


def contact_json(state: State, row: Json) -> Json:
    links = [link for link in state.storage.values(CONTACT_INBOXES) if link["contact_id"] == row["id"]]
    inboxes = [
        {"source_id": link["source_id"], "inbox": slim_inbox(state.storage.rows(INBOXES)[str(link["inbox_id"])])}
        for link in links
    ]
    return {**_contact(row), "contact_inboxes": inboxes}


def _contact(row: Json) -> Json:
    kept = {name: value for name, value in public(row).items() if name != "account_id"}
    return {**kept, "availability_status": "offline", "thumbnail": ""}


def contact_of_event(state: State, row: Json) -> Json:
    names = ("additional_attributes", "custom_attributes", "email", "id", "identifier", "name", "phone_number")
    kept = {name: row[name] for name in (*names, "blocked")}
    return {"account": account_json(state, row["account_id"]), "avatar": "", "thumbnail": "", **kept}


def sender_json(state: State, message: Json, *, of_event: bool) -> Json | None:
    """Who wrote a message; None for an automation."""
    kind, number = message["_sender"] or (None, 0)
    if kind == "contact":
        row = state.storage.rows(CONTACTS)[str(number)]
        return contact_of_event(state, row) if of_event else {**_contact(row), "type": "contact"}
    if kind == "agent_bot":
        bot = state.storage.rows(BOTS)[str(number)]
        return {"id": bot["id"], "name": bot["name"], "type": "agent_bot"}
    return user_json(state.storage.rows(USERS)[str(number)]) if kind == "user" else None


def message_json(state: State, message: Json, echo_id: str | None = None) -> Json:
    """A message as REST answers."""
    kept = {name: value for name, value in public(message).items() if name not in ("account_id", "attachments")}
    shown = {**kept, "message_type": TYPES.index(message["message_type"]), "created_at": int(message["created_at"])}
    sender = sender_json(state, message, of_event=False)
    shown |= {"echo_id": echo_id} if echo_id is not None else {}
    shown |= {"sender": sender} if sender is not None else {}
    return shown | ({"attachments": message["attachments"]} if message["attachments"] else {})


def message_event(state: State, message: Json, conversation: Json, event: str) -> Json:
    """A message as a webhook has it: no status."""
    inbox = state.storage.rows(INBOXES)[str(message["inbox_id"])]
    shown = {name: message[name] for name in ("content_attributes", "content_type", "content", "id")}
    return {
        "account": account_json(state, message["account_id"]),
        "additional_attributes": {},
        **shown,
        "conversation": conversation_event(state, conversation),
        "created_at": iso(message["created_at"]),
        "inbox": {"id": inbox["id"], "name": inbox["name"]},
        "message_type": message["message_type"],
        "private": message["private"],
        "sender": sender_json(state, message, of_event=True),
        "source_id": message["source_id"],
        **({"attachments": message["attachments"]} if message["attachments"] else {}),
        "event": event,
    }


def conversation_json(state: State, row: Json) -> Json:
    """A conversation as REST answers."""
    last = _last(state, row, private=True)
    return {
        "meta": _meta(state, row),
        **_conversation(state, row),
        "messages": [message_json(state, last)] if last else [],
        "account_id": row["account_id"],
        "uuid": row["uuid"],
        "muted": False,
        "first_reply_created_at": row["first_reply_created_at"] or 0,
        "last_non_activity_message": message_json(state, last) if last else None,
        "sla_policy_id": None,
    }


def conversation_event(state: State, row: Json) -> Json:
    """A conversation as webhooks have it."""
    last = _last(state, row, private=False)
    link = state.storage.rows(CONTACT_INBOXES)[str(row["_contact_inbox"])]
    stamps = {"created_at": iso(link["_created_at"]), "updated_at": iso(link["_created_at"])}
    return {
        **_conversation(state, row),
        "channel": "Channel::Api",
        "contact_inbox": {**public(link), **stamps, "hmac_verified": False, "pubsub_token": "p"},
        "messages": [{**message_json(state, last), "status": last["status"]}] if last else [],
        "meta": _meta(state, row),
        "first_reply_created_at": row["first_reply_created_at"],
        "account": account_json(state, row["account_id"]),
    }


def _conversation(state: State, row: Json) -> Json:
    names = ("id", "inbox_id", "status", "labels", "additional_attributes", "custom_attributes", "snoozed_until")
    kept = {name: row[name] for name in (*names, "priority", "updated_at")}
    whole = {name: int(row[name] or 0) for name in ("created_at", "last_activity_at", "waiting_since")}
    seen = {"agent_last_seen_at": 0, "assignee_last_seen_at": 0, "contact_last_seen_at": 0}
    unread = sum(m["message_type"] == "incoming" for m in state.storage.values(_table(row)))
    return {**kept, **whole, **seen, "timestamp": whole["last_activity_at"], "unread_count": unread, "can_reply": True}


def _meta(state: State, row: Json) -> Json:
    contact = state.storage.rows(CONTACTS)[str(row["_contact"])]
    meta: Json = {"sender": {**_contact(contact), "type": "contact"}, "channel": "Channel::Api"}
    if row["_assignee"] is not None:
        user = state.storage.rows(USERS)[str(row["_assignee"])]
        meta |= {"assignee": assignee_json(user), "assignee_type": "User"}
    return {**meta, "hmac_verified": False}


def _last(state: State, row: Json, *, private: bool) -> Json | None:
    last = None
    for message in state.storage.values(_table(row)):
        if message["message_type"] != "activity" and (private or not message["private"]):
            last = message
    return last


def _table(row: Json) -> str:
    return messages_table(row["account_id"], row["id"])


def iso(instant: float) -> str:
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
