"""What a turn sends besides words: the built-in tools, carried out.

    call of a tool ──► checked, and the model gets the result (`Sending.result`); nothing has an effect yet
    end of the turn ──► the accepted calls as messages (`sent_with`), in the commit that ends it

Both steps read a call in the same way. What WhatsApp would not show is refused with the reason, so that the model can
shorten it, or say it in words.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import structlog

from runtime.delivery.file_links import path_of_file
from runtime.delivery.formatting import label_text, whatsapp_text
from runtime.delivery.splitting import as_kept, is_within
from runtime.engines.sending import HANDED_OVER, OFFERED, OFFERED_AS_LIST, SENT, AcceptedCall, accepted_calls
from runtime.store import files
from runtime.store.database.database import Database
from runtime.store.messages.outbound_content import (
    OutboundContent,
    OutboundLocation,
    OutboundMedia,
    OutboundTemplate,
)
from runtime.text import is_blank
from schemas.client_language import ClientLanguage, language_of
from schemas.content_shapes import (
    BUTTON_LIMIT,
    DESCRIPTION_LIMIT,
    MAX_BUTTONS,
    MAX_ROWS,
    MIN_ROWS,
    ROW_LIMIT,
    TEXT_LIMIT,
    shape_of_buttons,
    shape_of_list,
    variables_of_buttons,
    variables_of_list,
)
from schemas.function_names import HAND_OVER, OFFER_BUTTONS, OFFER_LIST, SEND_DOCUMENT, SEND_IMAGE, SEND_LOCATION
from schemas.policy import MediaPolicy
from schemas.policy_document import PolicyDocument, StoredFile
from schemas.sending_tools import MAX_SENDS, OFFERS, SENDING, sending_tools

T = TypeVar("T")

CAPTION_LIMIT = 1024
"""Characters of a caption. WhatsApp shows captions below pictures; documents have none through Twilio."""
OPENERS: Mapping[ClientLanguage, str] = {"es": "Ver opciones", "en": "See options", "pt": "Ver opções"}
"""What opens a list that stands for buttons."""
IN_WORDS = "write the choices as text instead"

_NO_MEDIA = MediaPolicy()

log = structlog.get_logger("runtime.turn")


class CannotSend(Exception):
    """A call that sends nothing, with the reason for the model."""


class SentWith(NamedTuple):
    """What accompanies an answer."""

    before: Sequence[OutboundContent]
    """Files and places, in the order of the calls; the words of the answer follow them."""
    offer: OutboundContent | None
    """Buttons or a list, which are the last message."""


def tools_of(policy: PolicyDocument, names: Iterable[str]) -> list[dict[str, Any]]:
    """The built-in tools that a policy declares. A function of the client's with such a name, which an older program
    accepted, comes first: `names` are those of its functions."""
    media = policy.media or _NO_MEDIA
    buttons = policy.replies is not None and policy.replies.buttons is True
    people = policy.handoff is not None
    if not (policy.files or media.places or buttons or people):
        return []
    declared = policy.files or {}
    images = [name for name, file in declared.items() if file.is_image]
    documents = [name for name, file in declared.items() if not file.is_image]
    taken = set(names)
    tools = sending_tools(documents, images, media.places or {}, buttons=buttons, people=people)
    return [tool for tool in tools if tool["name"] not in taken]


def sent_with(notes: Iterable[Mapping[str, Any]], policy: PolicyDocument) -> SentWith:
    """The messages of the accepted calls in an engine's notes. What is not declared any more is left out."""
    before: list[OutboundContent] = []
    offer: OutboundContent | None = None
    for call in accepted_calls(notes):
        try:
            content = _content_of(call, policy)
        except CannotSend as reason:
            log.warning("accepted_call_dropped", tool=call.name, error=str(reason))
            continue
        if call.name in OFFERS:
            offer = content
        else:
            before.append(content)
    return SentWith(before, offer)


