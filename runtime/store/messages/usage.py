"""A turn's usage that is reported after the turn's end. A function over a connection."""

from __future__ import annotations

from sqlalchemy import Connection

from runtime.store.database.statement import Statement
from runtime.store.messages.turns import Usage

ADD = Statement(
    "UPDATE turns SET input_tokens = coalesce(input_tokens, 0) + :input_tokens,"
    " cached_tokens = coalesce(cached_tokens, 0) + :cached_tokens,"
    " output_tokens = coalesce(output_tokens, 0) + :output_tokens WHERE id = :id AND state = 'answered'"
)


def add_usage(connection: Connection, turn_id: int, usage: Usage) -> None:
    """Adds to the usage of an answered turn; changes nothing when its user was erased meanwhile."""
    ADD.run(
        connection,
        id=turn_id,
        input_tokens=usage.input_tokens,
        cached_tokens=usage.cached_tokens,
        output_tokens=usage.output_tokens,
    )
