"""Every kind, by its name, in the fixed order. A kind is complete once it is here and in `applying.writes`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reconciler.kinds.assistant import ASSISTANT
from reconciler.kinds.bot import BOT
from reconciler.kinds.content import CONTENT
from reconciler.kinds.knowledge import KNOWLEDGE
from reconciler.kinds.protocol import Kind
from reconciler.kinds.sender import SENDER
from reconciler.kinds.template import TEMPLATE
from reconciler.model import KindName

_IN_ORDER: Final = (KNOWLEDGE, TEMPLATE, ASSISTANT, CONTENT, BOT, SENDER)
KINDS: Final[Mapping[KindName, Kind]] = {kind.name: kind for kind in _IN_ORDER}