@dataclass(slots=True)
class Sending:
    """Answers the calls of one attempt at a turn."""

    policy: PolicyDocument
    database: Database
    accepted: list[AcceptedCall] = field(default_factory=list)
    """Also those of earlier attempts."""

    def answers(self, name: str) -> bool:
        """Whether a function is one of these tools."""
        return name in SENDING or name == HAND_OVER

    async def result(self, name: str, arguments: str) -> str:
        """The result that the model gets, as JSON."""
        call = AcceptedCall(name, arguments)
        if name == HAND_OVER:
            return self._handed_over()
        try:
            content = _content_of(call, self.policy)
            self._check_number(call, content)
            # Noted before the look-up, since the calls of one response are made concurrently.
            self.accepted.append(call)
            if isinstance(content, OutboundMedia):
                await self._check_stored(call)
        except CannotSend as reason:
            log.info("tool_called", tool=name, error=str(reason))
            return json.dumps({"error": str(reason)}, ensure_ascii=False)
        log.info("tool_called", tool=name, error=None)
        if name not in OFFERS:
            return SENT
        return OFFERED_AS_LIST if name == OFFER_BUTTONS and _is_list(content, self.policy) else OFFERED

    def _handed_over(self) -> str:
        """There are people to pass the conversation to as long as the manifest says so."""
        is_possible = self.policy.handoff is not None
        log.info("tool_called", tool=HAND_OVER, error=None if is_possible else "no handoff in the bot's policy")
        if is_possible:
            return HANDED_OVER
        return json.dumps({"error": "no person can take over here; help as far as you can"})

    def _check_number(self, call: AcceptedCall, content: OutboundContent) -> None:
        if call.name in OFFERS and any(other.name in OFFERS for other in self.accepted):
            raise CannotSend("there are buttons or a list in this answer already; one answer has one of them")
        if any(_is_same(other, content, self.policy) for other in self.accepted):
            raise CannotSend("it is sent with this answer already")
        if len(self.accepted) >= MAX_SENDS:
            raise CannotSend(f"one answer sends at most {MAX_SENDS} things; offer the others for the next message")

    async def _check_stored(self, call: AcceptedCall) -> None:
        file = _file_of(_arguments(call), self.policy)
        if await self.database.read(files.size_of, file.sha256) is None:
            self.accepted.remove(call)
            log.error("file_missing", file=file.path, sha256=file.sha256, hint="run reconcile: it stores the file")
            raise CannotSend("the file is not available now; say so, and offer help in words")


def _is_same(call: AcceptedCall, content: OutboundContent, policy: PolicyDocument) -> bool:
    """Whether an accepted call sends this. What an earlier attempt accepted may not be declared any more."""
    try:
        return _content_of(call, policy) == content
    except CannotSend:
        return False


def _content_of(call: AcceptedCall, policy: PolicyDocument) -> OutboundContent:
    """What a call sends; raises CannotSend."""
    arguments = _arguments(call)
    match call.name:
        case name if name in (SEND_DOCUMENT, SEND_IMAGE):
            return _media(name, arguments, policy)
        case name if name == SEND_LOCATION:
            return _place(arguments, policy)
        case name if name in (OFFER_BUTTONS, OFFER_LIST):
            if not (policy.replies and policy.replies.buttons):
                raise CannotSend(f"there are no buttons and lists here; {IN_WORDS}")
            return (_buttons if name == OFFER_BUTTONS else _list)(arguments, policy)
        case _:
            raise CannotSend(f"there is no tool {call.name}")


def _arguments(call: AcceptedCall) -> Mapping[str, Any]:
    try:
        arguments = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError) as error:
        raise CannotSend("the arguments are not valid JSON, or too deeply nested") from error
    if not isinstance(arguments, dict):
        raise CannotSend("the arguments are not an object")
    return arguments


def _media(tool: str, arguments: Mapping[str, Any], policy: PolicyDocument) -> OutboundMedia:
    file = _file_of(arguments, policy)
    if file.is_image != (tool == SEND_IMAGE):
        other = SEND_IMAGE if file.is_image else SEND_DOCUMENT
        raise CannotSend(f"this is {'a picture' if file.is_image else 'a document'}; {other} sends it")
    caption = arguments.get("caption")
    text = _words(caption, "caption", CAPTION_LIMIT) if file.is_image and caption else ""
    return OutboundMedia(path_of_file(file.sha256, file.file_name), text)


def _file_of(arguments: Mapping[str, Any], policy: PolicyDocument) -> StoredFile:
    return _named(arguments, policy.files or {}, "file")


def _place(arguments: Mapping[str, Any], policy: PolicyDocument) -> OutboundLocation:
    place = _named(arguments, (policy.media or _NO_MEDIA).places or {}, "place")
    return OutboundLocation(place.latitude, place.longitude, as_kept(place.name), as_kept(place.address or ""))


def _named(arguments: Mapping[str, Any], declared: Mapping[str, T], kind: str) -> T:
    found = declared.get(str(arguments.get("name")))
    if found is None:
        raise CannotSend(f"there is no such {kind}; there are: {', '.join(sorted(declared)) or 'none'}")
    return found


