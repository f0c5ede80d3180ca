"""/v1/vector_stores: stores and the search in them. The files in a store are in `store_files`."""

from aiohttp import web

from sandbox.middleware import answer
from sandbox.openai import knowledge
from sandbox.openai.assistant_rules import CHUNKING
from sandbox.openai.filters import filters
from sandbox.openai.knowledge import Passage
from sandbox.openai.shapes import (
    array,
    by_type,
    checked_metadata,
    decimal,
    flag,
    integer,
    metadata,
    nullable,
    one_of,
    record,
    text,
)
from sandbox.openai.store_files import StoreFiles
from sandbox.openai.wire import body_of, missing, page
from sandbox.state import State
from sandbox.storage import Json, new_id

TABLE = "vector_stores"
_EXPIRY = record({"anchor": one_of("last_active_at"), "days": integer(1, 365)}, "anchor", "days")
_CREATE = record(
    {
        "name": text(),
        "description": text(),
        "file_ids": array(text(), 500),
        "metadata": metadata,
        "expires_after": _EXPIRY,
        "chunking_strategy": CHUNKING,
    }
)
_UPDATE = record({"name": nullable(text()), "metadata": metadata, "expires_after": nullable(_EXPIRY)})
_SEARCH = record(
    {
        "query": by_type(text=text(), array=array(text())),
        "rewrite_query": flag,
        "max_num_results": integer(1, 50),
        "filters": filters,
        "ranking_options": record(
            {"ranker": one_of("none", "auto", "default-2024-11-15"), "score_threshold": decimal(0, 1)}
        ),
    },
    "query",
)
_DAY = 86_400


class VectorStores:
    """Handlers of /v1/vector_stores."""

    def __init__(self, state: State, files: StoreFiles) -> None:
        self._state = state
        self._files = files

    def routes(self) -> list[web.RouteDef]:
        one = "/v1/vector_stores/{store}"
        return [
            web.post("/v1/vector_stores", self.create),
            web.get("/v1/vector_stores", self.list_all),
            web.get(one, self.get),
            web.post(one, self.update),
            web.delete(one, self.delete),
            web.post(f"{one}/search", self.search),
        ]

    def _shown(self, store: Json) -> Json:
        """The store with its current counts."""
        counts, size = self._files.counts(store["id"])
        expired = store["expires_at"] is not None and store["expires_at"] <= self._state.now()
        status = "expired" if expired else "in_progress" if counts["in_progress"] else "completed"
        shown = {**store, "status": status, "usage_bytes": size, "file_counts": counts}
        return shown if store["expires_after"] else {key: shown[key] for key in shown if key != "expires_after"}

    def _found(self, request: web.Request) -> Json:
        return self._files.store(request)

    async def create(self, request: web.Request) -> web.Response:
        body = await body_of(request)
        _CREATE(body, "")
        now = self._state.now()
        store: Json = {
            "id": new_id("vs_"),
            "object": "vector_store",
            "created_at": now,
            "name": body.get("name") or "",
            "last_active_at": now,
            "metadata": checked_metadata(body.get("metadata")),
            **_expiry(body.get("expires_after"), now),
        }
        file_ids = self._files.checked(body.get("file_ids") or [])
        self._state.storage.put(TABLE, store["id"], store)
        for file_id in file_ids:
            self._files.attach(store["id"], {"file_id": file_id, "chunking_strategy": body.get("chunking_strategy")})
        return answer(self._shown(store))

    async def list_all(self, request: web.Request) -> web.Response:
        return answer(page(request, self._state.storage.rows(TABLE), shown=self._shown))

    async def get(self, request: web.Request) -> web.Response:
        return answer(self._shown(self._found(request)))

    async def update(self, request: web.Request) -> web.Response:
        store = self._found(request)
        body = await body_of(request)
        _UPDATE(body, "")
        changed = dict(store)
        if body.get("name") is not None:
            changed["name"] = body["name"]
        if "metadata" in body:
            changed["metadata"] = checked_metadata(body["metadata"])
        if "expires_after" in body:
            changed |= _expiry(body["expires_after"], store["last_active_at"])
        return answer(self._shown(self._state.storage.put(TABLE, store["id"], changed)))

    async def delete(self, request: web.Request) -> web.Response:
        key = self._found(request)["id"]
        self._files.forget_store(key)
        self._state.storage.delete(TABLE, key)
        return answer({"id": key, "object": "vector_store.deleted", "deleted": True})

    async def search(self, request: web.Request) -> web.Response:
        store = self._found(request)
        body = await body_of(request)
        _SEARCH(body, "")
        queries = [body["query"]] if isinstance(body["query"], str) else body["query"]
        if not queries:
            raise missing("query")
        most = body.get("max_num_results", 10)
        threshold = (body.get("ranking_options") or {}).get("score_threshold") or 0.0
        found = self.find([store["id"]], " ".join(queries), body.get("filters"), most, threshold)
        data = [
            {
                "file_id": item.file_id,
                "filename": item.filename,
                "score": item.score,
                "attributes": item.attributes,
                "content": [{"type": "text", "text": item.text}],
            }
            for item in found
        ]
        ends = {"has_more": False, "next_page": None}
        return answer({"object": "vector_store.search_results.page", "search_query": queries, "data": data, **ends})

    def find(
        self, stores: list[str], question: str, filters: Json | None, most: int, threshold: float
    ) -> list[Passage]:
        """The passages that match a question best, over several stores."""
        known = [passage for store in stores for passage in self._files.passages(store, question, filters)]
        return knowledge.best(known, most, threshold)


def _expiry(value: Json | None, since: int) -> Json:
    if value is None:
        return {"expires_after": None, "expires_at": None}
    return {"expires_after": value, "expires_at": since + value["days"] * _DAY}
