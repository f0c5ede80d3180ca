"""A plan's digest, which is approved in a pull request and applied with `--expect`."""

from __future__ import annotations

import hashlib
import json

from reconciler.model import Plan


def digest(plan: Plan) -> str:
    """64 hex digits that are equal exactly when the plans' content is: client, resource, old and new values.

    The reasons and authors of changes are not part of it: applying would do the same.
    """
    content = [
        [
            change.client,
            change.kind,
            change.action,
            change.key,
            change.live_id,
            sorted(([list(field.steps), field.old, field.new] for field in change.fields), key=repr),
            change.after,
        ]
        for change in plan.work
    ]
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
