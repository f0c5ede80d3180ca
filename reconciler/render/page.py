"""HTML documents that stand alone: one file, nothing loaded, nothing executed.

The markup is in `templates/`. Values are escaped by Jinja and made visible by `visible`, without a filter in the
template. The content security policy names the one style sheet by its hash, so even markup that slipped in could
neither run nor fetch anything.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reconciler.render.wording import visible

TEMPLATES = Path(__file__).with_name("templates")


def page(template: str, title: str, language: str, **values: Any) -> str:
    """A document of `template`, which extends `page.html`. All values are plain."""
    style = (TEMPLATES / "page.css").read_text(encoding="utf-8")
    style_hash = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    frame = {"title": title, "language": language, "style": style, "style_hash": style_hash}
    return _environment().get_template(template).render(frame, **values)


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )


def _shown(value: Any) -> Any:
    """A text with visible control characters; markup from a macro or `safe` as it is."""
    return visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value
