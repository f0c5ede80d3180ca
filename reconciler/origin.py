"""Whose objects the records of a bot store are: the Twilio account, and OpenAI's organisation and project.

Kept in the store by the first apply, and compared by each later run, so that the credentials of one installation are
not applied onto the records of another. Only what providers call themselves is kept, never anything made of a key: keys
are rotated, and planning may have one of its own. What is not known is not compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Final

from runtime.store.records import INSTALLATION, AppliedRecord

KIND: Final = "origin"
"""Under this kind the store keeps it, in place of a client's id under `INSTALLATION`."""

_NAMES: Final = {
    "twilio_account": "the Twilio account {}",
    "openai_organization": "OpenAI's organisation {}",
    "openai_project": "OpenAI's project {}",
}


@dataclass(frozen=True, slots=True)
class Origin:
    """Accounts by their providers' own ids; None where the id is not known."""

    twilio_account: str | None = None
    """The shared one: `AC…`. A client's own account stands in its manifest."""
    openai_organization: str | None = None
    """The header openai-organization of an answer; another server may send none."""
    openai_project: str | None = None
    """The header openai-project: `proj_…`."""

    def updated(self, now: Origin) -> Origin:
        """This one with what is known now."""
        known = {name: value for name, value in asdict(now).items() if value is not None}
        return Origin(**{**asdict(self), **known})

    def differences(self, now: Origin) -> Iterator[str]:
        """`the Twilio account AC1, and the credentials are of AC2`, for each id that is known on both sides."""
        ours, theirs = asdict(self), asdict(now)
        for name, said in _NAMES.items():
            if ours[name] and theirs[name] and ours[name] != theirs[name]:
                yield f"{said.format(ours[name])}, and the credentials are of {theirs[name]}"

    def record(self) -> AppliedRecord:
        """What the store keeps."""
        return AppliedRecord(INSTALLATION, KIND, INSTALLATION, asdict(self))


def origin_of(records: Iterable[AppliedRecord]) -> Origin:
    """What the store has kept; all unknown where it has kept nothing."""
    for record in records:
        if record.kind == KIND:
            return Origin(**{name: record.values.get(name) for name in _NAMES})
    return Origin()
