"""The models that clients of a plan name and that end: for drift's notifications, metrics, and its last words."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from reconciler.kinds.assistant.models import model_end, other_models
from reconciler.manifest import Fleet, Manifest
from reconciler.observation.live_state import LiveState
from schemas.models import ModelEnd, end_finding

OF_MODELS = ("model/", "model-gone/")
"""What the keys of notices about models have after the client: those that the runtime sends, too."""
LAST_DAYS = 7
"""From then on each run prints it."""


@dataclass(frozen=True, slots=True)
class ClientModelEnd:
    """That a client's model ends."""

    client: str
    end: ModelEnd

    @property
    def finding(self) -> str:
        """Its key in the store, which is the runtime's too: a channel of both gets it once."""
        return end_finding(self.client, self.end.model)

    @property
    def fingerprint(self) -> str:
        """Another one at each time of warning."""
        return f"ends-{self.end.notice}"

    @property
    def text(self) -> str:
        """In a line, with the way out."""
        successor = self.end.successor or "NEW"
        return f"{self.client}: {self.end.model} {self.end.text}; reconcile upgrade-model {self.end.model} {successor}"


def model_ends(fleet: Fleet, live_state: LiveState, only: Collection[str] = ()) -> list[ClientModelEnd]:
    """Every model with a known end that a client names, by client."""
    return [found for manifest in fleet.clients for found in _of_client(manifest, live_state, only)]


def _of_client(manifest: Manifest, live_state: LiveState, only: Collection[str]) -> Iterator[ClientModelEnd]:
    client = manifest.client
    if client.state == "absent" or (only and client.id not in only):
        return
    for model in dict.fromkeys((client.assistant.model, *other_models(client).values())):
        end = model_end(model, live_state)
        if end is not None:
            yield ClientModelEnd(client.id, end)


def is_of_model(finding: str) -> bool:
    """Whether a notice is about a model, and so never about something that is in sync again."""
    return finding.partition("/")[2].startswith(OF_MODELS)
