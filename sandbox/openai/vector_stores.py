"""/v1/vector_stores: stores and the search in them. The files in a store are in `store_files`."""

import time

from aiohttp import web

from sandbox.middleware import answer
from sandbox.openai import knowledge
from sandbox.openai.knowledge import Passage
from sandbox.openai.store_files import StoreFiles
from sandbox.openai.wire import body_of, checked_metadata, invalid, missing, out_of_set, page, wrong_type
from sandbox.state import State
from sandbox.storage import Json, new_id

TABLE = "vector_stores"
_KNOWN = ("name", "description", "file_ids", "metadata", "expires_after", "chunking_strategy")
_DAY = 86_400
_OPERATORS = ("eq", "ne", "gt", "gte", "lt", "lte", "in", "nin")


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
        expired = store["expires_at"] is not None and store["expires_at"] <= time.time()
        status = "expired" if expired else "in_progress" if counts["in_progress"] else "completed"
        shown = {**store, "status": status, "usage_bytes": size, "file_counts": counts}
        return shown if store["expires_after"] else {key: shown[key] for key in shown if key != "expires_after"}

    def _found(self, request: web.Request) -> Json:
        return self._files.store(request)

    async def create(self, request: web.Request) -> web.Response:
        body = await body_of(request, _KNOWN)
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
        body = await body_of(request, ("name", "metadata", "expires_after"))
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
        body = await body_of(request, ("query", "filters", "max_num_results", "ranking_options", "rewrite_query"))
        queries = [body["query"]] if isinstance(body.get("query"), str) else body.get("query")
        if not queries:
            raise missing("query")
        if not isinstance(queries, list):
            raise wrong_type("query", "a string or an array of strings")
        most = body.get("max_num_results", 10)
        if not isinstance(most, int) or not 1 <= most <= 50:
            raise invalid("max_num_results", "Invalid 'max_num_results': expected a value between 1 and 50.")
        _check_filters(body.get("filters"))
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


def _expiry(value: object, since: int) -> Json:
    if value is None:
        return {"expires_after": None, "expires_at": None}
    days = value.get("days") if isinstance(value, dict) else None
    if not isinstance(value, dict) or value.get("anchor") != "last_active_at":
        raise out_of_set("expires_after.anchor", value, ("last_active_at",))
    if not isinstance(days, int) or not 1 <= days <= 365:
        raise invalid("expires_after.days", "Invalid 'expires_after.days': expected a value between 1 and 365.")
    return {"expires_after": value, "expires_at": since + days * _DAY}


def _check_filters(filters: object) -> None:
    if filters is None:
        return
    kind = filters.get("type") if isinstance(filters, dict) else None
    if isinstance(filters, dict) and kind in ("and", "or") and isinstance(filters.get("filters"), list):
        for item in filters["filters"]:
            _check_filters(item)
    elif not isinstance(filters, dict) or kind not in _OPERATORS or "key" not in filters or "value" not in filters:
        expected = f"a comparison with type ({', '.join(_OPERATORS)}), key and value"
        raise invalid("filters", f"Invalid 'filters': expected {expected}.")
