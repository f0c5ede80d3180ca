"""Results on stdout, in the requested format. Each format is imported when it is used."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, get_args

import click

from reconciler.errors import ReconcileError

if TYPE_CHECKING:  # every command starts here, and not every one plans
    from reconciler.model import Outcome, Plan

Format = Literal["text", "json", "markdown", "html"]
FORMATS: Final[Sequence[Format]] = get_args(Format)


def rendered(
    plan: Plan,
    output: Format,
    outcomes: Sequence[Outcome] | None = None,
    *,
    to_file: bool = False,
    verbose: bool = False,
) -> str:
    """The plan in one of the formats; colours only for a terminal."""
    if output == "json":
        from reconciler.render.json import plan_json

        return plan_json(plan, outcomes)
    if output == "markdown":
        from reconciler.render.markdown import plan_markdown

        return plan_markdown(plan, outcomes)
    if output == "html":
        from reconciler.commit import manifests_commit
        from reconciler.render.html import Made, plan_html

        return plan_html(plan, outcomes, made=Made(datetime.now().astimezone(), manifests_commit()))
    from reconciler.render.text import plan_text

    return plan_text(plan, colour=colour_wanted() and not to_file, verbose=verbose)


def write(text: str, out: str | None = None) -> None:
    """Print it, or write it to the file `out`. Raises `ReconcileError` when that cannot be written."""
    # Half a surrogate pair is valid in a provider's JSON and invalid in a file; it is escaped.
    text = text.encode("utf-8", "backslashreplace").decode()
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        Path(out).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ReconcileError(f"{out} cannot be written: {error.strerror}.") from error


def colour_wanted() -> bool:
    """Whether stdout is a terminal and NO_COLOR is not set."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
