"""Deleted bots, as far as what is left of them elsewhere needs: number, account at Twilio, desk. Functions over a
connection.

Conversations stay when a bot is deleted. Who is erased later, and the end of a client, still reach Twilio's copies and
the desk's by what stands here. Secrets are names of variables, as in a bot.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection

from runtime.store.codec import dump_json
from runtime.store.database.statement import Statement
from runtime.store.database.times import timestamp
from runtime.store.records import BotRecord

KEEP: Final = Statement(
    "INSERT INTO former_bots (bot_id, client, number, account_sid, auth_token_env, desk, deleted_at)"
    " VALUES (:bot_id, :client, :number, :account_sid, :auth_token_env, :desk, :now)"
    " ON CONFLICT (bot_id) DO UPDATE SET client = excluded.client, number = excluded.number,"
    " account_sid = excluded.account_sid, auth_token_env = excluded.auth_token_env, desk = excluded.desk,"
    " deleted_at = excluded.deleted_at"
)
DROP: Final = Statement("DELETE FROM former_bots WHERE bot_id = :bot_id")
RENAME: Final = Statement("UPDATE former_bots SET client = :client WHERE client = :former")
ALL: Final = Statement(
    "SELECT bot_id, client, number, account_sid, auth_token_env, desk FROM former_bots ORDER BY bot_id"
)


def keep(connection: Connection, bot: BotRecord) -> None:
    """Keeps where what is left of a bot that is deleted can be reached."""
    handoff = bot.policy.get("handoff")
    desk = handoff.get("desk") if isinstance(handoff, Mapping) else None
    KEEP.run(
        connection,
        bot_id=bot.id,
        client=bot.label,
        number=bot.twilio_phone_number,
        account_sid=bot.account_sid,
        auth_token_env=bot.auth_token_env,
        desk=dump_json(desk) if desk else None,
        now=timestamp(),
    )


def drop(connection: Connection, bot_id: str) -> None:
    """A bot of that id is there again, or nothing is left of it."""
    DROP.run(connection, bot_id=bot_id)


def rename_client(connection: Connection, former: str, client: str) -> None:
    """Finds those of a client under its new id."""
    RENAME.run(connection, former=former, client=client)


def former_bots(connection: Connection, client: str | None = None) -> list[BotRecord]:
    """Deleted bots of a client, or of all, as bots that have nothing but that."""
    return [bot for bot in (_bot(*row) for row in ALL.rows(connection)) if client in (None, bot.label)]


def former_bot(connection: Connection, bot_id: str) -> BotRecord | None:
    """The deleted bot of that id."""
    return next((bot for bot in former_bots(connection) if bot.id == bot_id), None)


def _bot(
    bot_id: str, client: str, number: str, account_sid: str | None, auth_token_env: str | None, desk: str | None
) -> BotRecord:
    policy: dict[str, Any] = {"handoff": {"desk": json.loads(desk)}} if desk else {}
    return BotRecord(
        bot_id,
        bot_id,
        number,
        account_sid=account_sid,
        auth_token_env=auth_token_env,
        policy=policy,
        client=client,
    )
