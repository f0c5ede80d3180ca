"""`reconcile import`: manifests from live objects. Reads every source, writes new files only."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import click

from reconciler.commands.existing import existing_defaults, existing_fleet
from reconciler.errors import Exit, ReconcileError
from reconciler.importing.draft import ImportedManifest, NotImported, model_warning, over_defaults
from reconciler.importing.files import Written, write_drafts
from reconciler.importing.inventory import Inventory, take_inventory
from reconciler.importing.survey import LeftOut, Survey, survey
from reconciler.observation.live_state import Failed
from reconciler.observation.sources import DOCUMENTS, MODELS, OBJECTS
from reconciler.render.wording import visible
from reconciler.settings import load_settings


@dataclass(frozen=True, slots=True)
class Report:
    """What was imported, and what was not."""

    written: Sequence[Written]
    left_out: Sequence[LeftOut]
    unused: Sequence[LeftOut]
    unread: Sequence[str]
    """Sources that could not be read, each in a sentence."""


@click.command("import")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Target folder, instead of CLIENTS_DIR.")
@click.option("--client", "only", multiple=True, metavar="NUMBER_OR_ID", help="This bot only; may be repeated.")
@click.option(
    "--assistant",
    "exports",
    multiple=True,
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="An assistant exported as JSON, for the bots that name it; may be repeated.",
)
@click.option("--number", help="The WhatsApp number of an exported assistant that no bot names.")
@click.option("--format", "output", type=click.Choice(["text", "json"]), default="text", help="Output format.")
@click.pass_context
def import_(
    ctx: click.Context,
    out: Path | None,
    only: tuple[str, ...],
    exports: tuple[Path, ...],
    number: str | None,
    output: Literal["text", "json"],
) -> None:
    """Write manifests of the bots that were created by hand.

    Changes nothing live and overwrites no file. What a manifest cannot declare is listed with the reason.
    """
    settings = load_settings()
    folder = out or settings.clients_dir
    fleet = existing_fleet(folder)
    inventory = take_inventory(settings, exports)
    try:
        found = survey(inventory, fleet, settings, {path.stem for path in folder.glob("*.y*ml")}, number)
    except NotImported as error:
        raise click.UsageError(str(error)) from error
    report = _import(_chosen(found, inventory, only), inventory, folder)
    click.echo(_json(report) if output == "json" else _text(report, folder), nl=False)
    ctx.exit(Exit.ERROR if report.unread else Exit.OK)


def _import(found: Survey, inventory: Inventory, folder: Path) -> Report:
    defaults = existing_defaults(folder)
    drafts = [replace(draft, values=over_defaults(draft.values, defaults)) for draft in found.drafts]
    models = {str(draft.values["assistant"]["model"]) for draft in drafts}
    warnings = {model: text for model in models if (text := model_warning(model, inventory.models))}
    written, refused = write_drafts(drafts, folder, warnings)
    left_out = [
        LeftOut("bot", f"{draft.values['number']} {draft.values['name']}", draft.id, refused[draft.id])
        for draft in drafts
        if draft.id in refused
    ]
    return Report(written, [*found.left_out, *left_out], found.unused, list(_unread(inventory)))


def _chosen(found: Survey, inventory: Inventory, only: Collection[str]) -> Survey:
    if not only:
        return found
    numbers = {bot.id: bot.twilio_phone_number for bot in inventory.store.bots.values()}
    wanted = {numbers.get(name, name) for name in only}
    drafts = [draft for draft in found.drafts if wanted & {draft.id, draft.values["number"]}]
    left_out = [item for item in found.left_out if wanted & {item.live_id, item.name.split()[0]}]
    seen = {name for draft in drafts for name in (draft.id, draft.values["number"])}
    seen |= {name for item in left_out for name in (item.live_id, item.name.split()[0])}
    if unknown := sorted(wanted - seen):
        raise ReconcileError(
            f"No bot that could be imported is called {', '.join(unknown)}; leave --client out to see all."
        )
    return Survey(drafts, left_out, ())


def _unread(inventory: Inventory) -> Sequence[str]:
    """Sources that would have changed the result."""
    sources: dict[str, object] = {
        MODELS: inventory.models,
        **{OBJECTS[engine]: read for engine, read in inventory.objects.items()},
        DOCUMENTS: inventory.vector_stores,
    }
    sources |= {account.describe(): senders for account, senders in inventory.senders.items()}
    return [f"{source}: {read.message}" for source, read in sources.items() if isinstance(read, Failed)]


def _json(report: Report) -> str:
    document = {
        "written": [_written(one.draft, one.files) for one in report.written],
        "left_out": [asdict(item) for item in report.left_out],
        "unused": [asdict(item) for item in report.unused],
        "unread": list(report.unread),
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _written(draft: ImportedManifest, files: Sequence[Path]) -> dict[str, Any]:
    return {
        "client": draft.id,
        "number": draft.values["number"],
        "files": [path.as_posix() for path in files],
        "unsaid": list(draft.unsaid),
    }


def _text(report: Report, folder: Path) -> str:
    lines = [f"error: {message}" for message in report.unread]
    for one in report.written:
        lines.append(f"Wrote {', '.join(path.as_posix() for path in one.files)}  ({one.draft.values['number']})")
        lines += [f"  {visible(note).rstrip('.')}." for note in one.draft.unsaid]
    lines += [f"Left out: {_item(item)}" for item in report.left_out]
    lines += [f"Not imported: {_item(item)}" for item in report.unused]
    count = len(report.written)
    lines.append(f"{count} manifest{'' if count == 1 else 's'} written, {len(report.left_out)} bots left out.")
    if report.written:
        lines += ["", "Next:", "  1. reconcile validate", *_steps(report, folder)]
    return "\n".join(lines) + "\n"


def _item(item: LeftOut) -> str:
    return visible(f"{item.kind} {item.name} ({item.live_id}): {item.reason}.")


def _steps(report: Report, folder: Path) -> list[str]:
    steps = [
        "  2. reconcile --dry-run: empty, except for what is listed above; applying puts our marker on the live objects"
    ]
    if any(one.draft.unsaid for one in report.written):
        steps.append("  3. reconcile adopt ID, for a client whose objects differ and are to be adopted anyway")
    return [*steps, f"  {len(steps) + 2}. git add {folder.as_posix()}, and open a pull request"]
