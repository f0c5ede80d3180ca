"""One model for another, in all manifests: where they name it, what the other cannot do, and what both cost. Pure.

files ──► uses of OLD ──► edits of those places ──► what NEW cannot do of what each client declares
                                               └──► the last 30 days' answers, at both prices
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

from reconciler.manifest import Manifest
from reconciler.manifest.checks import Violation, check
from reconciler.manifest.document import YamlDocument
from reconciler.manifest.edits import with_key, with_text
from reconciler.manifest.shape import Loc
from reconciler.planning.estimates import PriceOf, cost_of_answers
from runtime.store.activity_records import UsageRecord

KEYS: Final = frozenset({"model", "fallback_model", "cheaper_model"})
"""Keys of a manifest that name a model, wherever they stand but in the parameters of functions."""
MAIN: Final[Loc] = ("assistant", "model")


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """A manifest, or the defaults, as it is on disk."""

    name: str
    data: bytes = field(repr=False)
    document: YamlDocument = field(repr=False)
    client: str | None
    """None for the defaults."""


@dataclass(frozen=True, slots=True)
class ModelPlace:
    """A place where a file names a model, or will."""

    file: ManifestFile
    loc: Loc
    is_new: bool = False
    """Whether the defaults name it, and one client's manifest gets a line of its own instead."""

    @property
    def position(self) -> str:
        """`clients.d/la-cocina.yaml:7:10`."""
        line, column = self.file.document.place(self.loc)
        return f"{self.file.document.path}:{line}:{column}"


@dataclass(frozen=True, slots=True)
class ClientCost:
    """What a client's answers of the last 30 days cost, and would."""

    client: str
    answers: int
    before: int | None
    """10⁻⁹ USD; None where a price is not known."""
    after: int | None


def places(files: Sequence[ManifestFile], old: str, only: Collection[str] = ()) -> list[ModelPlace]:
    """Every place that names a model; of the clients `only`, where there are any, the defaults being left alone."""
    if not only:
        return [ModelPlace(file, loc) for file in files for loc in _named(file.document.value, old)]
    defaults = next((file for file in files if file.client is None), None)
    found = []
    for file in files:
        if file.client in only:
            found += [ModelPlace(file, loc) for loc in _named(file.document.value, old)]
            found += [ModelPlace(file, loc, is_new=True) for loc in _inherited(file, defaults, old)]
    return found


def edited(found: Iterable[ModelPlace], new: str) -> dict[str, bytes]:
    """By file, what it becomes. Raises NotEdited."""
    files: dict[str, bytes] = {}
    for place in found:
        name, shown = place.file.name, place.file.document.path
        data = files.get(name, place.file.data)
        files[name] = (with_key if place.is_new else with_text)(data, shown, place.loc, new)
    return files


def concerned(manifests: Iterable[Manifest], old: str, found: Sequence[ModelPlace]) -> list[Manifest]:
    """The clients whose assistant answers with another model then."""
    own = {place.file.client for place in found}
    is_default = None in own
    used = [one for one in manifests if one.client.assistant.model == old and one.client.state != "absent"]
    return [one for one in used if is_default or one.client.id in own]


def what_new_cannot(manifests: Iterable[Manifest], old: str, new: str) -> Iterator[tuple[str, Violation]]:
    """By client, what is wrong with its manifest once it names the other model, and was not before."""
    for manifest in manifests:
        values = manifest.client.model_dump(mode="json", exclude_unset=True)
        known = set(check(values))
        for violation in check(_replaced(values, old, new)):
            if violation not in known:
                yield manifest.client.id, violation


def costs(
    clients: Iterable[str], used: Iterable[UsageRecord], models: tuple[str, str], price_of: PriceOf
) -> list[ClientCost]:
    """What each client's answers by the first of the models cost in the last 30 days, and would by the other."""
    by_client: dict[str, list[UsageRecord]] = {}
    for row in used:
        by_client.setdefault(row.client, []).append(row)
    return [ClientCost(client, *cost_of_answers(by_client.get(client, ()), models, price_of)) for client in clients]


def price_per_million(model: str, price_of: PriceOf) -> Mapping[str, Fraction | None]:
    """USD for a million tokens, by kind."""
    kinds = {"input": "model_input", "cached": "model_cached", "output": "model_output"}
    found = {name: price_of(kind, model) for name, kind in kinds.items()}
    return {name: None if nano is None else nano / 1000 for name, nano in found.items()}


def _named(value: Any, model: str, loc: Loc = ()) -> Iterator[Loc]:
    """Where a document names a model."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in KEYS and inner == model:
                yield (*loc, key)
            elif key != "tools" and isinstance(inner, (dict, list)):
                yield from _named(inner, model, (*loc, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _named(inner, model, (*loc, index))


def _inherited(file: ManifestFile, defaults: ManifestFile | None, model: str) -> Iterator[Loc]:
    """Where a client has a model by the defaults only."""
    if defaults is None:
        return
    for loc in _named(defaults.document.value, model):
        own: Any = file.document.value
        for part in loc:
            own = own.get(part, _NOTHING) if isinstance(own, dict) else _NOTHING
        if own is _NOTHING:
            yield loc


_NOTHING: Final = object()


def _replaced(values: Mapping[str, Any], old: str, new: str) -> dict[str, Any]:
    changed = copy.deepcopy(dict(values))
    for loc in list(_named(values, old)):
        inner: Any = changed
        for part in loc[:-1]:
            inner = inner[part]
        inner[loc[-1]] = new
    return changed
