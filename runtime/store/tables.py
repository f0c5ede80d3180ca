"""The bot store's schema: the same tables on SQLite and PostgreSQL.

Timestamps and JSON are text (see `times` and `codec`), so that both databases and the light reader of `snapshot` return
the same values. Every change here needs a migration; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, Table, Text, UniqueConstraint, text

metadata = MetaData()

SERIAL = BigInteger().with_variant(Integer, "sqlite")
"""SQLite assigns row ids only in a column of exactly the type INTEGER."""

ONLY_ON = "only_on"
"""Key in an index's `info` that names the only database with it."""

assistants = Table(
    "assistants",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("instructions", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("tools", Text, nullable=False),
    Column("settings", Text, nullable=False),
    Column("metadata", Text, nullable=False),
    Column("client", Text),
    Column("managed_by", Text),
    Column("version", Integer, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
)

bots = Table(
    "bots",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("twilio_phone_number", Text, nullable=False, unique=True),
    Column("assistant_id", Text),
    Column("instructions", Text),
    Column("model", Text),
    Column("state", Text, nullable=False),
    Column("account_sid", Text),
    Column("auth_token_env", Text),
    Column("fallback_message", Text),
    Column("functions", Text, nullable=False),
    Column("policy", Text, nullable=False, server_default="{}"),
    Column("metadata", Text, nullable=False),
    Column("protected", Boolean, nullable=False),
    Column("client", Text),
    Column("managed_by", Text),
    Column("version", Integer, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
)

catalog = Table(
    "catalog",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
    Column("salt", Text, nullable=False),
    comment="One row. `version` counts every change of bots or assistants, `salt` goes into hashes of users.",
)

audit = Table(
    "audit",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("at", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("object_id", Text, nullable=False),
    Column("overridden", Text),
    Column("fields", Text, nullable=False),
    Index("audit_object", "kind", "object_id", "id"),
    comment="Who changed what through the API; `overridden` is the manifest that declared it before.",
)

applied = Table(
    "applied",
    metadata,
    Column("client", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("live_id", Text, nullable=False),
    Column("values", Text, nullable=False),
    Column("applied_at", Text, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("acquired_at", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("number", SERIAL, primary_key=True),
    Column("id", Text, nullable=False),
    Column("started_at", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("git_sha", Text),
    Column("finished_at", Text),
    Column("outcome", Text),
    Column("changes", Text, nullable=False),
    UniqueConstraint("id", name="runs_id"),
    comment="Applies. `number` is their order: a second may hold several, and clocks are set back.",
)

notices = Table(
    "notices",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("finding", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("notified_at", Text, nullable=False),
    comment="Findings of drift that were told, each on a channel (a digest of its address), until they are gone.",
)

handovers = Table(
    "handovers",
    metadata,
    Column("bot_id", Text, primary_key=True),
    Column("successor", Text, nullable=False),
    Column("at", Text, nullable=False),
    comment="Bots that were deleted as their numbers passed to others, which answer what still comes in for them.",
)

tokens = Table(
    "tokens",
    metadata,
    Column("name", Text, primary_key=True),
    Column("digest", Text, nullable=False, unique=True),
    Column("scope", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("revoked_at", Text),
    Column("clients", Text),
    Column("expires_at", Text),
    Column("last_used_at", Text),
    comment="scope: one or more words with a blank between them. `clients`: ids, likewise; all without it.",
)

timers = Table(
    "timers",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("due_at", Text, nullable=False),
    Column("put_at", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("last_error", Text),
    Column("version", Integer, nullable=False),
    Column("holder", Text),
    Column("held_until", Text),
    Index("timers_due", "due_at"),
    comment="What is to be done at a time, once. `holder` runs it; nobody else does before `held_until`.",
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("bot_id", Text, nullable=False),
    Column("user_key", Text, nullable=False),
    Column("profile_name", Text),
    Column("thread_id", Text),
    Column("created_at", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="assistant"),
    Column("state_since", Text),
    Column("state_by", Text),
    Column("state_reason", Text),
    Column("state_until", Text),
    Column("loop_since", Text),
    Column("fallback_at", Text),
    Column("opted_out_at", Text),
    Column("opted_in_at", Text),
    Index(
        "conversations_loops",
        "loop_since",
        sqlite_where=text("loop_since IS NOT NULL"),
        postgresql_where=text("loop_since IS NOT NULL"),
    ),
    comment="One user of one bot. `thread_id` is the provider's, with the engines `assistants` and `agents`."
    " state: assistant | human | closed, says who answers.",
)

conversation_aliases = Table(
    "conversation_aliases",
    metadata,
    Column("bot_id", Text, primary_key=True),
    Column("alias", Text, primary_key=True),
    Column("conversation_id", BigInteger, nullable=False),
    comment="Every address a user was seen under: a phone number, a business-scoped user id, or both.",
)

inbox = Table(
    "inbox",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("account_sid", Text, nullable=False),
    Column("message_sid", Text, nullable=False),
    Column("bot_id", Text, nullable=False),
    Column("conversation_id", BigInteger, nullable=False),
    Column("sender", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("params", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("turn_id", BigInteger),
    Column("received_at", Text, nullable=False),
    Column("content", Text),
    UniqueConstraint("account_sid", "message_sid", name="inbox_message"),
    Index("inbox_conversation", "conversation_id", "id"),
    Index("inbox_bot", "bot_id", "received_at"),
    Index(
        "inbox_wanted",
        "bot_id",
        "received_at",
        postgresql_where=text("state <> 'limited'"),
        info={ONLY_ON: "postgresql"},
    ),
    Index("inbox_open", "id", sqlite_where=text("state = 'open'"), postgresql_where=text("state = 'open'")),
    comment="Messages taken in. state: open | answered | unanswered (the turn has the reason) | limited | dead"
    " | dropped.",
)

turns = Table(
    "turns",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("conversation_id", BigInteger, nullable=False),
    Column("bot_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("starts", Integer, nullable=False),
    Column("bot_version", Integer),
    Column("assistant_version", Integer),
    Column("model", Text),
    Column("input_tokens", Integer),
    Column("cached_tokens", Integer),
    Column("output_tokens", Integer),
    Column("progress", Text),
    Column("error", Text),
    Column("started_at", Text, nullable=False),
    Column("finished_at", Text),
    Column("variant", Text),
    Column("reason", Text),
    Index("turns_conversation", "conversation_id", "id"),
    Index("turns_dead", "id", sqlite_where=text("state = 'dead'"), postgresql_where=text("state = 'dead'")),
    comment="One answer in the making. state: running | answered | unanswered | dead | retried | dropped."
    " `progress`: calls made. `reason`: why nobody answered, in one word.",
)

items = Table(
    "items",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("conversation_id", BigInteger, nullable=False),
    Column("turn_id", BigInteger),
    Column("item", Text, nullable=False),
    Column("tokens", Integer, nullable=False),
    Column("created_at", Text, nullable=False),
    Index("items_conversation", "conversation_id", "id"),
    comment="The memory of a conversation: input items of the Responses API, with an estimate of their size.",
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("turn_id", BigInteger),
    Column("conversation_id", BigInteger),
    Column("bot_id", Text),
    Column("part", Integer, nullable=False),
    Column("account_sid", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("content", Text),
    Column("channel", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("message_sid", Text),
    Column("status", Text),
    Column("error", Text),
    Column("created_at", Text, nullable=False),
    Column("claimed_at", Text),
    Column("settled_at", Text),
    Column("resumed", Integer, nullable=False, server_default="0"),
    Column("disputed", Integer, nullable=False, server_default="0"),
    Column("attempt", Integer, nullable=False, server_default="1"),
    Column("error_code", Text),
    Index("outbox_turn", "turn_id", "part"),
    Index("outbox_conversation", "conversation_id", "id"),
    Index("outbox_message", "message_sid"),
    Index(
        "outbox_open",
        "id",
        sqlite_where=text("state in ('ready', 'sending')"),
        postgresql_where=text("state in ('ready', 'sending')"),
    ),
    Index(
        "outbox_undelivered",
        "bot_id",
        "created_at",
        sqlite_where=text("error_code IS NOT NULL"),
        postgresql_where=text("error_code IS NOT NULL"),
    ),
    comment="Messages to send. channel: twiml | rest, claimed once. state: ready | postponed | sending | sent | failed"
    " | replaced (sent again by a later row). `error_code`: Twilio's, once it is not sent again.",
)
