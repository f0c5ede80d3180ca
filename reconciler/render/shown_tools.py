"""Tools of an assistant as people read them: by their names, a datum that a function asks for in one line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from reconciler.model import Change, FieldChange
from reconciler.render.spanish import parameter_text, tool_name
from reconciler.render.wording import leaves

Steps = tuple[str | int, ...]

SIMPLE: Final = frozenset({"type", "description", "enum"})
"""What a datum's schema may hold to be shown in one line; any other is shown part by part."""


def is_of_tool(field: FieldChange) -> bool:
    """Whether a changed field is a tool, all of them, or a part of one."""
    return field.steps[:1] == ("tools",)


def by_tool(change: Change, field: FieldChange) -> Iterator[tuple[str | None, FieldChange]]:
    """The parts of a change of tools, each with its tool's name; None where it is of none."""
    for leaf in leaves(field):
        index = leaf.steps[1] if len(leaf.steps) > 1 else None
        tool = _tool(change, field, index) if isinstance(index, int) else None
        yield (None if tool is None else tool_name(tool)), leaf


def in_one_line(field: FieldChange, leaf: FieldChange) -> FieldChange | None:
    """For a part of a function that comes or goes as a whole: the change of the datum that it belongs to, in words. The
    leaf itself where it belongs to none, or one of its data cannot be put in one line; None for what the data say
    already: that they are an object, and which of them are needed."""
    at = leaf.steps.index("parameters") + 1 if "parameters" in leaf.steps else 0
    schema = _simple(field, leaf.steps[:at]) if at else None
    below = leaf.steps[at:]
    if schema is None or below[0] not in ("type", "required", "properties"):
        return leaf
    if below[0] != "properties":
        return None
    if len(below) == 1:
        return leaf
    datum = below[1]
    text = parameter_text(schema["properties"][datum], is_required=datum in schema.get("required", ()))
    is_new = field.new is not None
    return FieldChange(leaf.steps[: at + 2], None if is_new else text, text if is_new else None)


def _simple(field: FieldChange, steps: Steps) -> Mapping[str, Any] | None:
    """The schema at these steps, of which each datum can be put in one line; None for any other."""
    if field.old is not None and field.new is not None:
        return None
    schema = field.new if field.new is not None else field.old
    for step in steps[len(field.steps) :]:
        schema = schema[step]
    if not isinstance(schema, Mapping) or schema.get("type") != "object":
        return None
    data, required = schema.get("properties"), schema.get("required", [])
    if not isinstance(data, Mapping) or not isinstance(required, list) or not data.keys() >= set(map(str, required)):
        return None
    is_simple = all(isinstance(datum, Mapping) and datum.keys() <= SIMPLE for datum in data.values())
    return schema if is_simple else None


def _tool(change: Change, field: FieldChange, index: int) -> Mapping[str, Any] | None:
    for value in (field.new, field.old):
        found = _item(value, index) if field.steps == ("tools",) else value if len(field.steps) == 2 else None
        if isinstance(found, Mapping):
            return found
    after = _item(change.after.get("tools"), index)
    return after if isinstance(after, Mapping) else None


def _item(value: Any, index: int) -> Any:
    return value[index] if isinstance(value, list) and index < len(value) else None
