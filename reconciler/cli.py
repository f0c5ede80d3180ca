"""The command `reconcile`: options in, exit code out. Commands are imported when they are called, so each one imports
only what it needs."""

from __future__ import annotations

import gc
import importlib
import keyword
import os
import sys
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from reconciler.commands.printing import FORMATS
from reconciler.errors import Exit, ReconcileError
from reconciler.streams import (
    UNWRITABLE,
    flush_or_drop,
    print_error,
    print_notice,
    print_wrong_call,
    report_lost_output,
)
from terminal.streams import fill_closed_streams

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS: Final[Mapping[str, str]] = {
    "validate": "Check every manifest and the tariffs, without network or secrets.",
    "render": "Show one client's manifest with defaults and prompt merged in.",
    "schema": "Print the JSON Schema of a manifest.",
    "new": "Write the manifest of a new client.",
    "import": "Write manifests of objects that were created by hand.",
    "adopt": "Adopt objects that were created by hand, although they differ.",
    "drift": "Report live changes that were made outside of git. Read-only.",
    "verify": "Register a number as a WhatsApp sender, and complete it with its code.",
    "chat": "Talk to a client's assistant as its manifest declares it.",
    "test": "Try the test cases of manifests, as the runtime would answer them.",
    "compare": "Try the test cases with two versions of an assistant, side by side.",
    "status": "Show the status of each client.",
    "doctor": "Check each link from a user's phone to the answer, and name the broken one.",
    "upgrade-model": "Put another model into the manifests, with what it costs and what tests say.",
    "history": "List who applied what, when, and with which outcome.",
    "canary": "End a client's canary: make it the assistant, or remove it.",
    "proposal": "Write the proposal for a client, in Spanish, with what it costs.",
    "privacy": "Write a client's papers about people's data, as drafts in Spanish.",
    "unlock": "Release the lease of a run that crashed.",
}
"""Name → one line of help; the command itself is `reconciler.commands.<name>`."""
BY_OTHER_NAMES: Final[Mapping[str, str]] = {
    "plan": "`reconcile --dry-run` shows the plan.",
    "diff": "`reconcile --dry-run` shows the plan.",
    "apply": "`reconcile` alone shows the plan, asks and applies.",
    "init": "`reconcile new` writes the first manifest, `reconcile import` those of objects created by hand.",
}
"""A command's name in other tools → where it is here."""


