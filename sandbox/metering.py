"""What a provider's models used while one call was answered: noted where it is known, recorded with the call.

The middleware collects it and the ledger keeps it in the call's entry, so that counting costs no write of its own.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from sandbox.storage import Json

_COLLECTED: ContextVar[list[Json]] = ContextVar("used")


@contextmanager
def collecting(used: list[Json]) -> Iterator[None]:
    """Within, `note` adds to this list."""
    token = _COLLECTED.set(used)
    try:
        yield
    finally:
        _COLLECTED.reset(token)


def note(project: str, model: str, quantities: Mapping[str, float]) -> None:
    """A model's work in a call: how many tokens, searches or seconds of each of the kinds in `sandbox.price_ledger`."""
    used = {kind: quantity for kind, quantity in quantities.items() if quantity}
    _COLLECTED.get().append({"project": project, "model": model, "quantities": used})
