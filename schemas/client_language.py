"""The language in which the runtime speaks for a client, where its words are not the model's: taken from what the
manifest says already.

    media.voice.languages   what people speak there     ──┐
    templates.….language    what the client writes them ──┴──► the first one of es, en, pt; without any of them es,
                                                               or en where every language that is named is far from it
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

from schemas.policy import Policy

ClientLanguage: TypeAlias = Literal["es", "en", "pt"]
_KNOWN: Final[dict[str, ClientLanguage]] = {"es": "es", "en": "en", "pt": "pt"}
_BESIDE_SPANISH: Final = frozenset({"ay", "ca", "eu", "gl", "gn", "qu"})
"""Languages whose speakers mostly read Spanish, too: Aymara, Catalan, Basque, Galician, Guaraní, Quechua."""


def language_of(policy: Policy) -> ClientLanguage:
    """The language of a client's built-in sentences."""
    named = list(_named(policy))
    found = next((_KNOWN[language] for language in named if language in _KNOWN), None)
    if found is not None:
        return found
    return "en" if named and _BESIDE_SPANISH.isdisjoint(named) else "es"


def _named(policy: Policy) -> Iterator[str]:
    """The languages that a policy names, as ISO 639-1 with some of three letters, in order of their weight."""
    voice = policy.media.voice_rules if policy.media is not None else None
    yield from (voice.languages or ()) if voice is not None else ()
    for template in (policy.templates or {}).values():
        yield template.language.partition("_")[0]
