"""Checks of message templates that Meta's review would make days later: variables, samples, buttons, lengths.

Sources: Twilio, "Approval statuses" and "Content types" of the Content API; Meta, "Message templates". As every check,
they read the values as written, so that they also report where something else in the file is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

from reconciler.manifest.checks import Violation
from reconciler.manifest.explain import dotted, nearest
from reconciler.manifest.literal_secrets import shown
from reconciler.manifest.shape import Loc
from schemas.templates import CALL_BODY_LIMIT, VARIABLE, fault_of_value

MAX_EMOJIS: Final = 10
_MOST_OF_KIND: Final = {"url": 2, "phone": 1, "code": 1}
"""Buttons that open something. Meta: "Call-to-action buttons"."""
_EMOJI = re.compile("[\U0001f1e6-\U0001faff☀-➿⬀-⯿]")
_BRACE = re.compile(r"\{\{[^{}]*\}\}|\{[^{}]*\}|[{}]")
_MEDIA: Final = ("jpg", "jpeg", "png", "mp4", "pdf")
_BODY_HINT: Final = "Write words there, such as Hola {nombre}, te esperamos el {dia}."


def check_templates(values: Mapping[str, Any]) -> Iterator[Violation]:
    """The violations of one client's templates, and of what reopens the window. Wrong types are left to the models."""
    templates = values.get("templates")
    declared = templates if isinstance(templates, Mapping) else {}
    for name, template in declared.items():
        if isinstance(template, Mapping):
            yield from _template(("templates", str(name)), template)
    yield from _window(values, declared)


def _template(loc: Loc, template: Mapping[str, Any]) -> Iterator[Violation]:
    used: dict[str, None] = {}
    body = template.get("body")
    if isinstance(body, str):
        yield from _variables((*loc, "body"), body, used)
        yield from _body((*loc, "body"), body, template)
    yield from _fixed(loc, template, ("header", "footer"))
    if isinstance(media := template.get("media"), str):
        yield from _media((*loc, "media"), media, template, used)
    if isinstance(buttons := template.get("buttons"), list):
        yield from _buttons((*loc, "buttons"), buttons, used)
    yield from _samples(loc, template, used)


def _variables(loc: Loc, text: str, used: dict[str, None]) -> Iterator[Violation]:
    """Notes the variables of a text; braces that are none are a violation."""
    for found in _BRACE.findall(text):
        name = VARIABLE.fullmatch(found)
        if name is not None:
            used[name[1]] = None
        else:
            inner = found.strip("{} ")
            sample = inner if re.fullmatch(r"[a-z][a-z0-9_]{0,39}", inner) else "nombre"
            hint = f"Write {{{sample}}}: lower-case letters without accents, digits and _, in single braces."
            yield Violation(loc, f"{dotted(loc)}: {shown(found)} is not a variable", hint)
            return


def _body(loc: Loc, body: str, template: Mapping[str, Any]) -> Iterator[Violation]:
    """Meta's rules for the text of a body."""
    said = body.strip()
    found = list(VARIABLE.finditer(said))
    if found and found[0].start() == 0:
        yield Violation(loc, f"{dotted(loc)}: begins with a variable, which Meta rejects", _BODY_HINT)
    elif found and found[-1].end() == len(said):
        yield Violation(loc, f"{dotted(loc)}: ends with a variable, which Meta rejects", _BODY_HINT)
    elif adjacent := next((pair for pair in pairwise(found) if _touch(said, *pair)), None):
        names = f"{{{adjacent[0][1]}}} and {{{adjacent[1][1]}}}"
        yield Violation(loc, f"{dotted(loc)}: nothing between {names}, which Meta rejects", "Write words between them.")
    words, different = fixed_words(said), len({match[1] for match in found})
    if found and words < 2 * different + 1:
        message = f"{dotted(loc)}: {words} words beside {different} variables; Meta wants {2 * different + 1} or more"
        yield Violation(loc, message, f"Write {2 * different + 1 - words} more, or use fewer variables.")
    yield from _text(loc, said)
    yield from _call_body(loc, said, template)


