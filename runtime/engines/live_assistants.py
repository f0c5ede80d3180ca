"""Whether an assistant or agent that lives at the provider exists, asked when a bot is made. It answers nothing."""

from __future__ import annotations

import asyncio
import importlib
import warnings

from runtime.engines.selection import open_client
from runtime.settings import Settings
from runtime.store.records import AGENT_PREFIX

# The SDK marks the Assistants API as deprecated with every call; servers that still speak it are asked here.
warnings.filterwarnings("ignore", category=DeprecationWarning, module=__name__)

LOOKUP_SECONDS = 5.0
"""Time limit of a look-up."""


class LiveAssistants:
    """Looks assistants up at the provider."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def is_missing(self, assistant_id: str) -> bool | None:
        """Whether the provider has no assistant of that id; None when it could not be asked."""
        # OpenAI's SDK takes most of a second to import, and most bots need it never.
        openai = await asyncio.to_thread(importlib.import_module, "openai")
        async with open_client(self._settings, retries=0).with_options(timeout=LOOKUP_SECONDS) as client:
            one = client.beta.agents if assistant_id.startswith(AGENT_PREFIX) else client.beta.assistants
            try:
                await one.retrieve(assistant_id)
            except openai.NotFoundError:
                return True
            except openai.APIError:
                return None
        return False
