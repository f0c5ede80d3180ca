"""Every column of text is either encrypted where STORE_KEY is set, or holds nothing that people or assistants wrote;
and no statement asks the database for what is in an encrypted one."""

from __future__ import annotations

import gc
import importlib
import pkgutil
import re

import pytest
from sqlalchemy import LargeBinary, Text

import runtime
from runtime.store.database.statement import Statement
from runtime.store.encryption.columns import ENCRYPTED
from runtime.store.encryption.columns import NAMES as NAMES_OF_COLUMNS
from runtime.store.encryption.sql import Ambiguous, encrypted_parameters
from runtime.store.tables import metadata

FREE = {
    "assistants": "id name instructions model tools settings metadata client managed_by created_at updated_at",
    "bots": "id name twilio_phone_number assistant_id instructions model state account_sid auth_token_env"
    " fallback_message functions policy metadata client managed_by created_at updated_at",
    "catalog": "salt",
    "encryption_keys": "id since",
    "audit": "at actor action kind object_id overridden fields client via address conversations",
    "applied": "client kind live_id values applied_at",
    "leases": "name owner acquired_at expires_at",
    "runs": "id started_at actor digest git_sha finished_at outcome changes",
    "reconcile_reports": "kind client run at actor git_sha digest state found document",
    "notices": "channel finding fingerprint notified_at",
    "handovers": "bot_id successor at",
    "former_bots": "bot_id client number account_sid auth_token_env desk deleted_at",
    "tokens": "name digest scope created_at revoked_at clients expires_at last_used_at former_digest former_until",
    "timers": "kind key due_at put_at payload holder held_until",
    "conversations": "bot_id user_key phone thread_id created_at state state_since state_by state_until loop_since"
    " fallback_at opted_out_at opted_in_at opted_out_of opted_out_by referral_at free_until notices operator"
    " operator_at window_refused_at waiting_since blocked_at blocked_by consent",
    "consents": "bot_id at state by version text",
    "operators": "email name role clients password invitation invited_until created_at disabled_at signed_in_at",
    "console_sessions": "digest email step created_at seen_at expires_at address",
    "report_links": "digest client label created_by created_at expires_at revoked_at opened_at",
    "sign_in_failures": "key until",
    "sender_ratings": "number since status quality messaging_limit",
    "person_marks": "alias client kind at set_by detail",
    "receipts": "at client people document hash",
    "privacy_requests": "client people kind received_at due_at registered_by acknowledged_at extended_at answered_at"
    " outcome proof",
    "conversation_aliases": "bot_id alias",
    "inbox": "account_sid message_sid bot_id sender state received_at",
    "turns": "bot_id state model started_at finished_at variant reason used",
    "canaries": "bot_id canary since stopped_at reason figures",
    "items": "created_at",
    "outbox": "bot_id account_sid sender recipient channel state message_sid status created_at claimed_at settled_at"
    " error_code category author withheld_at waits_until campaign_id",
    "campaigns": "id bot_id template created_by created_at state",
    "campaign_rows": "campaign_id recipient state",
    "usage_prices": "kind model country currency source since confidence",
    "usage": "at month client bot_id number kind",
    "free_service_messages": "number month",
    "rolled_up_months": "client month zone figures at",
    "retention_runs": "client began_at ended_at retention deleted kept",
    "budget_allotments": "client replica",
    "budget_warnings": "client month channel at",
    "files": "sha256 upload unnamed_since",
    "file_pieces": "upload",
    "conversation_notes": "at author",
    "reply_files": "sha256 at",
    "desk_conversations": "bot_id place status known_state note_at",
    "desk_messages": "key state reported at",
}
"""Columns without words of people or assistants: ids, addresses, names of operators, times, words of this program,
what manifests declare. An address stays readable, since messages are found by it."""
NAMES = "|".join(sorted(NAMES_OF_COLUMNS))
COMPARED = re.compile(
    rf"[\w.]*\b(?:{NAMES})\b(?:, '[^']*'\))? (?:=|<>|<|>|<=|>=|LIKE|IN)|(?:ORDER|GROUP) BY [^()]*?\b(?:{NAMES})\b"
)
SET = re.compile(r" SET .*?(?= WHERE | RETURNING |$)")
BY_MARKS = {"item LIKE", "content LIKE", "content, '\"url\":') >", "content, '\"deleted_at\":') ="}
"""What queries look for in encrypted texts: it stays readable beside them."""
FREE_OF_WORDS = {"reason =", "turns.reason =", "turns.reason, '') <>"}
"""Of turns."""


def statements() -> dict[str, Statement]:
    """Every statement of the runtime, by its SQL."""
    for module in pkgutil.walk_packages(runtime.__path__, "runtime."):
        if ".migrations." not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return {one.sql: one for one in gc.get_objects() if isinstance(one, Statement)}


def test_every_column_of_text_is_encrypted_or_free_of_words() -> None:
    texts = {
        (table.name, column.name)
        for table in metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, Text | LargeBinary)
    }
    encrypted = {(table, column) for table, columns in ENCRYPTED.items() for column in columns}
    free = {(table, column) for table, columns in FREE.items() for column in columns.split()}

    assert encrypted & free == set()
    assert sorted(texts - encrypted - free) == [], "list them in runtime/store/encryption/columns.py, or here"
    assert sorted((encrypted | free) - texts) == [], "they do not exist any more"


def test_what_is_written_into_an_encrypted_column_is_known_of_every_statement() -> None:
    for sql in statements():
        encrypted_parameters(sql)


def test_no_statement_compares_what_is_encrypted() -> None:
    compared = {
        found[0]: sql for sql in statements() for found in COMPARED.finditer(SET.sub("", sql.replace("coalesce(", "")))
    }

    assert {text: sql for text, sql in compared.items() if text not in BY_MARKS | FREE_OF_WORDS} == {}


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("UPDATE inbox SET body = :body WHERE id = :id AND body <> :body", id="compared with itself"),
        pytest.param("UPDATE turns SET error = :reason, reason = :reason WHERE id = :id", id="written twice"),
    ],
)
def test_a_parameter_with_two_uses_is_refused(sql: str) -> None:
    with pytest.raises(Ambiguous, match="also used for something else"):
        encrypted_parameters(sql)


@pytest.mark.parametrize(
    ("sql", "encrypted"),
    [
        ("INSERT INTO inbox (sender, body) VALUES (:sender, :body)", {"body"}),
        ("INSERT INTO inbox (sender, body) SELECT :sender, :body FROM bots WHERE id = :id", {"body"}),
        ("WITH made AS (INSERT INTO items (turn_id, item) VALUES (:id, :item) RETURNING id) SELECT id", {"item"}),
        ("UPDATE outbox SET status = :status, error = coalesce(:error, error) WHERE id = :id", {"error"}),
        ("INSERT INTO turns (id, error) VALUES (:id, '') ON CONFLICT (id) DO UPDATE SET error = :text", {"text"}),
        ("UPDATE turns SET reason = :reason WHERE id = :id", set()),
        ("SELECT body FROM inbox WHERE message_sid = :message_sid", set()),
    ],
)
def test_what_is_encrypted_follows_from_the_statement(sql: str, encrypted: set[str]) -> None:
    assert set(encrypted_parameters(sql)) == encrypted
