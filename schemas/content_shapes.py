"""Buttons and lists at Twilio: which contents an account needs, and the variables that fill one.

A content (`HX…`) is a shape, such as two buttons below a text: all of its words are variables, so one serves every
client of an account. Ids are fixed: the first choice is `1`. None is submitted for approval, since WhatsApp shows both
kinds within the 24 hours after a user's message, and only then.

    buttons-1 … buttons-3                       twilio/quick-reply
    list-2 … list-10, list-described-2 … -10    twilio/list-picker, without and with descriptions
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final

TEXT_LIMIT: Final = 1024
"""Characters of the text above buttons or a list (UTF-16 units, as everywhere here)."""
BUTTON_LIMIT: Final = 20
"""Of a button's title, and of the button that opens a list. Twilio: "Quick reply": 20; its table of types has 25."""
ROW_LIMIT: Final = 24
DESCRIPTION_LIMIT: Final = 72
MAX_BUTTONS: Final = 3
"""Within a session; approved templates may have more."""
MIN_ROWS: Final = 2
MAX_ROWS: Final = 10
_OWNER: Final = "horizonai"
_LANGUAGE: Final = "es"
_SAMPLE_TEXT: Final = "¿Qué prefieres?"

SHAPES: Final = (
    *(f"buttons-{count}" for count in range(1, MAX_BUTTONS + 1)),
    *(f"{kind}-{count}" for kind in ("list", "list-described") for count in range(MIN_ROWS, MAX_ROWS + 1)),
)


def shape_of_buttons(titles: Sequence[str]) -> str:
    """The shape of these buttons."""
    return f"buttons-{len(titles)}"


def shape_of_list(rows: Sequence[tuple[str, str]]) -> str:
    """The shape of rows, each a title with its description, which is empty in all or in none."""
    return f"list-described-{len(rows)}" if rows[0][1] else f"list-{len(rows)}"


def variables_of_buttons(text: str, titles: Sequence[str]) -> dict[str, str]:
    """The variables that fill the shape of these buttons."""
    return _numbered([text, *titles])


def variables_of_list(text: str, button: str, rows: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The same for a list."""
    return _numbered([text, button, *(word for row in rows for word in row if word)])


def content_of(shape: str) -> dict[str, Any]:
    """A shape as it is created: the body of `POST /v1/Content`. Its name is another one where this changes."""
    kind, _, count = shape.rpartition("-")
    types, samples = _buttons(int(count)) if kind == "buttons" else _list(int(count), is_described=kind != "list")
    content = {"language": _LANGUAGE, "variables": samples, "types": types}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
    return {"friendly_name": f"{_OWNER} {shape} {digest}", **content}


def name_of(shape: str) -> str:
    """The name by which a shape's content is found again, since Twilio has no metadata there."""
    return str(content_of(shape)["friendly_name"])


def is_ours(name: str) -> bool:
    """Whether a content was made for buttons or lists, by its name."""
    return name.startswith(f"{_OWNER} ")


def _buttons(count: int) -> tuple[dict[str, Any], dict[str, str]]:
    actions = [{"title": f"{{{{{index + 1}}}}}", "id": str(index)} for index in range(1, count + 1)]
    samples = variables_of_buttons(_SAMPLE_TEXT, [f"Opción {index}" for index in range(1, count + 1)])
    return {"twilio/quick-reply": {"body": "{{1}}", "actions": actions}}, samples


def _list(count: int, *, is_described: bool) -> tuple[dict[str, Any], dict[str, str]]:
    step = 2 if is_described else 1
    items = []
    for index in range(count):
        first = 3 + index * step
        described = {"description": f"{{{{{first + 1}}}}}"} if is_described else {}
        items.append({"item": f"{{{{{first}}}}}", "id": str(index + 1), **described})
    rows = [(f"Opción {index}", "Detalle" if is_described else "") for index in range(1, count + 1)]
    samples = variables_of_list(_SAMPLE_TEXT, "Ver opciones", rows)
    return {"twilio/list-picker": {"body": "{{1}}", "button": "{{2}}", "items": items}}, samples


def _numbered(values: Sequence[str]) -> dict[str, str]:
    return {str(number): value for number, value in enumerate(values, 1)}