def buttons_of(text: str, titles: Sequence[str], policy: PolicyDocument) -> OutboundContent | None:
    """A text with buttons, or a list of them; None where the client offers none, or Twilio does not take them."""
    try:
        if policy.replies is not None and policy.replies.buttons:
            return _buttons({"text": text, "buttons": list(titles)}, policy)
    except CannotSend:
        pass
    return None


def _buttons(arguments: Mapping[str, Any], policy: PolicyDocument) -> OutboundTemplate:
    """Buttons; a list of them in an account at which Twilio refuses buttons (`schemas.content_shapes`)."""
    text = _words(arguments.get("text"), "text", TEXT_LIMIT)
    given = _listed(arguments.get("buttons"), "buttons", 1, MAX_BUTTONS)
    titles = [_label(title, f"buttons[{index}]", BUTTON_LIMIT) for index, title in enumerate(given)]
    _check_distinct(titles)
    contents, rows = policy.contents or {}, [(title, "") for title in titles]
    listed = contents.get(shape_of_list(rows))
    if shape_of_buttons(titles) not in contents and listed is not None:
        opener = OPENERS[language_of(policy)]
        return OutboundTemplate(listed, text, variables_of_list(text, opener, rows), tuple(titles))
    sid = _sid(contents, shape_of_buttons(titles))
    return OutboundTemplate(sid, text, variables_of_buttons(text, titles), tuple(titles))


def _is_list(content: OutboundContent, policy: PolicyDocument) -> bool:
    """Whether a content is one of the account's lists."""
    lists = {sid for shape, sid in (policy.contents or {}).items() if shape.startswith("list-")}
    return isinstance(content, OutboundTemplate) and content.content_sid in lists


def _list(arguments: Mapping[str, Any], policy: PolicyDocument) -> OutboundTemplate:
    text = _words(arguments.get("text"), "text", TEXT_LIMIT)
    button = _label(arguments.get("button"), "button", BUTTON_LIMIT)
    rows = list(_rows(_listed(arguments.get("rows"), "rows", MIN_ROWS, MAX_ROWS)))
    _check_distinct([title for title, _ in rows])
    if not all(description for _, description in rows):
        rows = [(title, "") for title, _ in rows]
    sid = _sid(policy.contents or {}, shape_of_list(rows))
    options = tuple(": ".join(filter(None, row)) for row in rows)
    return OutboundTemplate(sid, text, variables_of_list(text, button, rows), options)


def _rows(given: Sequence[Any]) -> Iterator[tuple[str, str]]:
    for index, row in enumerate(given):
        if not isinstance(row, dict):
            raise CannotSend(f"rows[{index}] is not an object with title")
        described = row.get("description")
        description = _label(described, f"rows[{index}].description", DESCRIPTION_LIMIT) if described else ""
        yield _label(row.get("title"), f"rows[{index}].title", ROW_LIMIT), description


def _listed(value: Any, name: str, least: int, most: int) -> Sequence[Any]:
    if not isinstance(value, list) or not least <= len(value) <= most:
        raise CannotSend(f"{name} must be a list of {least} to {most}; {IN_WORDS} where there are others")
    return value


def _check_distinct(titles: Sequence[str]) -> None:
    if len(set(titles)) < len(titles):
        raise CannotSend("two choices say the same; WhatsApp shows each once")


def _sid(contents: Mapping[str, str], shape: str) -> str:
    sid = contents.get(shape)
    if sid is None and contents:
        raise CannotSend(f"Twilio does not take these here; {IN_WORDS}")
    if sid is None:
        log.error("content_missing", shape=shape, hint="run reconcile: it makes the contents of the Twilio account")
        raise CannotSend(f"buttons and lists cannot be shown now; {IN_WORDS}")
    return sid


def _words(value: Any, name: str, limit: int) -> str:
    """A text as WhatsApp shows it; raises CannotSend for none, and for one that is too long."""
    text = as_kept(whatsapp_text(value)) if isinstance(value, str) else ""
    return _checked(text, name, limit)


def _label(value: Any, name: str, limit: int) -> str:
    """The same for one line without formats."""
    text = as_kept(label_text(value)) if isinstance(value, str) else ""
    return _checked(text, name, limit)


def _checked(text: str, name: str, limit: int) -> str:
    if is_blank(text):
        raise CannotSend(f"{name} must be a text")
    if not is_within(text, limit):
        raise CannotSend(f"{name} has {len(text)} characters, {limit} at most; shorten it, or {IN_WORDS}")
    return text
