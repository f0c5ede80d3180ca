"""The base of every model of input from a person or another program."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """Base of every model: unknown keys are refused, nothing is coerced, instances do not change."""

    # Validators are built at the first use, so that a command pays only for the models it validates.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)
