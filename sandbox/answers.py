"""What the simulated model answers: the same for the same input, and specific enough to reveal wrong routing or lost
memory.

`[speaker] first words of the instructions · the user's text · turn N`. A user can ask for more: "llama a TOOL
{json}" or just a tool's name for a function call, "web_search" for a search of the web, "piensa 3s" for a slow answer,
"escribe 4000 letras" for a long one; where an answer has a JSON schema, "NAME {json}" for that answer.
Nothing is random, and nothing but the arguments is read.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

_WORDS_SHOWN = 6
_THINK = re.compile(r"\bpiensa (\d+(?:\.\d+)?) ?s", re.IGNORECASE)
_LONG = re.compile(r"\bescribe (\d{1,5}) letras", re.IGNORECASE)
_FILLER = "La cocina abre a las doce y cierra a las once. Reservamos mesas para grupos, y el menú cambia cada semana."


@dataclass(frozen=True, slots=True)
class Context:
    """What the model knows when it is called."""

    speaker: str
    instructions: str
    said: tuple[str, ...]
    """The user's messages since the assistant's last answer."""
    turn: int
    """Number of the user's messages in the whole input."""
    outputs: tuple[str, ...] = ()
    """Results of the function calls made in this turn."""
    passages: tuple[str, ...] = ()
    """What a file search found."""

    @property
    def text(self) -> str:
        return " / ".join(self.said)


@dataclass(frozen=True, slots=True)
class WantedCall:
    """A function call that the model requests."""

    name: str
    arguments: str


def think_seconds(context: Context) -> float:
    """How long the user asked the model to think, in seconds."""
    asked = _THINK.search(context.text)
    return float(asked.group(1)) if asked else 0.0


def reply(context: Context) -> str:
    """The answer in words."""
    opening = " ".join(context.instructions.split()[:_WORDS_SHOWN])
    parts = [f"[{context.speaker}] {opening}".rstrip(), context.text]
    parts += [f"resultado: {output}" for output in context.outputs]
    parts += [f"según los documentos: {passage}" for passage in context.passages]
    text = " · ".join([*parts, f"turn {context.turn}"])
    asked = _LONG.search(context.text)
    return _stretched(text, int(asked.group(1))) if asked else text


def _stretched(text: str, length: int) -> str:
    number = 0
    while len(text) < length:
        number += 1
        text += f"\n\n{number}. {_FILLER}"
    return text[:length]


def function_calls(context: Context, functions: dict[str, dict[str, Any]]) -> list[WantedCall]:
    """The offered functions that the user's words ask for, by name. None when this turn already has their results."""
    if context.outputs:
        return []
    wanted = [(found.start(), name) for name in functions if (found := _mention(name, context.text))]
    return [WantedCall(name, _arguments(name, context.text, functions[name])) for _, name in sorted(wanted)]


def mentions(name: str, context: Context) -> bool:
    """Whether the user's words ask for a tool by its name."""
    return _mention(name, context.text) is not None


def _mention(name: str, text: str) -> re.Match[str] | None:
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text)


def structured(name: str, schema: dict[str, Any], context: Context) -> str:
    """An answer in a JSON schema: what the user's text has after the schema's name, else an example that fits."""
    return _arguments(name, context.text, schema)


def forced_call(name: str, schema: dict[str, Any], context: Context) -> WantedCall:
    """A call that the caller requires by `tool_choice`, regardless of the user's text."""
    return WantedCall(name, _arguments(name, context.text, schema))


def _arguments(name: str, text: str, schema: dict[str, Any]) -> str:
    given = re.search(rf"(?<![\w-]){re.escape(name)}\s*(\{{.*)", text, re.DOTALL)
    if given:
        try:
            value, _ = json.JSONDecoder().raw_decode(given.group(1))
            return json.dumps(value, ensure_ascii=False)
        except RecursionError:
            return given.group(1)  # a real model writes tokens and never parses what it wrote
        except ValueError:
            pass  # what follows the name only looks like JSON: fall through to examples
    return json.dumps(_example(schema), ensure_ascii=False)


def _example(schema: dict[str, Any]) -> Any:
    """A value that satisfies the common part of JSON Schema."""
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type", "object")
    if isinstance(kind, list):
        kind = next((item for item in kind if item != "null"), "null")
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: _example(properties.get(name, {"type": "string"})) for name in schema.get("required", [])}
    if kind == "array":
        return [_example(schema.get("items", {"type": "string"})) for _ in range(schema.get("minItems", 0))]
    simple: dict[str, Any] = {"string": "texto", "integer": 1, "number": 1.5, "boolean": True, "null": None}
    return max(simple[kind], schema.get("minimum", 1)) if kind in ("integer", "number") else simple.get(kind)


def tokens(text: str) -> int:
    """About as many tokens as a real tokenizer would count: one for each four characters."""
    return (len(text) + 3) // 4
