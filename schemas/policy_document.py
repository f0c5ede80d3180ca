"""A policy as it is stored in a bot's row, and how the runtime reads it.

Planning writes such a row from a manifest's keys (`schemas.policy`) and needs none of these models.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationError

from schemas.canary import CanaryRules, ModelId, Prompt
from schemas.policy import VERSION, Policy, RelativePath, ThingName
from schemas.strict import Strict
from schemas.templates import TemplateName


class StoredFile(Strict):
    """A declared file as a bot's row has it; its bytes are in the store, under their hash."""

    path: RelativePath
    """As the manifest names it; its last part is the name that people see."""
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    size: int = Field(ge=1)
    """Bytes."""
    type: Annotated[str, StringConstraints(min_length=3, max_length=100)]

    @property
    def file_name(self) -> str:
        """The name that people see."""
        return self.path.rpartition("/")[2]

    @property
    def is_image(self) -> bool:
        """Whether WhatsApp shows it as a picture."""
        return self.type.startswith("image/")


ContentSid = Annotated[str, StringConstraints(pattern=r"^HX[0-9a-fA-F]{32}$")]


class StoredCanary(CanaryRules):
    """A canary as a bot's row has it: with the text of its instructions, wherever the manifest keeps it."""

    instructions: Prompt | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """Its own of an assistant's settings."""
        own = {"reasoning_effort": self.reasoning_effort, "max_output_tokens": self.max_output_tokens}
        return {key: value for key, value in own.items() if value is not None}

    def is_over(self, today: date) -> bool:
        """Whether its last day has passed. `today`: in the client's time zone."""
        return today > date.fromisoformat(self.until)


class PolicyDocument(Policy):
    """A policy as it is stored in a bot's row: with what an apply adds to the keys of the manifest."""

    version: Literal[1] = VERSION
    files: dict[ThingName, StoredFile] | None = None
    """The files of `media.files`, by name."""
    contents: dict[str, ContentSid] | None = None
    """Twilio's contents for buttons and lists in the bot's account, by shape (`schemas.content_shapes`)."""
    fallback_model: ModelId | None = None
    """Answers where the assistant's model is not available any more (`assistant.fallback_model`)."""
    server_headers: dict[str, dict[str, str]] | None = None
    """By MCP server of an agent and header, the variable with its value."""
    template_sids: dict[TemplateName, ContentSid] | None = None
    """Twilio's contents of the declared templates, by name."""
    canary: StoredCanary | None = None
    """The manifest's `assistant.canary`, with the text of its instructions."""

    @classmethod
    def policy_keys(cls) -> set[str]:
        """Likewise, with what an apply adds; `version` tells of the document's form."""
        return set(cls.model_fields) - {"version"}


@dataclass(frozen=True, slots=True)
class PolicyReading:
    """What this program understands of a bot's row."""

    policy: PolicyDocument
    ignored: tuple[str, ...] = ()
    """Keys that are not known here or do not fit, as dotted paths."""


def checked_document(document: dict[str, Any]) -> dict[str, Any]:
    """The document as it is. Raises ValueError that names a known key whose value does not fit; a newer program's keys
    are accepted."""
    try:
        PolicyDocument.model_validate(document, extra="ignore")
    except ValidationError as invalid:
        problem = invalid.errors(include_url=False, include_context=False, include_input=False)[0]
        raise ValueError(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}") from None
    return document


def read_document(document: Mapping[str, Any]) -> PolicyReading:
    """What can be used of a bot's row: every known key whose value fits, without what is unknown inside it."""
    try:
        return PolicyReading(PolicyDocument.model_validate(document))
    except ValidationError as invalid:
        problems = invalid.errors(include_url=False, include_context=False, include_input=False)
    unfit = {str(problem["loc"][0]) for problem in problems if problem["type"] != "extra_forbidden"}
    unknown = {".".join(map(str, problem["loc"])) for problem in problems if problem["type"] == "extra_forbidden"}
    ignored = tuple(sorted(unfit | {path for path in unknown if path.split(".")[0] not in unfit}))
    if "version" in unfit:
        return PolicyReading(PolicyDocument(), ignored)
    usable = {key: value for key, value in document.items() if key not in unfit}
    return PolicyReading(PolicyDocument.model_validate(usable, extra="ignore"), ignored)
