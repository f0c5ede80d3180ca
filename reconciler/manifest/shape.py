"""The models of a file, walked along a location: the model there, its keys, an example.

Pydantic's error locations also name the alternative of a union that was tried ("function", "InstructionsFile"); those
are not keys of the file, and only the models show where they occur.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel

from schemas import Client

Loc = tuple[str | int, ...]


class Spot(NamedTuple):
    """A location without the names of union alternatives."""

    loc: Loc
    owner: type[BaseModel]
    """Model that holds the last key of `loc`."""
    alternatives: tuple[Any, ...]
    """The types allowed there: models, `str`, `list[…]`, `dict[…]`, literals."""
    root: type[BaseModel] = Client
    """Model of the whole file."""


def follow(loc: Loc, root: type[BaseModel] = Client) -> Spot:
    """Walks an error location of pydantic through the models of a file."""
    here: tuple[Any, ...] = (root,)
    owner = root
    clean: list[str | int] = []
    parts = list(loc)
    while parts:
        if len(here) > 1:
            alternative = str(parts.pop(0))
            here = _chosen(here, alternative) if parts else here
            continue
        part = parts.pop(0)
        if part == "[key]":
            break
        clean.append(part)
        owner, here = _step(owner, here, part)
    return Spot(tuple(clean), owner, here, root)


def known_keys(owner: type[BaseModel]) -> list[str]:
    """Keys that a model knows, in the order of its fields."""
    return list(owner.model_fields)


def tool_types() -> list[str]:
    """Values of a tool's `type`."""
    tools = follow(("assistant", "tools", 0)).alternatives
    return [get_args(tool.model_fields["type"].annotation)[0] for tool in tools]


def example(owner: type[BaseModel], key: str) -> Any:
    """An example value of a key, None when the model gives none."""
    field = owner.model_fields.get(key)
    return field.examples[0] if field is not None and field.examples else None


def homes(key: str, root: type[BaseModel]) -> list[str]:
    """The right positions of a misplaced key, as dotted paths."""
    return [".".join(path) for path, model in _models(root, ()) if key in model.model_fields]


def _models(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], type[BaseModel]]]:
    yield path, model
    for name, field in model.model_fields.items():
        for alternative in _unwrap(field.annotation):
            if isinstance(alternative, type) and issubclass(alternative, BaseModel):
                yield from _models(alternative, (*path, name))


def _step(owner: type[BaseModel], here: tuple[Any, ...], part: str | int) -> tuple[type[BaseModel], tuple[Any, ...]]:
    kind = here[0] if here else None
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        field = kind.model_fields.get(str(part))
        return kind, _unwrap(field.annotation) if field is not None else ()
    if get_origin(kind) in (list, dict):
        return owner, _unwrap(get_args(kind)[-1])
    return owner, ()


def _chosen(alternatives: tuple[Any, ...], tag: str) -> tuple[Any, ...]:
    for alternative in alternatives:
        if not (isinstance(alternative, type) and issubclass(alternative, BaseModel)):
            continue
        kind = alternative.model_fields.get("type")
        if alternative.__name__ == tag or (kind is not None and tag in get_args(kind.annotation)):
            return (alternative,)
    return (str,)


def _unwrap(annotation: Any) -> tuple[Any, ...]:
    """Alternatives of an annotation without None and without the wrapping of Annotated."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _unwrap(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return tuple(kind for part in get_args(annotation) if part is not type(None) for kind in _unwrap(part))
    if origin is Literal:
        return (annotation,)
    return (annotation,)
