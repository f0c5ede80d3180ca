"""What `reconcile` records of a run for the console: the result of a plan, an apply, `drift`, `doctor`, `test` or a
checklist, by client, and bounded in size.

    reconcile … --report ──► RecordedReport ──► POST /reconcile/reports ──► a row for each client, the last one only
                             strict                                         `read_report`, lenient ──► page

Reading takes what it knows: a newer reconciler may have recorded more.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field, StringConstraints, ValidationError

from schemas.strict import Strict

ReportKind: TypeAlias = Literal["plan", "apply", "drift", "doctor", "test", "checklist"]
TEXT_CHARACTERS: Final = 500
"""The longest text of a report but for the document; a longer one is cut where the report is made."""
MOST_CHANGES: Final = 30
MOST_FIELDS: Final = 40
"""Changed fields of one client, over all of its changes."""
MOST_FINDINGS: Final = 20
MOST_TEMPLATES: Final = 100
MOST_LINKS: Final = 30
MOST_CASES: Final = 100
MOST_BOXES: Final = 40
MOST_CLIENTS: Final = 100
"""Clients of one request; a larger fleet takes several."""
DOCUMENT_BYTES: Final = 640 * 1024
"""The largest document, as UTF-8: a request to the API has 1 MiB at most."""

Word = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,20}$")]
Said = Annotated[str, StringConstraints(max_length=TEXT_CHARACTERS)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class SeenField(Strict):
    """A declared field that differs; None where there is no value."""

    path: Said
    live: Said | None
    declared: Said | None


class SeenChange(Strict):
    """A change that a plan has, and after an apply its outcome."""

    kind: Word
    action: Word
    key: Said
    reason: Word
    fields: list[SeenField] = Field(default=[], max_length=MOST_FIELDS)
    status: Word | None = Field(default=None, description="applied, failed or skipped; null before it is applied.")
    error: Said | None = None


class SeenFinding(Strict):
    """What a plan says of a client."""

    severity: Word
    kind: Word | None = None
    message: Said


class SeenTemplate(Strict):
    """What Meta said about a template."""

    name: Said
    status: Word
    declared: Word = Field(description="Its category in the manifest.")
    category: Word | None = Field(description="What Meta charges it as; null before it is submitted.")
    rejection_reason: Said = ""


class SeenDocuments(Strict):
    """How many documents a search finds, and does not."""

    found: int = Field(ge=0)
    in_progress: int = Field(ge=0)
    failed: int = Field(ge=0)


class CheckedLink(Strict):
    """A link of the chain that `doctor` checks; `ok` is null where an earlier one is broken."""

    name: Said
    ok: bool | None
    says: Said
    fix: Said = ""


class TriedCase(Strict):
    """A test case; `reasons`: why it is not green."""

    name: Said
    state: Word
    reasons: list[Said] = Field(default=[], max_length=3)


class ChecklistBox(Strict):
    """A box of the checklist, ticked by a live fact only."""

    section: Said
    is_ticked: bool
    text: Said


class FoundOfClient(Strict):
    """What a run found of one client."""

    state: Word = Field(
        description=(
            "Of a plan, an apply, drift: in_sync, differs, withheld, unresolved, error. Of doctor: intact, broken. Of "
            "test: green, flaky, red, unjudged. Of a checklist: done, open."
        )
    )
    changes: list[SeenChange] = Field(default=[], max_length=MOST_CHANGES)
    left_out: int = Field(default=0, ge=0, description="Changes and fields that are not here, since there are many.")
    findings: list[SeenFinding] = Field(default=[], max_length=MOST_FINDINGS)
    templates: list[SeenTemplate] = Field(default=[], max_length=MOST_TEMPLATES)
    documents: SeenDocuments | None = None
    links: list[CheckedLink] = Field(default=[], max_length=MOST_LINKS)
    cases: list[TriedCase] = Field(default=[], max_length=MOST_CASES)
    boxes: list[ChecklistBox] = Field(default=[], max_length=MOST_BOXES)


class RecordedReport(Strict):
    """A run's result. A run over many clients is sent in parts, of which the first has the document."""

    kind: ReportKind
    at: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")] = Field(
        description="When it was made, in UTC.", examples=["2026-12-01T12:00:00.000Z"]
    )
    actor: Name = Field(description="Who ran it, such as `ana@servidor`.")
    commit: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{7,64}$")] | None = Field(
        default=None, description="Of the manifests; null outside of a checkout."
    )
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        default=None, description="Of the plan."
    )
    run: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")] | None = Field(
        default=None, description="Of an apply: its id in the history."
    )
    counts: dict[Word, Annotated[int, Field(ge=0)]] = Field(
        default={}, max_length=20, description="How many of what, over all clients."
    )
    is_whole_run: bool = Field(
        default=False,
        description="Whether it is the first part of a plan of all clients or of an apply, which has the document.",
    )
    document: Annotated[str, StringConstraints(max_length=DOCUMENT_BYTES)] | None = Field(
        default=None, description="A plan as HTML; null where there is none, or it is too large."
    )
    clients: dict[Name, FoundOfClient] = Field(default={}, max_length=MOST_CLIENTS)


def cut(text: str, limit: int = TEXT_CHARACTERS) -> str:
    """A text as short as a report has it."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def read_report(text: str) -> FoundOfClient | None:
    """A client's stored report; None for one that this program does not understand."""
    try:
        return FoundOfClient.model_validate_json(text, extra="ignore")
    except ValidationError:
        return None
