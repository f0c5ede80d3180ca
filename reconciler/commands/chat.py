"""`reconcile chat`: talk to a client's assistant as its manifest declares it, from the terminal."""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from reconciler.commands.completion import client_ids
from reconciler.commands.test import chosen_clients, declared
from reconciler.errors import ReconcileError
from reconciler.manifest import Fleet, Manifest, ManifestErrors
from reconciler.manifest.explain import nearest
from reconciler.render.wording import visible
from reconciler.settings import Settings, load_settings
from terminal.questions import next_line

if TYPE_CHECKING:  # imported once there is something to say
    from reconciler.trying.chat import Chat, Tried
    from schemas.cases import FunctionFixture

HELP: Final = (
    "Write to the assistant, a line a message. /file PATH [words] sends a file, /reset begins over, /save NAME writes "
    "what was said as a test case, /help shows this, Ctrl-D ends."
)
PROMPT: Final = "> "


@click.command()
@click.argument("client", metavar="ID", shell_complete=client_ids)
@click.option("--model", metavar="MODEL", help="Let this model answer instead of the manifest's.")
@click.option("--name", metavar="NAME", help="Name of the person who writes, as WhatsApp would show it.")
@click.option("--case", "case_name", metavar="NAME", help="Answer functions as this case's fixtures do.")
@click.option(
    "--call-functions", is_flag=True, help="Call the functions' endpoints; without it you say what they answer."
)
def chat(client: str, model: str | None, name: str | None, case_name: str | None, call_functions: bool) -> None:
    """Talk to a client's assistant as its manifest declares it now.

    Edits of prompt, documents and tools take effect with the next message. Nothing is sent over WhatsApp, nothing live
    is changed, and documents are removed from OpenAI at the end. The model is asked, and costs what is shown.
    """
    settings = load_settings()
    if not settings.openai_api_key:
        raise ReconcileError("OPENAI_API_KEY is not set; the model cannot be asked.")
    fleet = declared(settings, [client])
    [manifest] = chosen_clients(fleet, [client])
    _Terminal(settings, fleet, manifest, call_functions).talk(model, name, _fixtures(manifest, case_name))


def _fixtures(manifest: Manifest, name: str | None) -> Sequence[FunctionFixture]:
    if name is None:
        return ()
    cases = {case.name: case.case for case in manifest.cases}
    if name not in cases:
        near = nearest(name, list(cases))
        raise ReconcileError(f'No case "{name}". ' + (f'Did you mean "{near}"?' if near else "render shows them."))
    return cases[name].functions


@dataclass(slots=True)
class _Terminal:
    """The chat on standard input and output: answers on stdout, all else on stderr."""

    settings: Settings
    fleet: Fleet
    manifest: Manifest
    calls_functions: bool

    def talk(self, model: str | None, name: str | None, fixtures: Sequence[FunctionFixture]) -> None:
        """Until the input ends."""
        from reconciler.trying.candidate import NotTriable
        from reconciler.trying.chat import Chat
        from schemas.default_tariffs import DEFAULT

        tariffs = self.fleet.tariffs.tariffs if self.fleet.tariffs is not None else DEFAULT
        with asyncio.Runner() as runner:
            session = Chat(
                self.settings,
                tariffs,
                self._reload,
                _ask_function,
                fixtures=fixtures,
                calls_functions=self.calls_functions,
                model=model,
                name=name,
            )
            try:
                runner.run(session.__aenter__())
            except NotTriable as error:
                raise ReconcileError(f"{self.manifest.client.id}: {error}") from error
            try:
                _note(f"{self.manifest.client.name}, {session.candidate.assistant.model}. {HELP}")
                while (line := next_line(PROMPT)) is not None:
                    self._one(session, runner, line.strip())
            finally:
                runner.run(session.__aexit__())
        _note(f"{_usd(session.nano_usd)} in all.")

    def _reload(self) -> Manifest:
        client = self.manifest.client.id
        return chosen_clients(declared(self.settings, [client]), [client])[0]

    def _one(self, session: Chat, runner: asyncio.Runner, line: str) -> None:
        """What one line asks for; an error is reported, and the chat continues."""
        try:
            if line.startswith("/"):
                self._command(session, runner, line)
            elif line:
                _answered(session, lambda: runner.run(session.say([line])))
        except ManifestErrors as error:
            _note(f"The manifest is wrong now; correct it and write again.\n{error}")
        except ReconcileError as error:
            _note(str(error))

    def _command(self, session: Chat, runner: asyncio.Runner, line: str) -> None:
        command, _, rest = line.partition(" ")
        match command:
            case "/reset":
                session.reset()
                _note("It knows nothing of what was said before.")
            case "/save":
                _note(self._saved(session, rest.strip()))
            case "/file":
                path, *words = shlex.split(rest) or [""]
                if not Path(path).is_file():
                    raise ReconcileError(f"There is no file {path!r}. Write /file PATH, and words after it.")
                texts = [" ".join(words)] if words else []
                _answered(session, lambda: runner.run(session.say(texts, [Path(path)])))
            case _:
                _note(HELP)

    def _saved(self, session: Chat, name: str) -> str:
        """Writes the case beside the manifest; returns what is to be done with it."""
        from reconciler.trying.saving import save

        return save(session.said, self.settings.clients_dir, self.manifest, name)


def _answered(session: Chat, say: Callable[[], Tried]) -> None:
    began, spent = time.monotonic(), session.nano_usd
    found = say()
    for call in found.calls:
        _note(f"  {visible(call['name'])} {visible(call['arguments'])} -> {visible(str(call['output']))}")
    for message in found.messages:
        click.echo(visible(message))
    ending = found.ending
    if ending.state == "dead":
        _note(f"No answer could be made: {ending.error}")
    elif not found.messages:
        _note(f"No answer ({ending.reason}).")
    elif ending.handoff is not None:
        _note("The conversation has passed to people; /reset begins over.")
    usage = ending.usage
    tokens = f"{usage.input_tokens} tokens in ({usage.cached_tokens} cached), {usage.output_tokens} out"
    cost = _usd(session.nano_usd - spent)
    _note(f"  {ending.model or 'no model'}, {tokens}, {cost}, {time.monotonic() - began:.1f} s")


def _ask_function(name: str, arguments: str) -> str:
    """What a function answers, as the person says."""
    return next_line(f"  {visible(name)} {visible(arguments)} answers (Enter: ok) ") or ""


def _note(text: str) -> None:
    click.echo(text, err=True)


def _usd(nano_usd: int) -> str:
    return f"{nano_usd / 1_000_000_000:.6f} USD"
