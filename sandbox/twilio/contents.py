"""/v1/Content: buttons, lists, files, places and templates as contents that messages name, and their approval for
WhatsApp (`template_review` decides). PATCH /_sandbox/contents/{sid} does what Meta does without being asked: it pauses,
rejects, puts into another category.

Twilio keeps what a content consists of as it was given; what the phone shows is made when a message is sent.
"""

import asyncio
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeGuard

from aiohttp import web

from sandbox.control import body_of, refuse
from sandbox.errors import InputError
from sandbox.middleware import answer
from sandbox.state import State
from sandbox.storage import Json, new_id, public
from sandbox.twilio import content_types
from sandbox.twilio.content_types import NEVER_APPROVED, VARIABLE, Shown
from sandbox.twilio.template_review import CATEGORIES, STATUSES, reviewed
from sandbox.twilio.wire import Page, account_of, error, not_found

_TABLE = "contents"
_NAME = re.compile(r"^[a-z0-9_]{1,512}$")
_MOST_VARIABLES, _LONGEST_KEY, _LONGEST_VALUE = 100, 16, 1_600


class Contents:
    """Handlers of /v1/Content."""

    def __init__(self, state: State) -> None:
        self._state = state

    def routes(self) -> list[web.RouteDef]:
        one = "/v1/Content/{sid}"
        return [
            web.post("/v1/Content", self.create),
            web.get("/v1/Content", self.list_all),
            web.get("/v1/ContentAndApprovals", self.list_with_approvals),
            web.get(one, self.get),
            web.put(one, self.update),
            web.delete(one, self.delete),
            web.post(f"{one}/ApprovalRequests/whatsapp", self.approve),
            web.get(f"{one}/ApprovalRequests", self.approvals),
            web.patch("/_sandbox/contents/{sid}", self.judge),
        ]

    async def create(self, request: web.Request) -> web.Response:
        body = await _json(request)
        if not body.get("language"):
            raise error(400, 20001, "language is required")
        self._check(body)
        sid, now = new_id("HX"), self._now()
        url = f"https://content.twilio.com/v1/Content/{sid}"
        content: Json = {
            "sid": sid,
            "account_sid": account_of(request),
            "friendly_name": body.get("friendly_name"),
            "language": body["language"],
            "variables": body.get("variables") or {},
            "types": body["types"],
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

    def _now(self) -> str:
        return datetime.fromtimestamp(self._state.settings.time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _check(self, body: Json) -> None:
        """Raises Twilio's error for a content that it does not accept."""
        types = body.get("types")
        if not isinstance(types, dict):
            raise error(400, 20001, "types is an object, and required")
        for name in ("friendly_name", "language"):
            if not isinstance(body.get(name, ""), str):
                raise error(400, 20001, f"{name} is not a string")
        if not _are_texts(body.get("variables", {})):
            raise error(400, 20001, "variables is an object of strings")
        if fault := content_types.fault_of(types):
            raise error(400, 20001, fault)
        named = {found for _, text in content_types.texts_of(types) for found in VARIABLE.findall(text)}
        if len(named) > _MOST_VARIABLES:
            raise error(400, 20001, f"more than {_MOST_VARIABLES} variables")
        if not self._state.settings.values.button_variables and _has_button_variables(types):
            raise error(400, 20001, "types.twilio/quick-reply.actions cannot have variables")

    def _found(self, request: web.Request) -> Json:
        content = self._state.storage.get(_TABLE, request.match_info["sid"])
        if content is None or content["account_sid"] != account_of(request):
            raise not_found(request.path)
        return reviewed(self._state, content)

    async def list_all(self, request: web.Request) -> web.Response:
        rows = self._state.storage.rows(_TABLE)
        page = Page(request, [sid for sid, row in rows.items() if row["account_sid"] == account_of(request)], 50)
        return answer({"meta": page.meta("contents"), "contents": [public(rows[sid]) for sid in page.keys]})

    async def get(self, request: web.Request) -> web.Response:
        return answer(public(self._found(request)))

    async def update(self, request: web.Request) -> web.Response:
        """Replaces what a content consists of, as long as it was not submitted."""
        content = self._found(request)
        if content["_approval"]["status"] != "unsubmitted":
            raise error(400, 20001, "A content that was submitted for approval cannot be changed")
        body = await _json(request)
        self._check(body)
        changed: Json = {
            name: body[name] for name in ("friendly_name", "language", "variables", "types") if name in body
        }
        row: Json = {**content, **changed, "date_updated": self._now()}
        return answer(public(self._state.storage.put(_TABLE, content["sid"], row)))

    async def list_with_approvals(self, request: web.Request) -> web.Response:
        rows = self._state.storage.rows(_TABLE)
        page = Page(request, [sid for sid, row in rows.items() if row["account_sid"] == account_of(request)], 50)
        shown: list[Json] = []
        for sid in page.keys:
            row = reviewed(self._state, rows[sid])
            content: Json = {**public(row), "approval_requests": public(row["_approval"])}
            shown.append({name: value for name, value in content.items() if name not in ("url", "links")})
        return answer({"meta": page.meta("contents"), "contents": shown})

    async def delete(self, request: web.Request) -> web.Response:
        self._state.storage.delete(_TABLE, self._found(request)["sid"])
        return web.Response(status=204)

    async def approve(self, request: web.Request) -> web.Response:
        content = self._found(request)
        body = await _json(request)
        name, category = body.get("name"), body.get("category")
        if not isinstance(name, str) or not _NAME.match(name):
            raise error(400, 20001, "name has lowercase letters, digits and underscores only")
        if category not in CATEGORIES:
            raise error(400, 20001, f"category is one of {', '.join(CATEGORIES)}")
        if not _is_whole(body.get("send_ttl_seconds", 0)):
            raise error(400, 20001, "send_ttl_seconds is not a whole number")
        kind, _ = content_types.chosen(content["types"])
        if kind in NEVER_APPROVED:
            raise error(400, 20001, f"{kind} cannot be submitted for approval")
        if content["_approval"]["status"] != "unsubmitted":
            raise error(400, 20001, "The content was submitted already")
        if any(_is_rejected(row, content["account_sid"], name) for row in self._state.storage.values(_TABLE)):
            raise error(400, 20001, f"The name {name} was rejected before; submit it with another name")
        approval = {
            "name": name,
            "category": category,
            "content_type": kind,
            "status": "received",
            "rejection_reason": "",
            "allow_category_change": True,
            "_at": self._state.settings.time(),
        }
        self._state.storage.put(_TABLE, content["sid"], {**content, "_approval": approval})
        self._state.background.start(self._decide(content["sid"]))
        return answer(public(approval), 201)

    async def _decide(self, sid: str) -> None:
        """Meta's decision when it is due, for subscribers; a read of the content decides, too."""
        await asyncio.sleep(self._state.settings.values.template_review_seconds)
        content = self._state.storage.get(_TABLE, sid)
        if content is not None:
            reviewed(self._state, content)

    async def approvals(self, request: web.Request) -> web.Response:
        content = self._found(request)
        url = f"https://content.twilio.com/v1/Content/{content['sid']}/ApprovalRequests"
        account, approval = content["account_sid"], public(content["_approval"])
        return answer({"sid": content["sid"], "account_sid": account, "whatsapp": approval, "url": url})

    async def judge(self, request: web.Request) -> web.Response:
        """What Meta does to a submitted template by itself: another status, a reason, another category."""
        content = self._state.storage.get(_TABLE, request.match_info["sid"])
        if content is None or content["_approval"]["status"] == "unsubmitted":
            return refuse(404, f"there is no submitted content {request.match_info['sid']}")
        try:
            changes = _checked(await body_of(request))
        except InputError as problem:
            return refuse(400, str(problem))
        former = reviewed(self._state, content)
        row = self._state.storage.put(
            _TABLE, content["sid"], {**former, "_approval": {**former["_approval"], **changes}}
        )
        self._state.template_changed(former, row)
        return answer(public(row["_approval"]))


def _is_rejected(row: Json, account: str, name: str) -> bool:
    approval = row["_approval"]
    return bool(row["account_sid"] == account and (approval.get("name"), approval["status"]) == (name, "rejected"))


def _checked(changes: Json) -> Json:
    """Raises InputError with a sentence."""
    allowed = {"status": STATUSES, "category": CATEGORIES, "rejection_reason": None}
    for key, value in changes.items():
        if key not in allowed:
            raise InputError(f"unknown key {key!r}; allowed are: {', '.join(allowed)}")
        choices = allowed[key]
        if choices is not None and value not in choices:
            raise InputError(f"{key} is one of {', '.join(choices)}, not {value!r}")
    return changes


@dataclass(frozen=True, slots=True)
class ContentMessage:
    """A content as one message shows it."""

    shown: Shown
    category: str | None
    """`utility`, `marketing` or `authentication` if it is approved: without approval WhatsApp gets an ordinary message
    and no template."""

    @property
    def failure(self) -> Json | None:
        """How the message ends, where WhatsApp does not accept it."""
        if self.shown.missing:
            text = "Number of parameters provided does not match the expected number of parameters"
            return {"status": "failed", "code": 63028, "message": text}
        if fault := self.shown.fault(is_approved=self.category is not None):
            return {"status": "failed", "code": 63021, "message": f"Channel invalid content error: {fault}"}
        return None


def rendered(state: State, account: str, sid: str, variables: str) -> ContentMessage:
    """A content with these variables, which replace its own. Raises Twilio's errors."""
    content = state.storage.get(_TABLE, sid)
    if content is None or content["account_sid"] != account:
        raise error(400, 21655, f"The ContentSid {sid} is invalid")
    approval = reviewed(state, content)["_approval"]
    is_approved = approval["status"] == "approved"
    given = _variables(variables, is_approved=is_approved)
    shown = content_types.show(content["types"], {**content["variables"], **given})
    return ContentMessage(shown, approval["category"].lower() if is_approved else None)


def _variables(text: str, *, is_approved: bool) -> dict[str, str]:
    """The values in `ContentVariables`: a JSON object of texts."""
    try:
        given = json.loads(text) if text else {}
    except ValueError:
        given = None
    if not _are_texts(given) or len(given) > _MOST_VARIABLES:
        raise error(400, 21656, "The ContentVariables parameter is invalid")
    for key, value in given.items():
        if len(key) > _LONGEST_KEY or len(value) > _LONGEST_VALUE or (is_approved and re.search(r"[\r\n\t]", value)):
            raise error(400, 21656, f"The ContentVariables parameter is invalid: {key}")
    return dict(given)


def _has_button_variables(types: Json) -> bool:
    """Whether titles or ids of quick replies have variables."""
    buttons = (types.get("twilio/quick-reply") or {}).get("actions", [])
    return any(VARIABLE.search(text) for button in buttons for text in button.values())


def _are_texts(value: object) -> TypeGuard[dict[str, str]]:
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
