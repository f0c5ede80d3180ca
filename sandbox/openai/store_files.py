"""Files in a vector store, and batches of them: /v1/vector_stores/{id}/files and /file_batches.

Indexing has no task of its own: a file is searchable `index_seconds` after it was attached.
Its chunking never changes.
"""

import time
from collections.abc import Iterator
from pathlib import PurePath

from aiohttp import web

from sandbox.middleware import answer
from sandbox.openai import knowledge
from sandbox.openai.assistant_rules import CHUNKING
from sandbox.openai.files import Files
from sandbox.openai.knowledge import Passage
from sandbox.openai.shapes import array, pairs, record, text
from sandbox.openai.wire import body_of, error, invalid, missing, not_found, out_of_set, page
from sandbox.state import State
from sandbox.storage import Json, new_id, public

_STORES = "vector_stores"
_STATES = ("in_progress", "completed", "failed", "cancelled")
_AUTO: Json = {"type": "static", "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}}
_MOST_IN_BATCH = 2000


def _attribute(value: object, path: str) -> None:
    """A string to 512 characters, a number or a boolean."""
    if not isinstance(value, int | float):
        text(512)(value, path)


_ATTRIBUTES = pairs(_attribute)
_ABOUT = {"attributes": _ATTRIBUTES, "chunking_strategy": CHUNKING}
_FILE = record({"file_id": text(), **_ABOUT}, "file_id")
_CHANGE = record({"attributes": _ATTRIBUTES}, "attributes")
_BATCH = record(
    {
        "file_ids": array(text(), _MOST_IN_BATCH, least=1),
        "files": array(_FILE, _MOST_IN_BATCH, least=1),
        **_ABOUT,
    }
)


class StoreFiles:
    """Handlers of the files and batches of vector stores."""

    def __init__(self, state: State, files: Files) -> None:
        self._state = state
        self._files = files
        files.on_delete.append(self._detach_everywhere)

    def routes(self) -> list[web.RouteDef]:
        files, batches = "/v1/vector_stores/{store}/files", "/v1/vector_stores/{store}/file_batches"
        return [
            web.post(files, self.create),
            web.get(files, self.list_all),
            web.get(f"{files}/{{file}}", self.get),
            web.post(f"{files}/{{file}}", self.update),
            web.delete(f"{files}/{{file}}", self.delete),
            web.get(f"{files}/{{file}}/content", self.content),
            web.post(batches, self.create_batch),
            web.get(f"{batches}/{{batch}}", self.get_batch),
            web.post(f"{batches}/{{batch}}/cancel", self.cancel_batch),
            web.get(f"{batches}/{{batch}}/files", self.list_batch),
        ]

    def store(self, request: web.Request) -> Json:
        """The store in the path. Raises OpenAI's 404."""
        key = request.match_info["store"]
        store = self._state.storage.get(_STORES, key)
        if store is None:
            raise not_found("vector store", key)
        return store

    def checked(self, file_ids: list[str]) -> list[str]:
        """Ids of files that can be put into a store."""
        for key in file_ids:
            file = self._files.find(key)
            if file is None:
                raise error(404, f"No such File object: {key}", param="file_ids")
            suffix = PurePath(file["filename"]).suffix.lower()
            if suffix not in knowledge.SUPPORTED:
                message = f"Files with extensions [{suffix or 'none'}] are not supported for retrieval."
                raise invalid("file_ids", message, "unsupported_file")
        return file_ids

    def attach(self, store: str, body: Json, batch: str | None = None) -> Json:
        """Puts a checked file into a store; one that is there already is indexed again."""
        file = self._files.find(body["file_id"])
        row: Json = {
            "id": body["file_id"],
            "object": "vector_store.file",
            "created_at": self._state.now(),
            "vector_store_id": store,
            "attributes": body.get("attributes") or {},
            "chunking_strategy": _chunking(body.get("chunking_strategy")),
            "_bytes": file["bytes"] if file else 0,
            "_filename": file["filename"] if file else "",
            "_problem": self._problem(file) if file else None,
            "_due": time.time() + self._state.settings.values.index_seconds,
            "_batch": batch,
            "_cancelled": False,
        }
        return self._shown(self._state.storage.put(f"store/{store}", row["id"], row))

    def _problem(self, file: Json) -> str | None:
        """Why a file can never be indexed."""
        if not file["bytes"]:
            return "The file is empty."
        is_pdf = file["filename"].lower().endswith(".pdf")
        damaged = is_pdf and not self._files.read(file["id"]).startswith(b"%PDF")
        return "The file could not be parsed because it is damaged." if damaged else None

    def _shown(self, row: Json) -> Json:
        """The file in the store in its current state."""
        status = "cancelled" if row["_cancelled"] else "in_progress" if time.time() < row["_due"] else "completed"
        problem = row["_problem"] and {"code": "invalid_file", "message": row["_problem"]}
        status, problem = ("failed", problem) if status == "completed" and problem else (status, None)
        size = row["_bytes"] if status == "completed" else 0
        return {**public(row), "status": status, "last_error": problem, "usage_bytes": size}

    def _rows(self, store: str, batch: str | None = None) -> dict[str, Json]:
        rows = self._state.storage.rows(f"store/{store}")
        return {key: row for key, row in rows.items() if batch in (None, row["_batch"])}

    def counts(self, store: str, batch: str | None = None) -> tuple[Json, int]:
        """How many files are in which status, and how many bytes they use."""
        shown = [self._shown(row) for row in self._rows(store, batch).values()]
        counts = {state: sum(item["status"] == state for item in shown) for state in _STATES}
        return {**counts, "total": len(shown)}, sum(item["usage_bytes"] for item in shown)

    def passages(self, store: str, question: str, filters: Json | None) -> Iterator[Passage]:
        """Every passage of every indexed file that passes the filters, with its score."""
        for key, row in self._rows(store).items():
            if self._shown(row)["status"] != "completed" or not knowledge.passes(filters, row["attributes"]):
                continue
            for passage in knowledge.passages_of(knowledge.words_of(self._files.read(key))):
                yield Passage(key, row["_filename"], row["attributes"], passage, knowledge.score(question, passage))

    def forget_store(self, store: str) -> None:
        for key in list(self._rows(store)):
            self._state.storage.delete(f"store/{store}", key)

    def _detach_everywhere(self, file: str) -> None:
        for store in self._state.storage.rows(_STORES):
            self._state.storage.delete(f"store/{store}", file)

    def _found(self, request: web.Request) -> Json:
        key = request.match_info["file"]
        row = self._state.storage.get(f"store/{self.store(request)['id']}", key)
        if row is None:
            raise not_found("file", key)
        return row

    async def create(self, request: web.Request) -> web.Response:
        store = self.store(request)
        body = await body_of(request)
        _FILE(body, "")
        self.checked([body["file_id"]])
        return answer(self.attach(store["id"], body))

    async def list_all(self, request: web.Request) -> web.Response:
        return self._listed(request, self._rows(self.store(request)["id"]))

    def _listed(self, request: web.Request, rows: dict[str, Json]) -> web.Response:
        wanted = request.query.get("filter")
        if wanted is not None and wanted not in _STATES:
            raise out_of_set("filter", wanted, _STATES)
        shown = {key: self._shown(row) for key, row in rows.items()}
        return answer(page(request, {key: row for key, row in shown.items() if wanted in (None, row["status"])}))

    async def get(self, request: web.Request) -> web.Response:
        return answer(self._shown(self._found(request)))

    async def update(self, request: web.Request) -> web.Response:
        row = self._found(request)
        body = await body_of(request)
        _CHANGE(body, "")
        changed = {**row, "attributes": body["attributes"] or {}}
        return answer(self._shown(self._state.storage.put(f"store/{row['vector_store_id']}", row["id"], changed)))

    async def delete(self, request: web.Request) -> web.Response:
        row = self._found(request)
        self._state.storage.delete(f"store/{row['vector_store_id']}", row["id"])
        return answer({"id": row["id"], "object": "vector_store.file.deleted", "deleted": True})

    async def content(self, request: web.Request) -> web.Response:
        text = knowledge.words_of(self._files.read(self._found(request)["id"]))
        data = [{"type": "text", "text": text}]
        return answer({"object": "vector_store.file_content.page", "data": data, "has_more": False, "next_page": None})

    async def create_batch(self, request: web.Request) -> web.Response:
        store = self.store(request)["id"]
        body = await body_of(request)
        _BATCH(body, "")
        shared = {name: body.get(name) for name in ("attributes", "chunking_strategy")}
        entries = body.get("files") or [{"file_id": key, **shared} for key in body.get("file_ids") or []]
        if not entries:
            raise missing("file_ids")
        self.checked([entry["file_id"] for entry in entries])
        batch: Json = {
            "id": new_id("vsfb_"),
            "object": "vector_store.files_batch",
            "created_at": self._state.now(),
            "vector_store_id": store,
            "_cancelled": False,
        }
        self._state.storage.put(f"batches/{store}", batch["id"], batch)
        for entry in entries:
            self.attach(store, entry, batch["id"])
        return answer(self._batch_shown(batch))

    def _batch_shown(self, batch: Json) -> Json:
        counts, _ = self.counts(batch["vector_store_id"], batch["id"])
        status = "cancelled" if batch["_cancelled"] else "in_progress" if counts["in_progress"] else "completed"
        return {**public(batch), "status": status, "file_counts": counts}

    def _batch(self, request: web.Request) -> Json:
        key = request.match_info["batch"]
        batch = self._state.storage.get(f"batches/{self.store(request)['id']}", key)
        if batch is None:
            raise not_found("file batch", key)
        return batch

    async def get_batch(self, request: web.Request) -> web.Response:
        return answer(self._batch_shown(self._batch(request)))

    async def cancel_batch(self, request: web.Request) -> web.Response:
        batch = self._batch(request)
        store = batch["vector_store_id"]
        for key, row in self._rows(store, batch["id"]).items():
            if self._shown(row)["status"] == "in_progress":
                self._state.storage.put(f"store/{store}", key, {**row, "_cancelled": True})
        cancelled = self._state.storage.put(f"batches/{store}", batch["id"], {**batch, "_cancelled": True})
        return answer(self._batch_shown(cancelled))

    async def list_batch(self, request: web.Request) -> web.Response:
        batch = self._batch(request)
        return self._listed(request, self._rows(batch["vector_store_id"], batch["id"]))


def _chunking(value: Json | None) -> Json:
    """Fixed once a file is attached; `auto` comes back as the numbers it stands for."""
    if value is None or value["type"] == "auto":
        return _AUTO
    size, overlap = value["static"]["max_chunk_size_tokens"], value["static"]["chunk_overlap_tokens"]
    if overlap > size // 2:
        reason = "a chunk overlaps by half of its size at most"
        raise invalid("chunking_strategy.static", f"Invalid 'chunking_strategy.static': {reason}.")
    return value
