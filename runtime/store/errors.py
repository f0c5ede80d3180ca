"""Errors between a caller and the bot store.

    StoreError
    ├── StoreMissing        there is no store at that address
    ├── StoreUnreachable    no answer: server down, file not readable, time-out
    ├── StoreBusy           it works and is too slow
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
    ├── RunDiffers          another run has that id
    ├── LeaseHeld           another run holds the lease
    └── LeaseLost           the lease was released while we held it

Each message is a full sentence that names the next step, and never shows a secret.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from runtime.store.records import DamagedRecord, Lease


class StoreError(Exception):
    """Root of the bot store's errors; `str()` of it is for the user."""


class StoreMissing(StoreError):
    """There is no store at the address, and the caller may not create one."""


class StoreUnreachable(StoreError):
    """The store did not answer; its content is unknown."""


class StoreBusy(StoreError):
    """The store is too slow; the call may be repeated a little later."""


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


class OptedOut(StoreError):
    """A proactive message is not sent."""

    def __init__(self, since: str) -> None:
        super().__init__(
            f"This user asked for no more messages (STOP or BAJA) at {since}; nothing was sent. Only they can allow "
            "them again, by writing START or ALTA. What they write is answered as ever."
        )
        self.since = since


class RunDiffers(StoreError):
    """A run is recorded once; what is recorded again has to be the same run."""

    def __init__(self, run_id: str, field: str) -> None:
        super().__init__(f"The run {run_id!r} is recorded already, with another {field}; nothing was changed.")
        self.field = field


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
