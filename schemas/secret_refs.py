"""Secrets by reference: the name of an environment variable, never its value."""

from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.strict import Strict

EnvName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$", max_length=128)]


class SecretRef(Strict):
    """A secret by reference: the name of an environment variable, never its value."""

    env: EnvName = Field(
        description="Name of the environment variable that holds the secret where it is used.",
        examples=["LA_COCINA_HOOK_SECRET"],
    )
