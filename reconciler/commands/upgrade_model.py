"""`reconcile upgrade-model`: one model for another in the manifests, with what it costs and what tests say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import click

from reconciler.commands.completion import client_ids
from reconciler.commands.estimating import prices
from reconciler.commands.printing import write
from reconciler.commands.test import chosen_clients, declared
from reconciler.errors import Exit, ReconcileError
from reconciler.manifest import Fleet, Manifest, edits
from reconciler.manifest.defaults import FILE
from reconciler.manifest.document import parse
from reconciler.manifest.folder import open_folder
from reconciler.observation.live_state import Failed, Store
from reconciler.observation.sources import attempt, open_openai, openai_advice, read_store
from reconciler.planning.model_upgrade import (
    ManifestFile,
    ModelPlace,
    concerned,
    costs,
    edited,
    places,
    price_per_million,
    what_new_cannot,
)
from reconciler.render.model_upgrade import costs_text, places_text
from reconciler.settings import Settings, load_settings
from reconciler.streams import print_notice
from runtime.store.client.history import read_usage
from runtime.store.errors import StoreError
from schemas.models import end_of, facts_of, nearest_models

if TYPE_CHECKING:  # imported when cases are tried
    from reconciler.trying.results import CaseResult, RunResult


@dataclass(frozen=True, slots=True)
class UpgradeOptions:
    """The command's arguments and options."""

    old: str
    new: str
    clients: tuple[str, ...]
    dry_run: bool
    test: bool
    budget: float


@dataclass(frozen=True, slots=True)
class _Tried:
    """The cases of both models."""

    old: RunResult
    new: RunResult

    @property
    def worse(self) -> list[tuple[CaseResult, CaseResult]]:
        """Cases that are green with the former model, and are not with the new one."""
        new = {(case.client, case.name): case for case in self.new.cases}
        both = [(case, new[case.client, case.name]) for case in self.old.cases]
        return [(one, other) for one, other in both if one.state == "green" and other.state != "green"]


@click.command("upgrade-model")
@click.argument("old")
@click.argument("new")
@click.option(
    "--client",
    "clients",
    multiple=True,
    metavar="ID",
    shell_complete=client_ids,
    help="Only this client; may be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Show it all, and edit nothing.")
@click.option("--test", is_flag=True, help="First try the test cases with both models; one that gets worse stops it.")
@click.option(
    "--budget",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="USD that the answers of --test may cost, for each model.",
)
@click.pass_context
def upgrade_model(ctx: click.Context, /, **options: Any) -> None:
    """Put the model NEW into the manifests that name OLD.

    Only the names change: comments, quotes and everything else stay. Nothing live is changed; `reconcile` applies it.

    \b
    Exit codes: 0 edited, 2 a test case gets worse and nothing was edited,
    1 a client cannot use NEW, a case could not be judged, a source not read.
    """
    ctx.exit(_upgrade(UpgradeOptions(**options)))


def _upgrade(options: UpgradeOptions) -> Exit:
    settings = load_settings()
    fleet = declared(settings, options.clients)
    chosen_clients(fleet, options.clients)
    files = _files(settings, fleet)
    found = places(files, options.old, options.clients)
    if not found:
        raise ReconcileError(_unused(options, fleet))
    _check_new(options, settings)
    changed = edited(found, options.new)
    chosen = concerned(fleet.clients, options.old, found)
    _check_able(options, fleet, found)
    write(places_text(options.old, options.new, end_of(options.old, _today()), found))
    write(_costs(options, chosen, settings, fleet))
    if options.test:
        code = _test(options, chosen, settings, fleet)
        if code is not Exit.OK:
            return code
    if options.dry_run:
        return Exit.OK
    for name, data in changed.items():
        edits.write(settings.clients_dir / name, data)
    count = "1 file" if len(changed) == 1 else f"{len(changed)} files"
    write(f"\nEdited {count}. `git diff` shows the lines, `reconcile --dry-run` the plan.\n")
    return Exit.OK


def _files(settings: Settings, fleet: Fleet) -> list[ManifestFile]:
    """Every manifest, and the defaults."""
    folder = open_folder(settings.clients_dir, settings.own_secrets)
    clients = {manifest.path.rpartition("/")[2]: manifest.client.id for manifest in fleet.clients}
    files = []
    for name in [*([FILE] if folder.has_defaults else []), *folder.manifests]:
        data = (settings.clients_dir / name).read_bytes()
        files.append(ManifestFile(name, data, parse(folder.shown(name), data), clients.get(name)))
    return files


