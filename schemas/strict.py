"""The base of every model of input from a person or another program.

Modules of a manifest's models are without `from __future__ import annotations`: Pydantic would compile each annotation
once more, a tenth of their import.
"""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """Base of every model: unknown keys are refused, nothing is coerced, instances do not change."""

    # Validators are built at the first use, so that a command pays only for the models it validates.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)
