"""The bot store's schema: the same tables on SQLite and PostgreSQL.

Timestamps and JSON are text (see `times` and `codec`), so that both databases and the light reader of `snapshot` return
the same values. Every change here needs a migration; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

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

encryption_keys = Table(
    "encryption_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("since", Text, nullable=False),
    comment="Keys that texts are encrypted with, by their ids (a hash), until none is any more.",
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
    Column("client", Text),
    Column("via", Text),
    Column("address", Text),
    Column("conversations", Text),
    Index("audit_object", "kind", "object_id", "id"),
    Index("audit_at", "at"),
    Index("audit_client", "client", "id"),
    Index("audit_actor", "actor", "id"),
    comment="Who read what people wrote, and who changed what; only added to. `overridden` is the manifest that"
    " declared it before, `conversations` a JSON list of ids.",
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

former_bots = Table(
    "former_bots",
    metadata,
    Column("bot_id", Text, primary_key=True),
    Column("client", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("account_sid", Text),
    Column("auth_token_env", Text),
    Column("desk", Text),
    Column("deleted_at", Text, nullable=False),
    comment="Bots that were deleted, of which something may be left at Twilio or at a desk. `desk`: as its policy"
    " had it, JSON.",
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
    Column("former_digest", Text),
    Column("former_until", Text),
    Index(
        "tokens_former",
        "former_digest",
        unique=True,
        sqlite_where=text("former_digest IS NOT NULL"),
        postgresql_where=text("former_digest IS NOT NULL"),
    ),
    comment="scope: one or more words with a blank between them. `clients`: ids, likewise; all without it."
    " `former_digest`: of the token before an exchange, valid until `former_until`.",
)

operators = Table(
    "operators",
    metadata,
    Column("email", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("clients", Text),
    Column("password", Text),
    Column("totp_secret", Text, nullable=False),
    Column("totp_used", BigInteger),
    Column("invitation", Text, unique=True),
    Column("invited_until", Text),
    Column("created_at", Text, nullable=False),
    Column("disabled_at", Text),
    Column("signed_in_at", Text),
    comment="People who sign in to the console. role: viewer | operator | privacy | admin. `clients`: ids with a blank"
    " between them; all without it. `invitation`: a digest, until it is accepted. `totp_used`: the time step of the"
    " last code of the second factor.",
)

console_sessions = Table(
    "console_sessions",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("email", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("seen_at", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
    Column("address", Text),
    Index("console_sessions_email", "email"),
    Index("console_sessions_expires", "expires_at"),
    comment="Sessions of the console. step: code (the second factor is still to come) | open.",
)

sign_in_failures = Table(
    "sign_in_failures",
    metadata,
    Column("key", Text, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("until", Text, nullable=False),
    Index("sign_in_failures_until", "until"),
    comment="Failed sign-ins of an account (a digest of its address of mail) or from an address, which count until"
    " then.",
)

report_links = Table(
    "report_links",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("digest", Text, nullable=False, unique=True),
    Column("client", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
    Column("revoked_at", Text),
    Column("opened_at", Text),
    comment="Links that show a client's report to anyone who has them, until they expire or are revoked."
    " `digest`: of the token in the address. `label`: whom it was made for.",
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
    Column("phone", Text),
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
    Column("opted_out_of", Text),
    Column("opted_out_by", Text),
    Column("referral_at", Text),
    Column("free_until", Text),
    Column("notices", Text),
    Column("operator", Text),
    Column("operator_at", Text),
    Column("state_summary", Text),
    Column("seen_up_to", BigInteger),
    Column("window_refused_at", Text),
    Column("waiting_since", Text),
    Column("reopening_id", BigInteger),
    Column("blocked_at", Text),
    Column("blocked_by", Text),
    Column("rectified_name", Text),
    Column("consent", Text),
    Index(
        "conversations_blocked",
        "id",
        sqlite_where=text("blocked_at IS NOT NULL"),
        postgresql_where=text("blocked_at IS NOT NULL"),
    ),
    Index(
        "conversations_people",
        "id",
        sqlite_where=text("state <> 'assistant'"),
        postgresql_where=text("state <> 'assistant'"),
    ),
    Index(
        "conversations_loops",
        "loop_since",
        sqlite_where=text("loop_since IS NOT NULL"),
        postgresql_where=text("loop_since IS NOT NULL"),
    ),
    comment="One user of one bot. `thread_id` is the provider's, with the engines `assistants` and `agents`."
    " state: assistant | human | closed, says who answers. `operator`: which person, once one has taken it;"
    " `operator_at`: when one last wrote; `seen_up_to`: the newest message in the inbox that one has read."
    " `referral_at`: a click on an ad that was not replied to; `free_until`: Meta charges nothing until then."
    " `notices`: JSON, when each notice was last sent that is due once a day.",
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
    Index(
        "inbox_files",
        "bot_id",
        "received_at",
        sqlite_where=text("instr(content, '\"url\":') > 0 AND instr(content, '\"deleted_at\":') = 0"),
        postgresql_where=text("strpos(content, '\"url\":') > 0 AND strpos(content, '\"deleted_at\":') = 0"),
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
    Column("used", Text),
    Index("turns_conversation", "conversation_id", "id"),
    Index(
        "turns_variants",
        "bot_id",
        "variant",
        "id",
        sqlite_where=text("variant IS NOT NULL"),
        postgresql_where=text("variant IS NOT NULL"),
    ),
    Index("turns_dead", "id", sqlite_where=text("state = 'dead'"), postgresql_where=text("state = 'dead'")),
    comment="One answer in the making. state: running | answered | unanswered | dead | retried | dropped | operator"
    " (what a person wrote). `progress`: calls made. `reason`: why nobody answered, in one word. `used`:"
    " documents and functions.",
)

canaries = Table(
    "canaries",
    metadata,
    Column("bot_id", Text, primary_key=True),
    Column("canary", Text, nullable=False),
    Column("from_version", Integer, nullable=False),
    Column("since", Text, nullable=False),
    Column("stopped_at", Text),
    Column("reason", Text),
    Column("figures", Text),
    comment="The declared canary of a bot: a digest of it, from which version of the bot on, and whether the runtime"
    " has stopped it. `figures`: JSON, why.",
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
    Column("category", Text, nullable=False, server_default="service"),
    Column("is_after_ad", Integer, nullable=False, server_default="0"),
    Column("charged", Integer, nullable=False, server_default="0"),
    Column("author", Text),
    Column("withheld_at", Text),
    Column("waits_until", Text),
    Column("replaced_by", BigInteger),
    Column("campaign_id", Text),
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
    Index(
        "outbox_proactive",
        "bot_id",
        "created_at",
        sqlite_where=text("turn_id IS NULL"),
        postgresql_where=text("turn_id IS NULL"),
    ),
    comment="Messages to send. channel: twiml | rest, claimed once. state: ready | postponed | sending | sent | failed"
    " | replaced (sent again by a later row) | withheld (a person took the conversation: `withheld_at`)."
    " `author`: the person who wrote it. `error_code`: Twilio's, once it is not sent again. `category`: Meta's."
    " `charged`: what is in the ledger (0 nothing, 1 Twilio's part, 2 Meta's too).",
)

campaigns = Table(
    "campaigns",
    metadata,
    Column("id", Text, primary_key=True),
    Column("bot_id", Text, nullable=False),
    Column("template", Text, nullable=False),
    Column("basis", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("unit_cost", BigInteger, nullable=False),
    Column("is_quiet_at_night", Boolean, nullable=False),
    comment="Sends of a template to lists of people. state: running | stopped | done. `unit_cost`: 10⁻⁹ USD a message.",
)

campaign_rows = Table(
    "campaign_rows",
    metadata,
    Column("campaign_id", Text, primary_key=True),
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("recipient", Text, nullable=False),
    Column("variables", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("outbox_id", BigInteger),
    UniqueConstraint("campaign_id", "recipient", name="campaign_rows_recipient"),
    comment="Their people, each once. state: waiting | sending | sent | skipped | failed.",
)

usage_prices = Table(
    "usage_prices",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("model", Text),
    Column("country", Text),
    Column("nano_usd", BigInteger),
    Column("per", Integer, nullable=False),
    Column("currency", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("since", Text),
    Column("confidence", Text, nullable=False),
    comment="What one costs; written once, never changed. `id` is a hash over the rest.",
)

usage = Table(
    "usage",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("at", Text, nullable=False),
    Column("month", Text, nullable=False),
    Column("client", Text, nullable=False),
    Column("bot_id", Text),
    Column("number", Text),
    Column("turn_id", BigInteger),
    Column("inbox_id", BigInteger),
    Column("outbox_id", BigInteger),
    Column("kind", Text, nullable=False),
    Column("price_id", BigInteger, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("amount", BigInteger),
    Index("usage_client", "client", "month", "at", "amount"),
    comment="The ledger: rows are added, never changed or deleted. `at`: when it was learnt; `month`: of its use, in"
    " UTC; `amount`: 10⁻⁹ USD, null where no price is known.",
)

free_service_messages = Table(
    "free_service_messages",
    metadata,
    Column("number", Text, primary_key=True),
    Column("month", Text, primary_key=True),
    Column("used", Integer, nullable=False),
    comment="Delivered messages of a number that Meta did not charge, in a calendar month in UTC.",
)

rolled_up_months = Table(
    "rolled_up_months",
    metadata,
    Column("client", Text, primary_key=True),
    Column("month", Text, primary_key=True),
    Column("zone", Text, nullable=False),
    Column("figures", Text, nullable=False),
    Column("at", Text, nullable=False),
    comment="What a report says of a month whose messages are deleted as their retention is over; `figures`: JSON.",
)

retention_runs = Table(
    "retention_runs",
    metadata,
    Column("client", Text, primary_key=True),
    Column("began_at", Text, primary_key=True),
    Column("ended_at", Text),
    Column("retention", Text, nullable=False),
    Column("deleted", Text, nullable=False),
    Column("kept", Text, nullable=False),
    comment="What was deleted since its retention was over. `retention`: as it was declared; `deleted`, `kept`: JSON,"
    " how many of what, and of what is over too and is not settled. One that deleted nothing is replaced.",
)

budget_allotments = Table(
    "budget_allotments",
    metadata,
    Column("client", Text, primary_key=True),
    Column("replica", Text, primary_key=True),
    Column("granted", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    comment="What a replica may yet add to the ledger of a client, in 10⁻⁹ USD. `version` counts its renewals: of one"
    " that is not renewed any more the replica has ended.",
)

budget_warnings = Table(
    "budget_warnings",
    metadata,
    Column("client", Text, primary_key=True),
    Column("month", Text, primary_key=True),
    Column("percent", Integer, primary_key=True, autoincrement=False),
    Column("channel", Text, primary_key=True),
    Column("at", Text, nullable=False),
    comment="Warnings about budgets, each on a channel (a digest of its address), recorded before they are sent.",
)

files = Table(
    "files",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("upload", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("unnamed_since", Text),
    comment="Files that bots may send, whole. `unnamed_since`: no policy has named it since then.",
)

file_pieces = Table(
    "file_pieces",
    metadata,
    Column("upload", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False),
    comment="Their bytes, in pieces of one size. `upload` begins with when it began; one without a file was"
    " interrupted.",
)

consents = Table(
    "consents",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("conversation_id", BigInteger, nullable=False),
    Column("bot_id", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("inbox_id", BigInteger, nullable=False),
    Index("consents_conversation", "conversation_id", "id"),
    comment="What people said when they were asked whether a model may read what they write. state: yes | no | revoked;"
    " `by`: word | button; `text`: what they were asked, `version`: of it.",
)

conversation_notes = Table(
    "conversation_notes",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("conversation_id", BigInteger, nullable=False),
    Column("at", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("body", Text, nullable=False),
    Index("conversation_notes_conversation", "conversation_id", "id"),
    comment="What people note about a conversation, for each other; its user never sees it.",
)

reply_files = Table(
    "reply_files",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("conversation_id", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    comment="Files that people sent in a conversation: kept until a timer, or the user's erasure.",
)

desk_conversations = Table(
    "desk_conversations",
    metadata,
    Column("conversation_id", BigInteger, primary_key=True, autoincrement=False),
    Column("bot_id", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("desk_id", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("known_state", Text),
    Column("note_at", Text),
    Column("seen_id", BigInteger, nullable=False),
    Column("inbox_from", BigInteger, nullable=False),
    Column("outbox_from", BigInteger, nullable=False),
    Index("desk_conversations_number", "bot_id", "place", "desk_id"),
    Index(
        "desk_conversations_people",
        "bot_id",
        sqlite_where=text("known_state = 'human'"),
        postgresql_where=text("known_state = 'human'"),
    ),
    comment="Where a conversation is at the desk: its number there. `status`: as last seen or set there; `known_state`:"
    " our state, as the desk knows it; `seen_id`: messages there up to this id are known; `inbox_from`,"
    " `outbox_from`: only later rows are shown there.",
)

desk_messages = Table(
    "desk_messages",
    metadata,
    Column("conversation_id", BigInteger, primary_key=True, autoincrement=False),
    Column("key", Text, primary_key=True),
    Column("desk_id", BigInteger),
    Column("state", Text, nullable=False),
    Column("outbox_id", BigInteger),
    Column("reported", Text),
    Column("error", Text),
    Column("is_open", Integer, nullable=False),
    Column("at", Text, nullable=False),
    Index(
        "desk_messages_outbox",
        "outbox_id",
        sqlite_where=text("outbox_id IS NOT NULL"),
        postgresql_where=text("outbox_id IS NOT NULL"),
    ),
    Index(
        "desk_messages_open",
        "conversation_id",
        sqlite_where=text("is_open = 1"),
        postgresql_where=text("is_open = 1"),
    ),
    comment="Messages at the desk. key: in:<inbox>, out:<outbox>, note:<since> for those written there from here,"
    " desk:<id>:<part> for an operator's. state: sending | unsure | there | refused. `is_open`: its delivery is"
    " still to be reported.",
)

person_marks = Table(
    "person_marks",
    metadata,
    Column("alias", Text, primary_key=True),
    Column("client", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("at", Text, nullable=False),
    Column("set_by", Text, nullable=False),
    Column("detail", Text),
    comment="What holds for a person also after they were erased. `alias`: a keyed hash of an address; `client`:"
    " empty for all. kind: blocked | opted_out (`detail`: the list).",
)

receipts = Table(
    "receipts",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("client", Text),
    Column("people", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("hash", Text, nullable=False),
    comment="What was done for a person, without content. `people`: keyed hashes of their addresses; `hash`: over"
    " the hash of the receipt before and the document.",
)

privacy_requests = Table(
    "privacy_requests",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("client", Text, nullable=False),
    Column("people", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("received_at", Text, nullable=False),
    Column("due_at", Text, nullable=False),
    Column("registered_by", Text, nullable=False),
    Column("acknowledged_at", Text),
    Column("extended_at", Text),
    Column("extended_because", Text),
    Column("answered_at", Text),
    Column("outcome", Text),
    Column("proof", Text),
    Column("receipt", BigInteger),
    Index(
        "privacy_requests_open",
        "due_at",
        sqlite_where=text("answered_at IS NULL"),
        postgresql_where=text("answered_at IS NULL"),
    ),
    comment="What people asked for under the law. `people`: keyed hashes of their addresses; `proof`: a reference"
    " to what was sent, without content.",
)

sender_ratings = Table(
    "sender_ratings",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("number", Text, nullable=False),
    Column("since", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("quality", Text),
    Column("messaging_limit", Text),
    Index("sender_ratings_newest", "number", "id"),
    comment="What Twilio and Meta said of a number, a row for each change.",
)

reconcile_reports = Table(
    "reconcile_reports",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("client", Text, primary_key=True),
    Column("run", Text, primary_key=True),
    Column("at", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("git_sha", Text),
    Column("digest", Text),
    Column("state", Text, nullable=False),
    Column("found", Text, nullable=False),
    Column("document", Text),
    Index("reconcile_reports_client", "client", "kind"),
    comment="The last result of each kind that `reconcile --report` recorded, of each client and of the fleet (client"
    " ''); of applies the newest ones of the fleet, each with its run. `found`: JSON; `document`: a plan as HTML.",
)
