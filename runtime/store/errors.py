"""Errors between a caller and the bot store.

    StoreError
    ├── StoreMissing        there is no store at that address
    ├── StoreUnreachable    no answer: server down, file not readable, time-out
    ├── StoreBusy           it works and is too slow, or others are in the way
    ├── StoreRefused        the token or the database role is not accepted
    ├── StoreOutdated       the schema is older than this program, or of an unknown generation
    ├── RecordDamaged       a row that is asked for is not what this program writes
    ├── NumberTaken         another bot has that WhatsApp number
    ├── ObjectNotFound      no bot, or no assistant, has that id
    ├── DeclaredInGit       a manifest declares an object that is changed by hand
    ├── BotCannotAnswer     a bot has neither an assistant nor its own instructions and model
    ├── AssistantNotFound   a bot names an assistant that does not exist
    ├── AssistantInUse      bots name the assistant that is to be deleted
    ├── NotDeadLetters      turns that did not fail for good, or were retried or dropped already
    ├── OutOfPlace          a retry whose answer would come after those to what its user wrote since
    ├── OptedOut            a proactive message to a user who asked for none
    ├── NumberNeeded        a template that needs a number, for a user who hides theirs
    ├── UserSilent          free text to a user who was silent for 24 hours
    ├── NoConversation      no conversation has that id
    ├── NotReplayable       what people wrote is not to be tried again
    ├── ConversationTaken   another person has the conversation
    ├── WindowClosed        a person's reply that WhatsApp would not deliver
    ├── RunDiffers          another run has that id
    ├── LeaseHeld           another run holds the lease
    └── LeaseLost           the lease was released while we held it

Each message is a full sentence that names the next step, and never shows a secret.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from runtime.store.records import DamagedRecord

if TYPE_CHECKING:
    from runtime.store.history_records import Lease


class StoreError(Exception):
    """Root of the bot store's errors; `str()` of it is for the user."""


class StoreMissing(StoreError):
    """There is no store at the address, and the caller may not create one."""


class StoreUnreachable(StoreError):
    """The store did not answer; its content is unknown."""


class StoreBusy(StoreError):
    """The store is too slow, or has ended a transaction because of others; the call may be repeated a little later."""


class StoreRefused(StoreError):
    """The store answered and does not accept our credentials."""


class StoreOutdated(StoreError):
    """The store's schema is not compatible with this program."""


class RecordDamaged(StoreError):
    """A row was changed by something other than this program."""

    def __init__(self, record: DamagedRecord) -> None:
        super().__init__(f"{damage(record)}. {repair(record)}")
        self.record = record


def damage(record: DamagedRecord) -> str:
    """What is wrong with a row, and where, without a final stop."""
    return f"the bot store's row of the table `{record.table}` with {_where(record)} is damaged: {record.damaged}"


def repair(record: DamagedRecord) -> str:
    """How a damaged row is repaired, whole sentences."""
    restore = "Restore that row from a backup"
    if record.client is None or record.table not in ("bots", "assistants", "applied"):
        return f"{restore}."
    if record.key.get("id", record.client) != record.client:
        # Made again it would get the client's id, and a bot's conversations are kept by the bot's.
        return f"{restore}; without it, it would be made again under another id."
    return f"{restore}, or delete it and apply: what a client declares is then written again."


def _where(record: DamagedRecord) -> str:
    return " AND ".join(f"{column} = '{value.replace(chr(39), chr(39) * 2)}'" for column, value in record.key.items())


class NumberTaken(StoreError):
    """A WhatsApp number routes to one bot only."""

    def __init__(self, number: str, bot_id: str) -> None:
        super().__init__(
            f"The number {number} already belongs to the bot {bot_id!r}; "
            "give that bot another number or delete it first."
        )
        self.number = number
        self.bot_id = bot_id


class ObjectNotFound(StoreError):
    """The object does not exist."""

    def __init__(self, kind: str, object_id: str) -> None:
        super().__init__(f"There is no {kind} {object_id!r}.")


class DeclaredInGit(StoreError):
    """A declared object changes in its manifest, unless it is overridden until the next apply."""

    def __init__(self, kind: str, object_id: str, manifest: str) -> None:
        super().__init__(f"The {kind} {object_id!r} is declared in {manifest}; change it there.")
        self.kind = kind
        self.object_id = object_id
        self.manifest = manifest


class BotCannotAnswer(StoreError):
    """A bot without an assistant lacks its own instructions or model."""

    def __init__(self, field: str) -> None:
        super().__init__(f"The field {field} is required for a bot without assistant_id.")
        self.field = field


class AssistantNotFound(StoreError):
    """A bot names an assistant that does not exist."""

    def __init__(self, assistant_id: str) -> None:
        super().__init__(f"There is no assistant {assistant_id!r}.")
        self.assistant_id = assistant_id


class AssistantInUse(StoreError):
    """Bots would be left without their assistant."""

    def __init__(self, assistant_id: str, bots: Sequence[str]) -> None:
        super().__init__(
            f"The assistant {assistant_id!r} is used by {', '.join(bots[:5])}; give those another one first."
        )


class NotDeadLetters(StoreError):
    """Nothing was changed, since some of the turns are not dead letters."""

    def __init__(self, turn_ids: Sequence[int]) -> None:
        super().__init__(
            f"Not dead letters: {', '.join(map(str, turn_ids))}. Nothing was changed; "
            "see `horizonai-whatsapp-bot dead-letters list`."
        )


class OutOfPlace(StoreError):
    """A dead letter is not retried, since its user's later messages were answered, or are being answered."""

    def __init__(self, turn_id: int, since: str | None) -> None:
        answered = f"was answered at {since}" if since is not None else "is being answered right now"
        super().__init__(
            f"Dead letter {turn_id}: its user wrote again and {answered}, so an answer now would come out of place. "
            "The assistant knows what they had written. Nothing was changed; drop it, or retry it with force."
        )


