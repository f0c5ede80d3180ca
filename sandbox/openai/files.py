"""/v1/files: uploads whose content never changes. Other holders of a file are notified when it is deleted."""

from collections.abc import Callable

from aiohttp import web

from sandbox.middleware import answer
from sandbox.openai.multipart import Part, parts_of
from sandbox.openai.wire import error, invalid, missing, out_of_set, page
from sandbox.state import State
from sandbox.storage import Json, new_id, public

TABLE = "files"
_PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
_MOST_LISTED = 10_000
_SHORTEST, _LONGEST = 3600, 2_592_000


class Files:
    """Handlers of /v1/files."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.on_delete: list[Callable[[str], None]] = []

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/files", self.create),
            web.get("/v1/files", self.list_all),
            web.get("/v1/files/{file}", self.get),
            web.get("/v1/files/{file}/content", self.content),
            web.delete("/v1/files/{file}", self.delete),
        ]

    def find(self, key: str) -> Json | None:
        file = self._state.storage.get(TABLE, key)
        if file is None or (file.get("expires_at") is not None and file["expires_at"] <= self._state.now()):
            return None
        return file

    def read(self, key: str) -> bytes:
        return self._state.storage.blob(key).read_bytes()

    def _found(self, request: web.Request) -> Json:
        key = request.match_info["file"]
        file = self.find(key)
        if file is None:
            raise error(404, f"No such File object: {key}", param="id")
        return file

    async def create(self, request: web.Request) -> web.Response:
        parts = parts_of(await request.read(), request.headers.get("Content-Type", ""))
        if "file" not in parts:
            raise missing("file")
        if "purpose" not in parts:
            raise missing("purpose")
        purpose = parts["purpose"].text
        if purpose not in _PURPOSES:
            raise invalid("purpose", f"'{purpose}' is not one of {list(_PURPOSES)} - 'purpose'")
        key, now, content = new_id("file-", 24), self._state.now(), parts["file"].content
        self._state.storage.blob(key).write_bytes(content)
        file: Json = {
            "id": key,
            "object": "file",
            "bytes": len(content),
            "created_at": now,
            "filename": parts["file"].filename or "file",
            "purpose": purpose,
            "status": "processed",
            **_expiry(parts, now),
        }
        return answer(self._state.storage.put(TABLE, key, file))

    async def list_all(self, request: web.Request) -> web.Response:
        purpose = request.query.get("purpose")
        rows = {
            key: file
            for key, file in self._state.storage.rows(TABLE).items()
            if self.find(key) is not None and purpose in (None, file["purpose"])
        }
        return answer(page(request, rows, default=_MOST_LISTED, most=_MOST_LISTED))

    async def get(self, request: web.Request) -> web.Response:
        return answer(public(self._found(request)))

    async def content(self, request: web.Request) -> web.Response:
        file = self._found(request)
        disposition = f"attachment; filename*=UTF-8''{file['filename']}" if file["filename"].isascii() else "attachment"
        return web.Response(body=self.read(file["id"]), headers={"Content-Disposition": disposition})

    async def delete(self, request: web.Request) -> web.Response:
        key = self._found(request)["id"]
        self._state.storage.delete(TABLE, key)
        self._state.storage.blob(key).unlink(missing_ok=True)
        for listener in self.on_delete:
            listener(key)
        return answer({"id": key, "object": "file", "deleted": True})


def _expiry(parts: dict[str, Part], now: int) -> Json:
    anchor, seconds = parts.get("expires_after[anchor]"), parts.get("expires_after[seconds]")
    if anchor is None and seconds is None:
        return {}
    if anchor is None or anchor.text != "created_at":
        raise out_of_set("expires_after.anchor", anchor.text if anchor else None, ("created_at",))
    if seconds is None or not seconds.text.isdecimal() or not _SHORTEST <= int(seconds.text) <= _LONGEST:
        message = f"Invalid 'expires_after.seconds': expected a value between {_SHORTEST} and {_LONGEST}."
        raise invalid("expires_after.seconds", message)
    return {"expires_at": now + int(seconds.text)}
