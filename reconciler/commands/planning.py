"""The first steps of every command that plans: settings, manifests, reading all sources, the plan."""

from __future__ import annotations

from collections.abc import Collection

import click

from reconciler.errors import InvalidSetting, ReconcileError
from reconciler.manifest import Fleet, FleetReading, fleet_errors
from reconciler.observation.live_state import Failed, LiveState
from reconciler.observation.observe import Begun, observe
from reconciler.render.progress import reading
from reconciler.settings import Settings, load_settings
from runtime.store.errors import masked


def begin_reading(settings: Settings) -> FleetReading:
    """Begin to read the manifests; to be called before there are threads."""
    return FleetReading(
        settings.clients_dir,
        settings.own_secrets,
        allow_private_endpoints=settings.allow_private_endpoints,
        tariffs_file=settings.tariffs_file,
    )


def load_fleet(only: Collection[str], *, is_quiet: bool = False, only_valid: bool = False) -> tuple[Settings, Fleet]:
    """Settings and manifests. Raises `ManifestErrors`, `InvalidSetting`, or `ReconcileError` for an unknown `only`.

    `only_valid`: leave invalid manifests out, and print what is wrong with them on stderr, unless they may be those of
    `only`.
    """
    settings = load_settings()
    with begin_reading(settings) as begun:
        return settings, checked_fleet(begun.fleet(), settings, only, is_quiet=is_quiet, only_valid=only_valid)


def checked_fleet(
    fleet: Fleet, settings: Settings, only: Collection[str], *, is_quiet: bool = False, only_valid: bool = False
) -> Fleet:
    """The fleet, if a command can work with it; see `load_fleet`."""
    if fleet.errors:
        if not only_valid or not {manifest.client.id for manifest in fleet.clients}.issuperset(only):
            raise fleet_errors(fleet)
        for problem in fleet.errors:
            click.echo(str(problem), err=True)
        click.echo(
            "These manifests are left out here; nothing is planned or applied until they are corrected.", err=True
        )
    if fleet.warnings and not is_quiet:
        count = len(fleet.warnings)
        click.echo(
            f"{count} warning{'s' if count > 1 else ''} in the manifests; `reconcile validate` shows them.", err=True
        )
    known = [manifest.client.id for manifest in fleet.clients]
    for client in only:
        if client not in known:
            import difflib  # for a mistake only

            near = difflib.get_close_matches(client, known, n=1)
            raise ReconcileError(
                f"No client {client!r} in {settings.clients_dir}. "
                + (f"Did you mean {near[0]!r}?" if near else "`reconcile status` lists all of them.")
            )
    if settings.public_url is None and any(manifest.client.state != "absent" for manifest in fleet.clients):
        raise InvalidSetting(
            "PUBLIC_URL is not set. It is the address at which Twilio reaches the runtime, such as "
            "https://whatsapp.example.cl."
        )
    return fleet


def observed(
    fleet: Fleet,
    settings: Settings,
    *,
    only: Collection[str] = (),
    whole_senders: bool = False,
    begun: Begun | None = None,
) -> LiveState:
    """What `observe` reads, with a sign on the terminal while it does."""
    with reading():
        return observe(fleet, settings, only=only, whole_senders=whole_senders, begun=begun)


def report_missing_store(live_state: LiveState, settings: Settings) -> None:
    """Report on stderr that there is no store yet: the first run of all, or a command in the wrong folder."""
    if not isinstance(live_state.store, Failed) and not live_state.store.exists:
        say_store_is_missing(settings)


def say_store_is_missing(settings: Settings) -> None:
    """The warning itself."""
    click.echo(
        f"The bot store {masked(settings.bot_store_url)} ({settings.store_origin}) does not exist yet; the first apply "
        "creates it. If the runtime's store is elsewhere, set BOT_STORE_URL.",
        err=True,
    )
