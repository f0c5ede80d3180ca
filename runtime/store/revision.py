"""Which schema this program needs, and whether a store's fits. Light on purpose, planning imports it."""

from __future__ import annotations

from runtime.store.errors import StoreOutdated

HEAD = "1_0003"
"""`<generation>_<step>` of the newest migration; see `runtime.store.migrate`."""


def fits(revision: str, address: str) -> bool:
    """True when the schema is ours or a newer step of our generation, False when it must be migrated first.

    Raises StoreOutdated for another generation: no migration that this program knows leads there.
    """
    generation, _, step = revision.partition("_")
    our_generation, _, our_step = HEAD.partition("_")
    if generation != our_generation:
        raise StoreOutdated(
            f"The store {address} has the schema {revision}, which this program (schema {HEAD}) does not know; "
            "install the version of this program that wrote it."
        )
    return int(step) >= int(our_step)
