"""What a person reads whose file was not read, when there is nothing else in what they sent."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from runtime.content.parts import Audio, Content, Document, Image, Media, Part, Sticker, UnreadFile, Video, Voice
from runtime.turns.media_words import Topic, built_in
from schemas.client_language import language_of
from schemas.policy import MAX_MINUTES, MAX_PAGES, MediaPolicy, MediaSentences, Policy

_KINDS: Final[Mapping[type[Media], Topic]] = {
    Voice: "voice",
    Audio: "voice",
    Image: "images",
    Document: "documents",
    Video: "video",
}
_ONE = re.compile(r"\b(1 (?:minuto|página|minute|page))s\b")
_NO_SENTENCES: Final = MediaSentences()
_NO_RULES: Final = MediaPolicy()


def has_something(contents: Sequence[Content]) -> bool:
    """Whether anything in these messages is there for a model to answer: words, a choice, a place, a file that was
    read. A sticker says what an emoji does."""
    return any(not _is_unread(part) for content in contents for part in content.parts)


def sentence_for(contents: Sequence[Content], policy: Policy, off: str | None) -> str:
    """The sentence for messages in which nothing was read, about the first file: the client's own, or a built-in one in
    its language. `off`: the installation's, for kinds that are off."""
    media = policy.media or _NO_RULES
    part = next(part for content in contents for part in content.parts if _is_unread(part))
    own = media.sentences or _NO_SENTENCES
    topic = _topic(part)
    said: str | None = getattr(own, topic)
    if said is None and topic in _KINDS.values():
        said = media.not_understood or off
    if said is None:
        said = built_in(topic, language_of(policy), is_recording=_is_recording(part))
    return _filled(said, media)


def _is_unread(part: Part) -> bool:
    if isinstance(part, Media):
        return part.text is None and not isinstance(part, Sticker)
    return isinstance(part, UnreadFile)


def _is_recording(part: Part) -> bool:
    return isinstance(part.part if isinstance(part, UnreadFile) else part, (Voice, Audio))


def _topic(part: Part) -> Topic:
    if isinstance(part, UnreadFile):
        return _topic(part.part) if part.reason == "off" else part.reason
    for kind, topic in _KINDS.items():
        if isinstance(part, kind):
            return topic
    return "not_supported"


def _filled(text: str, media: MediaPolicy) -> str:
    voice, documents = media.voice_rules, media.documents_rules
    minutes = (voice and voice.max_minutes) or MAX_MINUTES
    pages = (documents and documents.max_pages) or MAX_PAGES
    return _ONE.sub(r"\1", text.replace("{minutes}", str(minutes)).replace("{pages}", str(pages)))