class UserSilent(StoreError):
    """Free text to a user who has been silent for too long for WhatsApp to deliver it; nothing was written."""

    def __init__(self, last_inbound: str | None) -> None:
        heard = "has never written to this number" if last_inbound is None else f"last wrote at {last_inbound}"
        super().__init__(
            f"This user {heard}, and WhatsApp delivers free text within 24 hours of their message only. Send a "
            "template, or declare `window: {reopen_with: …}` in the manifest, and such messages wait for "
            "an answer to it."
        )


class OptedOut(StoreError):
    """A proactive message is not sent."""

    def __init__(self, since: str, opt_out_list: str = "marketing") -> None:
        """`opt_out_list`: `marketing` or `all`."""
        what = "no more messages of any kind" if opt_out_list == "all" else "no more marketing"
        others = "" if opt_out_list == "all" else "; a template of the category utility would be"
        super().__init__(
            f"This user has wanted {what} since {since} (STOP, BAJA, WhatsApp's button, or a block); nothing was sent"
            f"{others}. Only they can allow them again, by writing START or ALTA. What they write is answered as ever."
        )
        self.since = since
        self.opt_out_list = opt_out_list


class PersonBlocked(StoreError):
    """Nothing is sent to a person whose data is not processed."""

    def __init__(self, since: str) -> None:
        super().__init__(
            f"This person has been blocked since {since}: nothing of them is processed, and nothing was sent. "
            "`horizonai-whatsapp-bot person unblock USER` ends that."
        )
        self.since = since


class NoConversation(StoreError):
    """A conversation that does not exist, or whose user was erased."""

    def __init__(self, conversation_id: int) -> None:
        super().__init__(
            f"There is no conversation {conversation_id}; see `horizonai-whatsapp-bot conversations list`."
        )


class NotReplayable(StoreError):
    """What people wrote is not to be tried again, or there is nothing of it."""

    def __init__(self, message: str, cause: Literal["blocked", "sensitive", "nothing"] = "nothing") -> None:
        super().__init__(message)
        self.cause = cause


class ConversationTaken(StoreError):
    """A conversation is not taken from the person who has it."""

    def __init__(self, operator: str, since: str | None) -> None:
        super().__init__(
            f"{operator} has this conversation since {since}; nothing was changed. Ask them to release it, or take it "
            "with force."
        )
        self.operator = operator
        self.since = since


class WindowClosed(StoreError):
    """A reply is not sent."""

    def __init__(self, last_inbound: str | None, refused_at: str | None = None) -> None:
        said = "has never written" if last_inbound is None else f"last wrote at {last_inbound}"
        why = "WhatsApp delivers free text for 24 hours after that"
        if last_inbound is not None and refused_at is not None and refused_at > last_inbound:
            why = f"WhatsApp refused free text to them at {refused_at} as too late (63016)"
        super().__init__(
            f"This person {said}, and {why}; nothing was sent. Send an approved template, or wait until they write."
        )
        self.last_inbound = last_inbound


class NumberNeeded(StoreError):
    """A template of the category authentication, for a user of whom only WhatsApp's id is known."""

    def __init__(self, user_id: str) -> None:
        super().__init__(
            f"WhatsApp delivers templates of the category authentication to a number only, and of {user_id} none is "
            "known; nothing was sent. Send to their number (+56912345678), or a template of the category utility."
        )


class RunDiffers(StoreError):
    """A run is recorded once; what is recorded again has to be the same run."""

    def __init__(self, run_id: str, field: str) -> None:
        super().__init__(f"The run {run_id!r} is recorded already, with another {field}; nothing was changed.")
        self.field = field


class FileDiffers(StoreError):
    """The bytes of a file are not those that its hash names."""

    def __init__(self, sha256: str) -> None:
        super().__init__(f"The content is not the file {sha256}: its SHA-256 is another one.")


class FileTooLarge(StoreError):
    """A file has more bytes than WhatsApp takes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The file has more than {limit:,} bytes.")


class LeaseHeld(StoreError):
    """Another run holds the lease."""

    def __init__(self, lease: Lease) -> None:
        super().__init__(
            f"Another run holds the lease: {lease.owner}, since {lease.acquired_at}, until {lease.expires_at}. "
            "Wait for it to finish; if it is known to have crashed, run `reconcile unlock`."
        )
        self.lease = lease


class LeaseLost(StoreError):
    """Our lease was released, so another run may be applying."""

    def __init__(self, owner: str) -> None:
        super().__init__(
            f"The lease of {owner} was released meanwhile (`reconcile unlock`), so this run must stop; plan again."
        )


def masked(url: str) -> str:
    """An address fit for a message: without password, query and fragment, also where it cannot be read as a URL.

    What stands between `://` and the last `@` is the user and the password, whatever characters they have. An address
    without `://` may be a secret in the wrong variable.
    """
    scheme, colon, rest = url.partition("://")
    if not colon:
        return "***"
    credentials, at, place = rest.rpartition("@")
    place = re.split(r"[?#]", place, maxsplit=1)[0]
    if not at:
        return f"{scheme}://{place}"
    return f"{scheme}://{_masked_user(scheme, credentials)}@{place}"


def _masked_user(scheme: str, credentials: str) -> str:
    user, has_password, _ = credentials.partition(":")
    if not re.fullmatch(r"[\w.%-]+", user):
        return "***"
    if has_password:
        return f"{user}:***"
    return "***" if scheme.startswith("http") else user  # a token may stand alone in a URL