def _unused(options: UpgradeOptions, fleet: Fleet) -> str:
    """That no manifest names the former model, and which ones they name."""
    only = options.clients
    used = {one.client.assistant.model for one in fleet.clients if not only or one.client.id in only}
    near = nearest_models(options.old, sorted(used))
    hint = f"Did you mean {_either(near)}?" if near else f"They name {', '.join(sorted(used))}."
    whose = f"of {', '.join(only)} " if only else ""
    return f"No manifest {whose}names the model {options.old!r}. {hint}"


def _check_new(options: UpgradeOptions, settings: Settings) -> None:
    """Raises ReconcileError for a new model that is not available, or ends within 90 days as well."""
    if options.new == options.old:
        raise ReconcileError("OLD and NEW are the same model.")
    models = attempt(lambda: open_openai(settings).models(), openai_advice)
    dates = None
    if isinstance(models, Failed):
        print_notice(f"{models.message} The model is checked by what this release knows of it.")
        is_known, listed = facts_of(options.new) is not None, []
    else:
        is_known, listed = options.new in models, list(models)
        dates = {one.id: one.shutdown_date for one in models.values() if one.has_date}
    if not is_known:
        near = nearest_models(options.new, listed)
        hint = f"Did you mean {_either(near)}?" if near else "See `GET /v1/models` for what the key may use."
        raise ReconcileError(f"The model {options.new!r} is not available to this OpenAI key. {hint}")
    end = end_of(options.new, _today(), dates)
    if end is not None and end.notice is not None:
        raise ReconcileError(f"The model {options.new!r} {end.text}; take one that lasts.")


def _check_able(options: UpgradeOptions, fleet: Fleet, found: Sequence[ModelPlace]) -> None:
    """Raises ReconcileError with everything that the new model cannot do of what clients declare."""
    owners = {place.file.client for place in found}
    meant = [one for one in fleet.clients if None in owners or one.client.id in owners]
    wrong = [
        f"{client}: {violation.message}. {violation.hint}"
        for client, violation in what_new_cannot(meant, options.old, options.new)
        if violation.severity == "error"
    ]
    if wrong:
        lines = "\n".join(f"  {line}" for line in wrong)
        raise ReconcileError(f"{options.new} cannot do what these clients declare; nothing was edited.\n{lines}")


def _costs(options: UpgradeOptions, chosen: Sequence[Manifest], settings: Settings, fleet: Fleet) -> str:
    """What the clients' last 30 days cost with both; empty where the store could not be read."""
    clients = [manifest.client.id for manifest in chosen]
    try:
        used = read_usage(settings.bot_store_url, settings.api_token, clients, settings.timeout) if clients else ()
    except StoreError as error:
        print_notice(f"What it costs could not be estimated: {error}")
        return ""
    price_of = prices(fleet, _store(settings))
    found = costs(clients, used, (options.old, options.new), price_of)
    per_million = (price_per_million(model, price_of) for model in (options.old, options.new))
    return costs_text(options.new, found, *per_million)


def _test(options: UpgradeOptions, chosen: Sequence[Manifest], settings: Settings, fleet: Fleet) -> Exit:
    """Tries the cases with both models, and prints them side by side."""
    from reconciler.trying.formats.upgrade import cases_text

    tried = _tried(options, chosen, settings, fleet)
    write(cases_text(options.old, options.new, tried.old, tried.new))
    unjudged = tried.old.count("unjudged") + tried.new.count("unjudged") + len(tried.new.skipped)
    if unjudged:
        print_notice("Something could not be judged, so nothing was edited; without --test it is edited untried.")
        return Exit.ERROR
    if tried.worse:
        print_notice("Cases got worse, so nothing was edited; without --test it is edited all the same.")
        return Exit.CHANGES
    return Exit.OK


def _tried(options: UpgradeOptions, chosen: Sequence[Manifest], settings: Settings, fleet: Fleet) -> _Tried:
    from reconciler.commands.test import tried
    from reconciler.trying.run import RunOptions

    names = sorted({case.name for manifest in chosen for case in manifest.cases})
    if not names:
        raise ReconcileError("None of these clients has test cases; leave --test out, or declare `tests:`.")

    def by(model: str) -> RunResult:
        # With names, recordings of the other model are kept: both are wanted until one of them is chosen.
        chosen_options = RunOptions(names=names, calls=True, records=True, budget=options.budget, model=model)
        return tried(chosen, settings, fleet, chosen_options)

    return _Tried(by(options.old), by(options.new))


def _store(settings: Settings) -> Store | None:
    """The bot store, with the tariffs; None where it cannot be read."""
    store = attempt(lambda: read_store(settings))
    return None if isinstance(store, Failed) else store


def _either(names: Sequence[str]) -> str:
    quoted = [repr(name) for name in names]
    return " or ".join(filter(None, (", ".join(quoted[:-1]), quoted[-1])))


def _today() -> date:
    return datetime.now(tz=UTC).date()