class Commands(click.Group):
    """Loads a subcommand's module when it is called, and suggests the nearest name for one that does not exist."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        name = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name.replace("-", "_")
        module = importlib.import_module(f"reconciler.commands.{name}")
        command: click.Command = getattr(module, name)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Subcommands by name, without importing them, then this command's own options."""
        from click.shell_completion import CompletionItem  # for the shell only

        names = [CompletionItem(name, help=said) for name, said in COMMANDS.items() if name.startswith(incomplete)]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS:
            import difflib  # for a mistake only

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f"Did you mean `{near[0]}`?" if near else f"There are: {', '.join(COMMANDS)}."
            hint = BY_OTHER_NAMES.get(args[0], hint)
            raise click.UsageError(f"No command {args[0]!r}. {hint}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Ctrl-C ends it without the blank line that Click prints first."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise click.Abort from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _client_ids(ctx: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
    from reconciler.commands.completion import client_ids

    return client_ids(ctx, parameter, typed)


@click.group(cls=Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--dry-run", is_flag=True, help="Show the plan and change nothing.")
@click.option(
    "--client",
    "only",
    multiple=True,
    metavar="ID",
    shell_complete=_client_ids,
    help="Only this client; may be repeated.",
)
@click.option("--yes", is_flag=True, help="Apply without asking; needed where there is no terminal.")
@click.option("--expect", metavar="DIGEST", help="Apply only if the plan is exactly the one with this digest.")
@click.option("--prune", is_flag=True, help="Delete managed objects that no manifest declares any more.")
@click.option("--delete-senders", is_flag=True, help="Delete the senders of removed clients; without it, detach them.")
@click.option("--format", "output", type=click.Choice(FORMATS), default="text", help="Format of the plan.")
@click.option("--out", type=click.Path(dir_okay=False, writable=True), help="Write the plan to this file instead.")
@click.option(
    "--html",
    type=click.Path(dir_okay=False, writable=True),
    help="With --dry-run: write the plan to this file too, as HTML and never cut.",
)
@click.option("--report", is_flag=True, help="Record the plan, or what was applied, in the bot store for the console.")
@click.option("--detailed-exitcode", is_flag=True, help="With --dry-run: exit 2 when changes are pending.")
@click.option(
    "--max-deletes",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="Largest number of deletes and detaches that one run may make.",
)
@click.option(
    "--max-delete-percent",
    type=click.IntRange(0, 100),
    default=50,
    show_default=True,
    help="Largest share of clients that one run may delete, in percent.",
)
@click.option(
    "--max-changes",
    type=click.IntRange(min=0),
    help="Largest number of changes that one run may make; no limit without it.",
)
@click.option(
    "--max-change-percent",
    type=click.IntRange(0, 100),
    help="Largest share of clients that one run may change, in percent.",
)
@click.option("--allow-empty", is_flag=True, help="Allow a folder without clients to delete all managed objects.")
@click.option(
    "--allow-other-account", is_flag=True, help="Allow credentials of another account than the records are of."
)
@click.option(
    "--deadline",
    type=click.IntRange(min=1),
    default=3600,
    show_default=True,
    help="Seconds after which no further change is begun.",
)
@click.option("--verbose", is_flag=True, help="Also list adopted and unmanaged objects, and show tracebacks.")
@click.version_option(package_name="horizonai-reconciler", prog_name="reconcile")
@click.pass_context
def cli(ctx: click.Context, /, **options: Any) -> None:
    """Make OpenAI, Twilio and the bot store equal to the manifests in clients.d.

    Without a command: plan, show the plan, ask, apply.

    \b
    Exit codes: 0 in sync or applied, 1 error, 2 changes or drift pending,
    3 refused by a guard, 4 applied in part, 5 another run holds the lease or
    the plan is not the expected one.
    """
    if ctx.invoked_subcommand is not None:
        _refuse_options_before(ctx)
        return
    from reconciler.commands.reconcile import ReconcileOptions, reconcile
    from reconciler.planning.guards import Limits
    from reconciler.planning.plan import Scope

    scope = Scope(**{name: options.pop(name) for name in ("only", "prune", "delete_senders")})
    limits = Limits(**{name.name: options.pop(name.name) for name in fields(Limits)})
    ctx.exit(reconcile(ReconcileOptions(**options, scope=scope, limits=limits)))


def _refuse_options_before(ctx: click.Context) -> None:
    """One way to write a command: its options follow its name."""
    for parameter in ctx.command.params:
        if ctx.get_parameter_source(str(parameter.name)) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"Write {parameter.opts[0]} after `{ctx.invoked_subcommand}`, if it has that option.", ctx
            )


def main() -> NoReturn:
    """Entry point of the console script."""
    # Objects that a plan reads live until it is done: collecting garbage among them costs a third of a large plan's
    # time.
    gc.disable()
    # Searching for pydantic's plugins reads the metadata of every installed package, and none is used here.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    code = run(sys.argv[1:])
    flush_or_drop()
    # Everything is written and closed; finalizing each object and module would be an eighth of a small plan's time.
    os._exit(code)


def run(args: list[str]) -> int:
    """Run the command and return its exit code; a usage error is a sentence on stderr, never a traceback."""
    if not fill_closed_streams():
        print_error(
            "stdout is closed, so the result could not be written; nothing was done. "
            "Redirect it to a file or /dev/null."
        )
        return Exit.ERROR
    try:
        return _run(args)
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        report_lost_output(error)
        return Exit.ERROR


def _run(args: list[str]) -> int:
    try:
        code = cli.main(args, prog_name="reconcile", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        # Click's own code for a wrong call is 2, which means "changes pending" here.
        print_wrong_call(error)
        return Exit.ERROR
    except click.Abort:
        print_notice("Stopped; nothing was changed.")
        return Exit.ERROR
    except ReconcileError as error:
        (print_notice if error.names_places else print_error)(str(error))
        return error.exit_code
    return code if isinstance(code, int) else Exit.OK


if __name__ == "__main__":
    main()