def _call_body(loc: Loc, said: str, template: Mapping[str, Any]) -> Iterator[Violation]:
    """Above nothing but buttons that open something a body is shorter."""
    buttons = _mappings(template.get("buttons"))
    is_card = any(template.get(key) is not None for key in ("header", "footer", "media"))
    if buttons and all(map(_opens, buttons)) and not is_card and len(said) > CALL_BODY_LIMIT:
        message = (
            f"{dotted(loc)}: {len(said):,} characters; above buttons that open something {CALL_BODY_LIMIT} at most"
        )
        yield Violation(loc, message, f"Make it shorter by {len(said) - CALL_BODY_LIMIT:,}.")


def fixed_words(text: str) -> int:
    """Words of a text without its variables."""
    return sum(1 for word in VARIABLE.sub(" ", text).split())


def _touch(text: str, first: re.Match[str], second: re.Match[str]) -> bool:
    return not text[first.end() : second.start()].strip()


def _text(loc: Loc, said: str) -> Iterator[Violation]:
    """What Meta rejects in any text, and what its reviewers do not like."""
    if not said:
        yield Violation(loc, f"{dotted(loc)}: blank", "Write the text.")
    elif "wa.me/" in said.lower():
        yield Violation(loc, f"{dotted(loc)}: a link of wa.me, which Meta rejects", "Remove it: the person is there.")
    elif "\t" in said or "    " in said:
        message = f"{dotted(loc)}: a tab, or more than three blanks in a row, which Meta rejects"
        yield Violation(loc, message, "Write one blank.")
    elif re.search(r"\n\s*\n\s*\n", said):
        message = f"{dotted(loc)}: more than one empty line in a row, which Meta rejects"
        yield Violation(loc, message, "Write one.")
    elif (emojis := len(_EMOJI.findall(said))) > MAX_EMOJIS:
        message = f"{dotted(loc)}: {emojis} emojis; Meta's reviewers often reject more than {MAX_EMOJIS}"
        yield Violation(loc, message, "Leave some out.", "warning")


