"""What papers are about: a client as its manifest declares it, and the agency that runs its assistant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from reconciler.manifest import Manifest
from reconciler.recipient import Recipient
from reconciler.recipients.declared import recipients_of
from schemas import Client, FileSearchTool, FunctionTool
from schemas.data_policy import SENSITIVE, DataPolicy, Retention
from schemas.policy import MediaPolicy
from schemas.tariffs import Agency

ACT: Final = "Ley 19.628, reformada por la Ley 21.719"
IN_FORCE: Final = "La reforma rige desde el 1 de diciembre de 2026, salvo que se postergue."


@dataclass(frozen=True, slots=True)
class PaperSubject:
    """The client and its agency, as far as papers depend on them."""

    manifest: Manifest
    agency: str
    contact: str
    recipients: Sequence[Recipient]

    @property
    def client(self) -> Client:
        """What the manifest declares."""
        return self.manifest.client

    @property
    def name(self) -> str:
        """The client's, as people read it."""
        return self.client.name

    @property
    def data(self) -> DataPolicy:
        """How people's data are treated."""
        return self.client.data or DataPolicy()

    @property
    def retention(self) -> Retention:
        """How long they are kept."""
        return self.data.retention or Retention()

    @property
    def media(self) -> MediaPolicy:
        """Which files are read."""
        return self.client.media or MediaPolicy()

    @property
    def sensitive(self) -> str | None:
        """The sensitive data that are declared, in words."""
        return ", ".join(SENSITIVE.get(one, one) for one in self.data.sensitive or ()) or None

    @property
    def functions(self) -> Sequence[FunctionTool]:
        """What the assistant can do in the client's systems."""
        return [tool for tool in self.client.assistant.tools if isinstance(tool, FunctionTool)]

    @property
    def searches_documents(self) -> bool:
        """Whether it answers from documents."""
        return any(isinstance(tool, FileSearchTool) for tool in self.client.assistant.tools)

    @property
    def others(self) -> Sequence[Recipient]:
        """Recipients that not every client has."""
        return [recipient for recipient in self.recipients if not recipient.is_platform]


def subject_of(manifest: Manifest, agency: Agency) -> PaperSubject:
    """What a manifest and the tariffs declare."""
    return PaperSubject(
        manifest,
        agency.name or "[nombre de la agencia]",
        agency.contact or "[contacto de la agencia]",
        recipients_of(manifest.client),
    )
