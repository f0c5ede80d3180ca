"""The record of everything that happened: every call, every message in or out, every webhook attempt, in order.

Tests and chaos runs rely on this record alone, so it is written from what crossed the sockets and never from a client's
own account. It lives on disk; memory holds each entry's position in the file and the running counts. It never drops or
rewrites an entry; only a reset empties it.
"""

import hashlib
import json
import os
from array import array
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl

from sandbox.storage import Json

KINDS = (
    "call",
    "inbound",
    "outbound",
    "delivered",
    "webhook",
    "undelivered",
    "failed",
    "media",
    "typing",
    "desk",
    "desk_webhook",
)
_COUNTED = {"call": "calls", "inbound": "inbound", "outbound": "outbound", "webhook": "webhooks"}
_BODY_KEPT = 16_384
"""Bytes of a request body that are kept as they are; of a longer one only size and digest are."""


def body_fields(body: bytes, content_type: str) -> Json:
    """How a request body is recorded: JSON and forms as they are when short, everything else by its digest."""
    if not body:
        return {}
    if len(body) <= _BODY_KEPT and content_type in ("application/json", "application/x-www-form-urlencoded"):
        return {"raw": body.decode("utf-8", "replace"), "type": content_type}
    return {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}


class Ledger:
    """Append-only entries, numbered from 0."""

    def __init__(self, directory: Path, now: Callable[[], float]) -> None:
        """`now` gives the time of an entry, in seconds since the epoch."""
        directory.mkdir(parents=True, exist_ok=True)
        self._path = directory / "ledger.jsonl"
        self._now = now
        self._ends = array("Q")
        self._counts: dict[str, dict[str, int]] = {}
        self._recover()
        self._file = self._path.open("ab", buffering=0)
        self._file.truncate(self._size)

    @property
    def _size(self) -> int:
        return self._ends[-1] if self._ends else 0

    def _recover(self) -> None:
        if not self._path.exists():
            return
        with self._path.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                self._ends.append(self._size + len(line))
                self._count(json.loads(line))

    def _count(self, entry: Json) -> None:
        counts = self._counts.setdefault(
            entry["provider"], {"calls": 0, "writes": 0, "inbound": 0, "outbound": 0, "webhooks": 0}
        )
        if (counted := _COUNTED.get(entry["kind"])) is not None:
            counts[counted] += 1
        if entry.get("write"):
            counts["writes"] += 1

    def append(self, kind: str, provider: str, **fields: object) -> None:
        now = datetime.fromtimestamp(self._now(), UTC).isoformat(timespec="milliseconds")
        entry: Json = {"n": len(self._ends), "time": now, "kind": kind, "provider": provider, **fields}
        line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
        os.write(self._file.fileno(), line)
        self._ends.append(self._size + len(line))
        self._count(entry)

    def read(self, since: int = 0, kind: str | None = None) -> tuple[int, list[Json]]:
        """Entries from number `since` on, and the number the next one will get. An inbound message carries its webhook
        attempts.
        """
        attempts: dict[str, list[Json]] = {}
        chosen: list[Json] = []
        for entry in self.scan(since):
            if entry["kind"] == "webhook" and entry["purpose"] != "status":
                attempts.setdefault(entry["message_sid"], []).append(entry)
            if entry["kind"] == "inbound":
                entry["webhooks"] = attempts.setdefault(entry["message_sid"], [])
            if kind is None or entry["kind"] == kind:
                chosen.append(_decoded(entry))
        return len(self._ends), chosen

    def scan(self, since: int) -> Iterator[Json]:
        """The same entries as they are in the file, bodies undecoded."""
        if since >= len(self._ends):
            return
        with self._path.open("rb") as lines:
            lines.seek(self._ends[since - 1] if since > 0 else 0)
            for line in lines:
                yield json.loads(line)

    def summary(self) -> dict[str, dict[str, int]]:
        nothing = {"calls": 0, "writes": 0, "inbound": 0, "outbound": 0, "webhooks": 0}
        return {provider: dict(self._counts.get(provider, nothing)) for provider in ("openai", "twilio", "chatwoot")}

    def clear(self) -> None:
        self._file.truncate(0)
        self._ends = array("Q")
        self._counts.clear()

    def close(self) -> None:
        self._file.close()


def _decoded(entry: Json) -> Json:
    raw = entry.pop("raw", None)
    if raw is not None:
        entry["body"] = _parsed(raw, entry.pop("type"))
    return entry


def _parsed(raw: str, content_type: str) -> object:
    if content_type == "application/json":
        try:
            return json.loads(raw)
        except ValueError:
            return raw
    return dict(parse_qsl(raw, keep_blank_values=True))
