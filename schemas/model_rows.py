"""The rows of an installation's file of models (`schemas.model_overrides`): their model, and how the file is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from schemas.models import MODELS, Effort, ModelFacts, facts_of
from schemas.strict import Strict

ModelName = Annotated[str, Field(min_length=1, max_length=128)]


def _day(said: object) -> object:
    """A date in quotes, as all dates are written; YAML reads one without them as a date, which is as clear."""
    try:
        return date.fromisoformat(said) if isinstance(said, str) else said
    except ValueError:
        return said


class ModelRow(Strict):
    """What is said of one model; a key that is left out keeps what is known."""

    efforts: list[Effort] | None = Field(default=None, description="How long it can think; [] for not at all.")
    context: Annotated[int, Field(ge=1)] | None = Field(default=None, description="Tokens of input and answer.")
    images: bool | None = Field(default=None, description="Whether it sees pictures.")
    files: bool | None = Field(default=None, description="Whether it reads PDF documents.")
    tools: list[Literal["function", "file_search", "web_search", "mcp"]] | None = Field(
        default=None, description="Types of tools that it can use."
    )
    ends: Annotated[date | None, BeforeValidator(_day)] = Field(
        default=None, description="When it is shut down; null where that is not announced."
    )
    successor: ModelName | None = Field(default=None, description="What replaces it.")


_ROWS = TypeAdapter(dict[ModelName, ModelRow])


def row_over(model: str, row: ModelRow) -> ModelFacts:
    """A row over what is known of its model."""
    said: dict[str, Any] = {name: getattr(row, name) for name in row.model_fields_set}
    if said.get("efforts") is not None:
        said["efforts"] = tuple(said["efforts"])
    if said.get("tools") is not None:
        said["tools"] = frozenset(said["tools"])
    known = {name: value for name, value in said.items() if value is not None or name in ("ends", "successor")}
    return replace(MODELS.get(model) or facts_of(model) or ModelFacts(), **known)


def read_rows(path: Path) -> dict[str, ModelRow]:
    """The rows of a file, by model. Raises ValueError with the file, the line and the column of what is wrong."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"{path}: it cannot be read ({error.strerror}); MODELS_FILE names it") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: it is not UTF-8; save it in that encoding") from None
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark is not None else ""
        raise ValueError(f"{path}{place}: not valid YAML, {error.problem}; check quotes, brackets and blanks") from None
    try:
        return _ROWS.validate_python(values or {})
    except ValidationError as invalid:
        wrong = invalid.errors(include_url=False, include_input=False)[0]
        keys = [str(part) for part in wrong["loc"] if part != "[key]"]
        place = ":".join(map(str, _place(root, list(_names(wrong["loc"])))))
        hint = f"known keys: {', '.join(ModelRow.model_fields)}"
        said = ": ".join(filter(None, (".".join(keys), wrong["msg"].lower())))
        raise ValueError(f"{path}:{place}: {said}; {hint}") from None


def _names(loc: tuple[str | int, ...]) -> Iterator[str | int]:
    """The keys and indices of a location, as far as they are the file's."""
    yield from (part for part in loc[:3] if part != "[key]")


def _place(node: Any, loc: list[str | int]) -> tuple[int, int]:
    """Line and column of a key or item at a location, or of the nearest enclosing one."""
    mark = node.start_mark if node is not None else None
    for part in loc:
        pairs = getattr(node, "value", ())
        if isinstance(part, int):
            node = pairs[part] if isinstance(pairs, list) and part < len(pairs) else None
            mark = node.start_mark if node is not None else mark
        else:
            found = [pair for pair in pairs if isinstance(pair, tuple) and pair[0].value == part]
            node = found[0][1] if found else None
            mark = found[0][0].start_mark if found else mark
        if node is None:
            break
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
