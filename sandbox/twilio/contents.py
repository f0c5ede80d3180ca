"""/v1/Content: message templates and their approval for WhatsApp. Enough to send one outside the 24-hour window;
approval is given at once.
"""

import json
import re
import time
from datetime import UTC, datetime

from aiohttp import web

from sandbox.middleware import answer
from sandbox.state import State
from sandbox.storage import Json, Storage, new_id, public
from sandbox.twilio.wire import Page, account_of, error, not_found

_TABLE = "contents"
_NAME = re.compile(r"^[a-z0-9_]{1,512}$")
_CATEGORIES = ("UTILITY", "MARKETING", "AUTHENTICATION")
_VARIABLE = re.compile(r"\{\{(\w+)\}\}")


class Contents:
    """Handlers of /v1/Content."""

    def __init__(self, state: State) -> None:
        self._state = state

    def routes(self) -> list[web.RouteDef]:
        one = "/v1/Content/{sid}"
        return [
            web.post("/v1/Content", self.create),
            web.get("/v1/Content", self.list_all),
            web.get(one, self.get),
            web.delete(one, self.delete),
            web.post(f"{one}/ApprovalRequests/whatsapp", self.approve),
            web.get(f"{one}/ApprovalRequests", self.approvals),
        ]

    async def create(self, request: web.Request) -> web.Response:
        body = await _json(request)
        types = body.get("types")
        if not isinstance(types, dict) or not types or not body.get("language"):
            raise error(400, 20001, "language and types are required")
        for name in ("friendly_name", "language"):
            if not isinstance(body.get(name, ""), str):
                raise error(400, 20001, f"{name} is not a string")
        if not _are_texts(body.get("variables", {})) or not all(isinstance(part, dict) for part in types.values()):
            raise error(400, 20001, "variables and types are objects, variables of strings")
        sid, now = new_id("HX"), datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        url = f"https://content.twilio.com/v1/Content/{sid}"
        content: Json = {
            "sid": sid,
            "account_sid": account_of(request),
            "friendly_name": body.get("friendly_name"),
            "language": body["language"],
            "variables": body.get("variables") or {},
            "types": types,
            "date_created": now,
            "date_updated": now,
            "url": url,
            "links": {
                "approval_create": f"{url}/ApprovalRequests/whatsapp",
                "approval_fetch": f"{url}/ApprovalRequests",
            },
            "_approval": {"status": "unsubmitted"},
        }
        return answer(public(self._state.storage.put(_TABLE, sid, content)), 201)

    def _found(self, request: web.Request) -> Json:
        content = self._state.storage.get(_TABLE, request.match_info["sid"])
        if content is None or content["account_sid"] != account_of(request):
            raise not_found(request.path)
        return content

    async def list_all(self, request: web.Request) -> web.Response:
        rows = self._state.storage.rows(_TABLE)
        page = Page(request, [sid for sid, row in rows.items() if row["account_sid"] == account_of(request)], 50)
        return answer({"meta": page.meta("contents"), "contents": [public(rows[sid]) for sid in page.keys]})

    async def get(self, request: web.Request) -> web.Response:
        return answer(public(self._found(request)))

    async def delete(self, request: web.Request) -> web.Response:
        self._state.storage.delete(_TABLE, self._found(request)["sid"])
        return web.Response(status=204)

    async def approve(self, request: web.Request) -> web.Response:
        content = self._found(request)
        body = await _json(request)
        name, category = body.get("name"), body.get("category")
        if not isinstance(name, str) or not _NAME.match(name):
            raise error(400, 20001, "name has lowercase letters, digits and underscores only")
        if category not in _CATEGORIES:
            raise error(400, 20001, f"category is one of {', '.join(_CATEGORIES)}")
        if not _is_whole(body.get("send_ttl_seconds", 0)):
            raise error(400, 20001, "send_ttl_seconds is not a whole number")
        approval = {
            "name": name,
            "category": category,
            "content_type": next(iter(content["types"])),
            "status": "approved",
            "rejection_reason": "",
            "allow_category_change": True,
        }
        self._state.storage.put(_TABLE, content["sid"], {**content, "_approval": approval})
        return answer({**approval, "status": "received"}, 201)

    async def approvals(self, request: web.Request) -> web.Response:
        content = self._found(request)
        url = f"https://content.twilio.com/v1/Content/{content['sid']}/ApprovalRequests"
        account = content["account_sid"]
        return answer({"sid": content["sid"], "account_sid": account, "whatsapp": content["_approval"], "url": url})


def rendered(storage: Storage, account: str, sid: str, variables: str) -> tuple[str, bool]:
    """A template's text with these variables, and whether it is approved. Raises Twilio's errors."""
    content = storage.get(_TABLE, sid)
    if content is None or content["account_sid"] != account:
        raise error(400, 21655, f"The ContentSid {sid} is invalid")
    try:
        given = json.loads(variables) if variables else {}
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise error(400, 21656, "The ContentVariables parameter is invalid")
    body = str(next(iter(content["types"].values())).get("body", ""))
    values = {**content["variables"], **given}
    text = _VARIABLE.sub(lambda found: str(values.get(found.group(1), found.group(0))), body)
    return text, content["_approval"]["status"] == "approved"


def _are_texts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


async def _json(request: web.Request) -> Json:
    try:
        body = json.loads(await request.read())
    except ValueError:
        raise error(400, 20001, "The request body is not valid JSON") from None
    if not isinstance(body, dict):
        raise error(400, 20001, "The request body is not a JSON object")
    return body
