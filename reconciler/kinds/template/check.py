"""What Meta says about a client's templates: none of it stops anything else of the client."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.kinds.context import ClientContext
from reconciler.kinds.template.live import former, matches
from reconciler.model import Finding, Severity
from reconciler.readers.twilio import LiveTemplate
from schemas.templates import is_content_of

SUBMITTED = ("received", "pending")


def findings(context: ClientContext) -> Iterator[Finding]:
    """Rejections, pauses, other categories; what waits; what `--prune` would delete. Raises `Withheld`."""
    if "template" not in context.client.resources and context.applied("template") is None:
        return
    matched = matches(context)
    for name, live in matched.items():
        found = _finding(context, name, live)
        if found is not None:
            yield Finding(found[0], found[1], context.id, "template", is_drift=found[0] == "warning")
    left = former(context, matched)
    if left and not context.prune:
        what = "1 former template is" if len(left) == 1 else f"{len(left)} former templates are"
        yield Finding("notice", f"{what} left at Twilio; --prune deletes them", context.id, "template")


def _finding(context: ClientContext, name: str, live: LiveTemplate) -> tuple[Severity, str] | None:
    template = (context.manifest.client.templates or {})[name]
    what = f"the template {name!r} ({live.name})"
    if not is_content_of(template, live.document):
        return "error", (
            f"{what} was changed at Twilio and says something else than the manifest; give the declared one another "
            "word, which makes another template, or delete that content"
        )
    reason = f": {live.rejection_reason}" if live.rejection_reason else ""
    match live.status:
        case "rejected":
            return "error", f"Meta rejected {what}{reason}; change its text, which makes another template"
        case "disabled":
            return "error", f"Meta has disabled {what}{reason}; declare another text"
        case "paused":
            return "warning", f"Meta has paused {what}, since people blocked or reported it; send it to fewer"
    if live.category is not None and live.category != template.category:
        return "warning", (
            f"Meta charges {what} as {live.category}, declared as {template.category}; change its text, or declare "
            f"category: {live.category}, which makes another template"
        )
    if live.status in SUBMITTED:
        return "notice", f"{what} waits for Meta's approval, mostly less than an hour"
    return None
