"""Pydantic's errors, in sentences for the author of the manifest. The value of a secret's key is never repeated."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from reconciler.manifest import shape
from reconciler.manifest.literal_secrets import looks_secret, shown
from reconciler.manifest.shape import Loc, Spot
from schemas import Client, SecretRef
from schemas.addresses import number_of
from schemas.hours import DAY_KEYS, WEEKDAYS
from schemas.iso_codes import CURRENCIES
from schemas.templates import LANGUAGES

_WANTED = {
    "string_type": "a text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "list_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
}
_SYNONYMS = {
    "twilio_phone_number": "number",
    "phone_number": "number",
    "phone": "number",
    "numero": "number",
    "nombre": "name",
    "status": "state",
    "estado": "state",
    "prompt": "instructions",
    "system_prompt": "instructions",
    "instrucciones": "instructions",
    "modelo": "model",
    "herramientas": "tools",
    "perfil": "profile",
    "horario": "hours",
    "horarios": "hours",
    **dict(
        zip(
            ("mon", "tue", "wed", "thu", "fri", "sat", "sun", "mon-fri", "mon-sat", "mon-sun"),
            (*WEEKDAYS, "lun-vie", "lun-sab", "lun-dom"),
            strict=True,
        )
    ),
    "metadatos": "metadata",
}
_TEXT_OR_TEXTS = ("say", "contains", "not_contains")
_DISPLAY_NAME = ("name", "nombre", "displayname", "verifiedname")
_FORMATS = {
    "id": ("is not an id", "Use lower-case letters, digits and single hyphens"),
    "number": ("is not a phone number in E.164", "Write +, country code and number, digits only"),
    "env": ("is not the name of an environment variable", "Use capitals, digits and _, beginning with a letter"),
    "url": ("is not a web address", "Begin with https://"),
    "logo_url": ("is not a web address", "Begin with https://"),
    "websites": ("is not a web address", "Begin with https://"),
    "emails": ("is not an e-mail address", "Write it like hola@lacocina.cl"),
    "notify": ("is not an e-mail address", "Write it like turno@lacocina.cl"),
    "file": ("is not a path below clients.d", "Write it relative to the manifest, with /, like la-cocina/prompt.md"),
    "files": ("is not a path below clients.d", "Write it relative to the manifest, with /, like la-cocina/menu.pdf"),
    "vector_store": ("is not the id of a vector store", "Copy it from OpenAI's console; it begins with vs_"),
    "sid": ("is not a Twilio account SID", "It has AC and 32 hexadecimal digits, lower case"),
    "until": ("is not a date", 'Write year, month and day, like "2026-12-15"'),
    "expires_after": ("is not a duration", "Write a number and h, d or mo, like 30d"),
    "retention": ("is not a duration", "Write a number and h, d or mo, like 30d, or 0 for once it has been used"),
    "sensitive": ("is not the name of such data", "Write it in lower case, like health"),
    "languages": ("is not a language code", "Write the two letters of ISO 639-1, like es"),
    "country": ("is not a country code", "Write the two capitals of ISO 3166, like CL"),
    "content_sid": ("is not a content of Twilio's", "It has HX and 32 hexadecimal digits"),
    "media": ("is not a public web address", "Begin with https://"),
    "holidays": ("is not a country or a region of one", "Write it like CL, or CL-AP for a region"),
    "extra": ("is not a day", 'Write it like "2026-12-24", or "12-24" for every year'),
    "excepted": ("is not a day", 'Write it like "2026-10-31", or "10-31" for every year'),
    **dict.fromkeys(DAY_KEYS, ("is not a span of time", 'Write it like "09:00-13:00"; "20:00-02:00" is past midnight')),
    "reopen_with": ("is not a name of a template", "Use lower-case letters without accents, digits and _, at most 40"),
    "name": ("is not a function name", "Use letters without accents, digits, _ and -, at most 64"),
}

DAYS_SHOWN = frozenset({*WEEKDAYS, "lun-vie"})
"""Of the keys of days, those that are named where an unknown one is written."""
_NAMED = (("media", "files"), ("media", "places"))
_TEMPLATES = ("templates",)
_TEMPLATE_FORM = ("cannot name it", "Use lower-case letters without accents, digits and _, a letter first, at most 40")
_CASE_FORM = "Use lower-case letters without accents, digits, - and _, at most 64"
_NAMED_FORM = ("is not a name for the model", "Use lower-case letters without accents, digits, - and _, at most 40")


_CODES = {
    "country_code": ("is not a country of ISO 3166", "Write its two capitals, like CL.", ()),
    "currency_code": ("is not a currency of ISO 4217", "Write its three capitals, like CLP.", CURRENCIES),
    "calendar_date": ("is not a date", 'Write year, month and day, like "2026-10-01".', ()),
    "calendar_time": ("is not a time", 'Write it like "2026-12-24 20:30".', ()),
    "voice_application": (
        "is neither a voice application nor false",
        "Write the SID of Twilio's voice application (AP and 32 characters) that answers calls, or false for no calls.",
        (),
    ),
    "calendar_day": ("is not a day of the calendar", 'Write it like "2026-12-24", or "12-24" for every year.', ()),
    "empty_span": ("is an empty span", 'Write when it ends, or "00:00-24:00" for the whole day.', ()),
    "template_language": ("is not a language of WhatsApp's templates", "Write a code of Meta's, like es or es_MX.", ()),
    "too_many_decimals": ("has more than nine decimals", "Round it to nine: amounts are counted in 10⁻⁹ USD.", ()),
}
"""What is wrong, what to write, and the codes among which the nearest one is looked for."""


def explain(error: ErrorDetails, spot: Spot, written: str) -> tuple[str, str]:
    """Message and hint for one error; `written` is the scalar as written in the file."""
    kind, value = error["type"], error["input"]
    where = f"the key {dotted(spot.loc)}" if error["loc"][-1] == "[key]" else dotted(spot.loc)
    context = error.get("ctx", {})
    if kind == "missing":
        return _missing(spot, where)
    if kind == "extra_forbidden":
        return _unknown_key(spot, where)
    if SecretRef in spot.alternatives:
        return f"{where}: a secret is referred to by name, never written out", (
            "Write {env: NAME} and set that environment variable where the command runs."
        )
    if kind == "string_type" and isinstance(value, int) and _is_duration(spot):
        return _format(spot, where, written or str(value))
    if kind in _WANTED:
        if value is None:
            return _nothing(_wanted(spot, kind), where, spot)
        return _wrong_type(_wanted(spot, kind), where, value, written)
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        return _tool_type(kind, where, value)
    if kind == "literal_error":
        return f"{where}: {shown(value)} is none of the allowed values", _closest(value, context["expected"])
    if kind == "string_pattern_mismatch":
        return _format(spot, where, str(value))
    if kind == "time_zone":
        return _zone(where, str(value))
    if kind in _CODES:
        return _code(kind, where, str(value))
    return _bounds(kind, where, value, context) or (f"{where}: {error['msg'][:1].lower()}{error['msg'][1:]}", "")


def relevant(errors: Iterable[ErrorDetails], root: type[BaseModel] = Client) -> Iterator[ErrorDetails]:
    """Leaves out duplicate errors: of the alternatives of a union that were not meant, and of a missing key that is
    present misspelt."""
    errors = list(errors)
    unknown = [shape.follow(error["loc"], root) for error in errors if error["type"] == "extra_forbidden"]
    misspelt = {(*spot.loc[:-1], _meant(spot)) for spot in unknown}
    for error in errors:
        spot = shape.follow(error["loc"], root)
        if not (_superseded(error, spot) or (error["type"] == "missing" and spot.loc in misspelt)):
            yield error


def _superseded(error: ErrorDetails, spot: Spot) -> bool:
    """Pydantic reports an error for each alternative of a union."""
    if len(spot.alternatives) < 2 or spot.loc == error["loc"] or bool in spot.alternatives:
        return False  # of true, false and a mapping only the one that was meant is reported
    return error["type"] == "model_type" or (error["type"] == "string_type" and isinstance(error["input"], Mapping))


def _meant(spot: Spot) -> str | None:
    """The key that an unknown key probably means, among those known at its position."""
    key = str(spot.loc[-1])
    return nearest(_SYNONYMS.get(key.lower(), key), shape.known_keys(spot.owner))


def dotted(loc: Loc) -> str:
    """A location as people write it: `assistant.tools[0].endpoint.url`."""
    text = ""
    for part in loc:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if re.fullmatch(r"[\w-]{1,64}", part) and shown(part) == f'"{part}"' else shown(part)
            text += f".{name}" if text else name
    return text


def slug(text: str) -> str:
    """Lower-case letters, digits and hyphens of a text: "Café Ñandú" → "cafe-nandu"."""
    ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-")[:63].strip("-")


def nearest(word: str, known: list[str]) -> str | None:
    """The known word that is the nearest."""
    import difflib  # for a mistake only

    found = difflib.get_close_matches(word.lower(), known, 1, 0.6)
    return found[0] if found else None


def _missing(spot: Spot, where: str) -> tuple[str, str]:
    key = str(spot.loc[-1])
    sample = shape.example(spot.owner, key)
    if sample is None:
        return f"{where}: missing", f'Add "{key}".'
    text = (
        json.dumps(sample, ensure_ascii=False) if not isinstance(sample, str) or key in ("number", "since") else sample
    )
    return f"{where}: missing", f"Add it, for example {key}: {text}"


def _unknown_key(spot: Spot, where: str) -> tuple[str, str]:
    key = str(spot.loc[-1])
    message = f"{where}: unknown key"
    if key.lower().replace("_", "") in _DISPLAY_NAME and spot.loc[:-1] in (("sender",), ("sender", "profile")):
        return message, 'The name that WhatsApp shows is "name" below "sender.profile". Meta reviews it.'
    known = shape.known_keys(spot.owner)
    synonym = _SYNONYMS.get(key.lower(), key)
    if "webhook" in key.lower() or "callback" in key.lower():
        return message, "Remove it: webhook addresses are made from the setting PUBLIC_URL."
    if synonym in known:
        return message, f'Here it is called "{synonym}".'
    meant = _meant(spot)
    if meant:
        return message, f'Did you mean "{meant}"?'
    homes = [home for home in shape.homes(synonym, spot.root) if home]
    if homes:
        return message, f'"{synonym}" belongs below "{homes[0]}".'
    return message, f"Keys known here: {', '.join(key for key in known if key not in DAY_KEYS or key in DAYS_SHOWN)}."


def _wanted(spot: Spot, kind: str) -> str:
    if kind == "list_type" and spot.loc[-1] in _TEXT_OR_TEXTS:
        return "a text or a list of texts"
    if len(spot.alternatives) > 1 and str in spot.alternatives:
        return "a text or {file: …}"
    if len(spot.alternatives) > 1 and bool in spot.alternatives:
        return "true, false or a mapping of keys to values"
    return _WANTED[kind]


def _nothing(wanted: str, where: str, spot: Spot) -> tuple[str, str]:
    field = spot.owner.model_fields.get(str(spot.loc[-1]))
    rest = "." if field is not None and field.is_required() else ", or remove the key."
    return f"{where}: nothing is given", f"Write {wanted} after the colon{rest}"


def _wrong_type(wanted: str, where: str, value: Any, written: str) -> tuple[str, str]:
    if wanted.startswith("a text") and isinstance(value, bool | int | float):
        given = "true or false without quotes" if isinstance(value, bool) else "an unquoted number"
        return f"{where}: {given}", f"Write it in quotes: {shown(written or value)}."
    if isinstance(value, str) and wanted in ("a number", "a whole number", "true or false"):
        hint = "Write true or false." if wanted == "true or false" else "Write it in digits, without quotes."
        return f"{where}: a text where {wanted} is expected", hint
    given = {list: "a list", dict: "a mapping", str: "a text", bool: "true or false"}.get(type(value), "a number")
    hints = {
        "a list": 'Write each item on a line of its own, with "- " before it.',
        "a mapping of keys to values": "Write its keys on lines of their own, indented below it.",
    }
    return f"{where}: {given} where {wanted} is expected", hints.get(wanted, f"Write {wanted}.")


def _tool_type(kind: str, where: str, value: Any) -> tuple[str, str]:
    types = shape.tool_types()
    if kind == "union_tag_not_found":
        return f"{where}: a tool without a type", f"Add type: {types[0]} (or {', '.join(types[1:])})."
    given = value.get("type") if isinstance(value, Mapping) else None
    near = nearest(given, types) if isinstance(given, str) else None
    hint = f'Did you mean "{near}"? ' if near else ""
    return f"{where}.type: unknown tool type {shown(given)}", f"{hint}Tool types: {', '.join(types)}."


def _closest(value: Any, expected: str) -> str:
    allowed = re.findall(r"'([^']*)'", expected)
    if not allowed:
        return f"Write {expected.lower()}, or remove the key."
    near = nearest(str(value), [*allowed, *(word.lower() for word in allowed)])
    if near:
        return f'Did you mean "{next(word for word in allowed if word.lower() == near.lower())}"?'
    return "Allowed: {}.".format(", ".join(f'"{word}"' for word in allowed))


def _format(spot: Spot, where: str, value: str) -> tuple[str, str]:
    key = "retention" if _is_retention(spot) else next(part for part in reversed(spot.loc) if isinstance(part, str))
    if where.startswith("the key ") and spot.loc[:-1] in _NAMED:
        return f"{where}: {shown(value)} {_NAMED_FORM[0]}", f"{_NAMED_FORM[1]}, such as {slug(value) or 'menu'}."
    if where.startswith("the key ") and spot.loc[:1] == _TEMPLATES:
        example = slug(value).replace("-", "_") or "recordatorio"
        return f"{where}: {shown(value)} {_TEMPLATE_FORM[0]}", f"{_TEMPLATE_FORM[1]}, such as {example}."
    if where.startswith("the key ") and spot.loc[:1] == ("tests",):
        example = slug(value) or "saluda"
        return f"{where}: {shown(value)} {_TEMPLATE_FORM[0]}", f"{_CASE_FORM}, such as {example}."
    what, rule = _FORMATS.get(key, ("has the wrong form", "See the schema"))
    suggestion = None
    if not looks_secret(value):
        suggestion = {"id": slug(value), "number": _e164(value), "name": slug(value).replace("-", "_")}.get(key)
    given = "this" if spot.owner is SecretRef else shown(value)
    return f"{where}: {given} {what}", f"{rule}{f', like {json.dumps(suggestion)}' if suggestion else ''}."


def _is_retention(spot: Spot) -> bool:
    return spot.loc[:-1] == ("data", "retention")


def _is_duration(spot: Spot) -> bool:
    return _is_retention(spot) or spot.loc[-1] == "expires_after"


def _zone(where: str, value: str) -> tuple[str, str]:
    from zoneinfo import available_timezones  # reads a folder of files

    zones = {zone.lower(): zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/")}
    cities = {name.rpartition("/")[2]: zone for name, zone in zones.items()}
    word = value.strip().replace(" ", "_").lower()
    near = zones.get(nearest(word, list(zones)) or "") or cities.get(nearest(word, list(cities)) or "")
    hint = f'Did you mean "{near}"?' if near else "Write a name of the tz database, like America/Santiago."
    return f"{where}: {shown(value)} is not a time zone", hint


def _code(kind: str, where: str, value: str) -> tuple[str, str]:
    what, hint, known = _CODES[kind]
    if kind == "template_language":
        return f"{where}: {shown(value)} {what}", _language(value, hint)
    near = nearest(value, [code.lower() for code in sorted(known)])
    return f"{where}: {shown(value)} {what}", f'Did you mean "{near.upper()}"?' if near else hint


def _language(value: str, hint: str) -> str:
    by_form = {code.lower(): code for code in LANGUAGES}
    word = value.strip().replace("-", "_").lower()
    near = by_form.get(word) or by_form.get(word.partition("_")[0]) or by_form.get(nearest(word, list(by_form)) or "")
    return f'Did you mean "{near}"?' if near else hint


def _e164(value: str) -> str:
    digits = re.sub(r"[\s().-]", "", number_of(value))
    return digits if re.fullmatch(r"\+[1-9][0-9]{6,14}", digits) else "+56912345678"


def _bounds(kind: str, where: str, value: Any, context: Mapping[str, Any]) -> tuple[str, str] | None:
    if kind == "string_too_short":
        return f"{where}: an empty text", "Write a text, or remove the key."
    if kind == "string_too_long":
        size, limit = len(value), context["max_length"]
        return f"{where}: {size:,} characters, {limit:,} at most", f"Make it shorter by {size - limit:,}."
    if kind == "too_short":
        return f"{where}: an empty list", "Add an item, or remove the key."
    if kind == "too_long":
        return f"{where}: {len(value):,} entries, {context['max_length']:,} at most", "Remove some."
    words = {"greater_than": "more than", "greater_than_equal": "at least", "less_than": "less than"}
    for rule, limit in context.items():
        if rule in ("gt", "ge", "lt", "le"):
            return f"{where}: {value} is out of range", f"It is {words.get(kind, 'at most')} {limit}."
    return None
