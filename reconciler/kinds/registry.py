"""Every kind, by its name, in the fixed order. A kind is complete once it is here and in `applying.writes`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reconciler.kinds.assistant import ASSISTANT
from reconciler.kinds.bot import BOT
from reconciler.kinds.knowledge import KNOWLEDGE
from reconciler.kinds.protocol import Kind
from reconciler.kinds.sender import SENDER
from reconciler.model import KindName

KINDS: Final[Mapping[KindName, Kind]] = {kind.name: kind for kind in (KNOWLEDGE, ASSISTANT, BOT, SENDER)}
