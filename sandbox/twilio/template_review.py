"""Meta's review of templates, as far as its rules are published; it decides some time after a template is submitted.

A template is rejected for what a machine can check: where its variables are, that they are numbered without gaps, that
there are samples, and that enough of it is fixed text. What people at Meta judge, a test decides by the setting
`template_review`, or by `PATCH /_sandbox/contents/{sid}`.
"""

import re
from collections.abc import Mapping
from typing import Any

from sandbox.state import State
from sandbox.storage import Json
from sandbox.twilio.content_types import VARIABLE, chosen, texts_of

STATUSES = ("unsubmitted", "received", "pending", "approved", "rejected", "paused", "disabled")
CATEGORIES = ("UTILITY", "MARKETING", "AUTHENTICATION")
WAITING = ("received", "pending")
INVALID = "INVALID_FORMAT"
JUDGED = "TAG_CONTENT_MISMATCH"
_FORM = re.compile(r"\{\{ ?(\d+) ?\}\}")


def reviewed(state: State, content: Json) -> Json:
    """A content with the decision about it, once that is due."""
    approval = content["_approval"]
    settings = state.settings
    if approval["status"] not in WAITING or settings.values.template_review == "pending":
        return content
    if settings.time() < approval["_at"] + settings.values.template_review_seconds:
        return content
    reason = _reason(settings.values.template_review, content)
    decided = {"status": "rejected" if reason else "approved", "rejection_reason": reason}
    now = state.storage.put("contents", content["sid"], {**content, "_approval": {**approval, **decided}})
    state.template_changed(content, now)
    return now


def _reason(how: str, content: Json) -> str:
    if how == "reject":
        return JUDGED
    return "" if how == "approve" else fault_of_template(content["types"], content["variables"])


def fault_of_template(types: Mapping[str, Any], samples: Mapping[str, str]) -> str:
    """Why the published rules reject a template; empty where they do not."""
    _, value = chosen(types)
    used = list(dict.fromkeys(found for _, text in texts_of(value) for found in VARIABLE.findall(text)))
    if sorted(used, key=lambda key: (len(key), key)) != [str(number) for number in range(1, len(used) + 1)]:
        return INVALID
    if any(not samples.get(key, "").strip() for key in used):
        return INVALID
    body = str(value.get("body", "")).strip()
    if body.startswith("{{") or body.endswith("}}") or re.search(r"\}\}\s*\{\{", body) or "wa.me/" in body:
        return INVALID
    different = len(set(_FORM.findall(body)))
    # A comma that stands alone once the variables are left out counts as a word.
    if different and len(_FORM.sub("", body).split()) < 2 * different + 1:
        return INVALID
    return ""
