"""The pause before the next attempt. Nothing here waits.

Pauses double from one attempt to the next, up to a limit, and are jittered, so that calls which failed together are not
repeated together. Jitter only adds, since the pause that a provider asks for is a minimum.
"""

from __future__ import annotations

import random

FIRST_SECONDS = 1.0
SPREAD = 0.4
"""Maximum jitter, as a share of the pause."""


def spread(chance: float | None = None) -> float:
    """The factor of one pause, from 1 to 1 + SPREAD. `chance`: position between them; random unless it is given."""
    return 1 + SPREAD * (random.random() if chance is None else chance)  # noqa: S311 - protects nothing


def pause_seconds(failures: int, *, longest: float, asked: float | None = None, chance: float | None = None) -> float:
    """Seconds before the attempt that follows this many failures, which are one or more.

    Args:
        longest: Limit of the doubled pause in seconds, before jitter.
        asked: The pause that the provider asked for, in seconds; it replaces the doubled pause, and is not limited
        here. Zero and less are ignored: no call follows another at once. chance: Position in the jitter, from 0 to 1;
        random unless it is given.
    """
    # A limit of the exponent, since 2.0 to the power of some thousand failures overflows a float.
    doubled = min(FIRST_SECONDS * 2.0 ** min(failures - 1, 64), longest)
    return (asked if asked is not None and asked > 0 else doubled) * spread(chance)