def _fixed(loc: Loc, template: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[Violation]:
    """Texts without variables, on one line."""
    for key in keys:
        text = template.get(key)
        if not isinstance(text, str):
            continue
        place = (*loc, key)
        if "{" in text or "}" in text:
            yield Violation(place, f"{dotted(place)}: a variable in a {key}", "Write it without; the body may have it.")
        elif "\n" in text.strip():
            yield Violation(place, f"{dotted(place)}: a line break in a {key}", "Write one line.")
        else:
            yield from _text(place, text.strip())


def _media(loc: Loc, media: str, template: Mapping[str, Any], used: dict[str, None]) -> Iterator[Violation]:
    if template.get("header") is not None:
        message = f"{dotted(loc)}: both header and media; a template has one of them"
        yield Violation(loc, message, "Remove the header, or the file.")
    yield from _at_the_end(loc, media, used)
    ending = media.partition("?")[0].rpartition(".")[2].lower()
    if not VARIABLE.search(media) and ending not in _MEDIA:
        message = f"{dotted(loc)}: the address does not end like a picture, a video or a PDF"
        yield Violation(loc, message, f"WhatsApp takes {', '.join(f'.{kind}' for kind in _MEDIA)}.")


def _at_the_end(loc: Loc, address: str, used: dict[str, None]) -> Iterator[Violation]:
    """An address has at most one variable, which is the end of its path."""
    yield from _variables(loc, address, used)
    found = list(VARIABLE.finditer(address))
    if len(found) > 1 or (found and found[0].end() != len(address)):
        message = f"{dotted(loc)}: a variable inside of an address; Meta takes one, at its end"
        yield Violation(loc, message, "Write it like https://lacocina.cl/reservas/{codigo}.")
    elif found and address.count("/") < 3:
        message = f"{dotted(loc)}: a variable in the name of a host"
        yield Violation(loc, message, "Write it like https://lacocina.cl/reservas/{codigo}.")
    elif "://wa.me/" in address.lower():
        yield Violation(loc, f"{dotted(loc)}: a link of wa.me, which Meta rejects", "Remove it: the person is there.")


def _buttons(loc: Loc, buttons: list[Any], used: dict[str, None]) -> Iterator[Violation]:
    titles: dict[str, int] = {}
    count = dict.fromkeys(_MOST_OF_KIND, 0)
    sorts: list[bool] = []
    for index, button in enumerate(buttons):
        if not isinstance(button, Mapping):
            continue
        place, title, kinds = (*loc, index), button.get("title"), _opens(button)
        sorts.append(bool(kinds))
        if isinstance(title, str):
            yield from _title((*place, "title"), title, titles, index)
        if len(kinds) > 1:
            message = f"{dotted((*place, kinds[1]))}: both {kinds[0]} and {kinds[1]}; a button does one thing"
            yield Violation((*place, kinds[1]), message, "Make two buttons of it, or remove one.")
            continue
        for kind in kinds:
            count[kind] += 1
            if count[kind] == _MOST_OF_KIND[kind] + 1:
                message = f"{dotted((*place, kind))}: more than {_MOST_OF_KIND[kind]} buttons with {kind}"
                yield Violation((*place, kind), message, "Remove it.")
        if isinstance(button.get("url"), str):
            yield from _at_the_end((*place, "url"), button["url"], used)
    changes = sum(one is not other for one, other in pairwise(sorts))
    if changes > 1:
        message = f"{dotted(loc)}: buttons that answer between others that open something, which Meta rejects"
        yield Violation(loc, message, "Write all that answer first, then the others.")


def _title(loc: Loc, title: str, titles: dict[str, int], index: int) -> Iterator[Violation]:
    if "{" in title or "}" in title:
        yield Violation(loc, f"{dotted(loc)}: a variable in a button's title", "Write the title out.")
    elif "\n" in title or not title.strip():
        yield Violation(loc, f"{dotted(loc)}: a title is one line of words", "Write one, such as Confirmar.")
    elif titles.setdefault(title.strip().lower(), index) != index:
        message = f"{dotted(loc)}: {shown(title)} is also the title of button {titles[title.strip().lower()]}"
        yield Violation(loc, message, "Give each button a title of its own.")


def _samples(loc: Loc, template: Mapping[str, Any], used: Mapping[str, None]) -> Iterator[Violation]:
    given = template.get("samples")
    if given is not None and not isinstance(given, Mapping):
        return
    samples = given or {}
    place = (*loc, "samples")
    missing = [name for name in used if name not in samples]
    if missing:
        at = place if given is not None else (*loc, "body")
        message = f"{dotted(place)}: no sample for {', '.join(missing)}; Meta rejects a template without"
        yield Violation(at, message, f"Add samples: {{{', '.join(f'{name}: …' for name in missing)}}}.")
    for name, sample in samples.items():
        at = (*place, str(name))
        if name not in used:
            near = nearest(str(name), list(used))
            hint = f'Did you mean "{near}"?' if near else "Remove it, or use it in the text."
            yield Violation(at, f"{dotted(at)}: no text has this variable", hint)
        elif isinstance(sample, str) and (fault := fault_of_value(sample)):
            yield Violation(at, f"{dotted(at)}: {fault}", "Write a value as people would read it.")


def _window(values: Mapping[str, Any], templates: Mapping[str, Any]) -> Iterator[Violation]:
    """The template that reopens the window exists, and asks for an answer by itself."""
    window = values.get("window")
    name = window.get("reopen_with") if isinstance(window, Mapping) else None
    if not isinstance(name, str):
        return
    loc: Loc = ("window", "reopen_with")
    template = templates.get(name)
    if template is None:
        near = nearest(name, [str(known) for known in templates])
        hint = f'Did you mean "{near}"?' if near else f"Add templates: {{{name}: …}}."
        yield Violation(loc, f"{dotted(loc)}: there is no template {shown(name)}", hint)
        return
    texts = [str(template.get(key, "")) for key in ("body", "media")] if isinstance(template, Mapping) else []
    texts += [str(button.get("url", "")) for button in _mappings(template.get("buttons") if texts else None)]
    if any(VARIABLE.search(text) for text in texts):
        message = f"{dotted(loc)}: the template {shown(name)} has variables, and nothing to fill them with"
        yield Violation(loc, message, "Name one without any: it only asks for an answer.")


def _opens(button: Mapping[str, Any]) -> list[str]:
    return [kind for kind in _MOST_OF_KIND if button.get(kind) is not None]


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
