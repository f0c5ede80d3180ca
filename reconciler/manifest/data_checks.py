"""Checks of the block `data:` that its types cannot express: what sensitive data need, and what they do not go with."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Final

from reconciler.manifest.checks import Violation, tools
from reconciler.manifest.explain import dotted, nearest
from reconciler.manifest.literal_secrets import shown
from reconciler.manifest.shape import Loc
from schemas import SENSITIVE
from schemas.data_policy import MESSAGES_SECONDS, USAGE_SECONDS, seconds_of

DATA: Final = "data"
RETENTION: Final[Loc] = (DATA, "retention")
_EXAMPLES: Final = {"messages": "180d", "media": "7d"}
"""What sensitive data need to be said of, each with an example."""
_SHORTEST: Final = {"messages": (MESSAGES_SECONDS, "2d"), "usage": (USAGE_SECONDS, "90d")}
_CARE: Final = re.compile(
    r"\b(clinicas?|hospital(es)?|dental(es)?|dentistas?|odontolog\w*|medic[oa]s?|medicina|salud|psicolog\w*"
    r"|psiquiatr\w*|kinesiolog\w*|fisioterap\w*|oftalmolog\w*|dermatolog\w*|pediatr\w*|ginecolog\w*|terapeutas?)\b"
)
_CARE_VERTICAL: Final = "Medical and Health"
_DURATION: Final = re.compile(r"[1-9][0-9]{0,3}(h|d|mo)")


def check_data(values: Mapping[str, Any]) -> Iterator[Violation]:
    """The violations of a client's block `data`, and that it is missing where a clinic's is likely to be needed."""
    block = values.get(DATA)
    data: Mapping[str, Any] = block if isinstance(block, Mapping) else {}
    yield from _retention(data)
    sensitive = data.get("sensitive")
    if isinstance(sensitive, list):
        yield from _names(sensitive)
    if sensitive or data.get("minors") is True:
        yield from _tight(values, data, "sensitive" if sensitive else "minors")
    elif "sensitive" not in data:
        yield from _clinic(values)


def _names(sensitive: list[Any]) -> Iterator[Violation]:
    for index, name in enumerate(sensitive):
        if isinstance(name, str) and name not in SENSITIVE:
            near = nearest(name, list(SENSITIVE))
            loc: Loc = (DATA, "sensitive", index)
            hint = f'Did you mean "{near}"?' if near else f"Write one of {', '.join(SENSITIVE)}."
            yield Violation(loc, f"{dotted(loc)}: {shown(name)} is not a sort of sensitive data", hint)


def _retention(data: Mapping[str, Any]) -> Iterator[Violation]:
    """Shorter than what the service itself needs."""
    block = data.get("retention")
    retention: Mapping[str, Any] = block if isinstance(block, Mapping) else {}
    for key, (shortest, said) in _SHORTEST.items():
        value = retention.get(key)
        if isinstance(value, str) and _DURATION.fullmatch(value) and seconds_of(value) < shortest:
            loc: Loc = (*RETENTION, key)
            yield Violation(loc, f"{dotted(loc)}: {value} is too short", f"Write {said} or more.")
    messages, media = (_seconds(retention.get(key)) for key in ("messages", "media"))
    if messages is not None and media is not None and media > messages and retention.get("at_twilio") is not True:
        loc = (*RETENTION, "media")
        message = f"{dotted(loc)}: {retention['media']} is longer than the messages are kept, which lead to the files"
        yield Violation(loc, message, "Make it shorter, or add at_twilio: true.")


def _seconds(value: Any) -> int | None:
    """The seconds of a duration as it is written; None for anything else."""
    if isinstance(value, str) and _DURATION.fullmatch(value):
        return seconds_of(value)
    return None


def _tight(values: Mapping[str, Any], data: Mapping[str, Any], why: str) -> Iterator[Violation]:
    """What must be written where people write about sensitive data, or are minors, and what must not be on then."""
    declared: Loc = (DATA, why)
    because = f"{dotted(declared)} is declared"
    retention = data.get("retention")
    said = retention if isinstance(retention, Mapping) else {}
    missing = {key: example for key, example in _EXAMPLES.items() if said.get(key) is None}
    if missing:
        names = " and ".join(dotted((*RETENTION, key)) for key in missing)
        examples = ", ".join(f"{key}: {example}" for key, example in missing.items())
        hint = f"Write how long they are kept, such as retention: {{{examples}}}; nothing is deleted by default."
        yield Violation(declared, f"{names}: not declared, and {because}", hint)
    for index, _ in tools(values, "web_search"):
        loc: Loc = ("assistant", "tools", index, "type")
        message = f"{dotted(loc)}: a search in the web would carry what people write to others, and {because}"
        yield Violation(loc, message, "Take the tool out.")
    replies = values.get("replies")
    if isinstance(replies, Mapping) and replies.get("typing") is True:
        loc = ("replies", "typing")
        message = f"{dotted(loc)}: Twilio's typing indicator is not for sensitive data, and {because}"
        yield Violation(loc, message, "Write typing: false, or remove the key: it is off there.")
    if data.get("replay") is True:
        loc = (DATA, "replay")
        message = f"{dotted(loc)}: what people write about sensitive data, or as children, is never tried again"
        yield Violation(loc, message, "Remove replay, or write replay: false.")


def _clinic(values: Mapping[str, Any]) -> Iterator[Violation]:
    """A client that looks like one where people write about their health, and does not say so."""
    loc = _looks_like_care(values)
    if loc is None:
        return
    message = f"{dotted(loc)}: people may write about their health here, and data.sensitive is not declared"
    hint = (
        "Write data: {sensitive: [health], retention: {messages: 180d, media: 7d}}, with consent: {text: …}, or "
        "data: {sensitive: []} where they do not."
    )
    yield Violation(loc, message, hint, "warning")


def _looks_like_care(values: Mapping[str, Any]) -> Loc | None:
    sender, metadata = values.get("sender"), values.get("metadata")
    profile = sender.get("profile") if isinstance(sender, Mapping) else None
    if isinstance(profile, Mapping) and profile.get("vertical") == _CARE_VERTICAL:
        return ("sender", "profile", "vertical")
    if _is_care(values.get("name")):
        return ("name",)
    found = metadata.items() if isinstance(metadata, Mapping) else ()
    return next((("metadata", key) for key, text in found if isinstance(key, str) and _is_care(text)), None)


def _is_care(text: Any) -> bool:
    if not isinstance(text, str):
        return False
    plain = text.casefold()
    if not plain.isascii():
        apart = unicodedata.normalize("NFKD", plain)
        plain = "".join(one for one in apart if not unicodedata.combining(one))
    return _CARE.search(plain) is not None
