"""The Spanish guide's lists are those of the code."""

from __future__ import annotations

from typing import get_args

from schemas.client import Vertical
from tests.project.repository import ROOT


def test_the_guide_lists_whatsapp_s_verticals() -> None:
    section = (ROOT / "docs" / "guia.es.md").read_text().split("#### Rubros de WhatsApp")[1].split("####")[0]
    listed = section.split(":", 1)[1].split(". El que")[0].replace("\n", " ")
    assert listed.strip(" `").split("`, `") == list(get_args(Vertical))
