"""`reconcile new`: writes the manifest of a new client, asking for what the options do not give.

It writes into the folder of manifests only, overwrites nothing, and removes what it wrote if that does not validate.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from reconciler.commands.existing import existing_defaults, existing_fleet
from reconciler.errors import ReconcileError
from reconciler.manifest import Fleet, load
from reconciler.manifest.defaults import FILE
from reconciler.manifest.draft import NewManifest, draft_text, problem_with
from reconciler.manifest.explain import slug
from reconciler.manifest.texts import FileProblem, read_prompt
from reconciler.settings import load_settings
from schemas.addresses import number_of
from terminal.language import said
from terminal.questions import ask_line, ask_text, can_ask, edit_text

# A longer prompt is easier to read, and to review, in a file of its own.
_LONG_PROMPT = 600
_MODEL = "gpt-6-luna"

Values = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Question:
    """One question about the new client."""

    key: str
    label: str
    suggestion: Callable[[Values], str | None]
    """A suggestion from the answers so far; None when only the user knows."""
    wrong: Callable[[str], str | None]
    """What is wrong with an answer."""
    tidy: Callable[[str], str] = str.strip
    assumed: bool = False
    """Without a terminal the suggestion is used."""
    several_lines: bool = False

    def checked(self, answer: str) -> str:
        """The answer as it is used. Raises `click.UsageError` for a wrong one."""
        tidied = self.tidy(answer)
        wrong = self.wrong(tidied)
        if wrong:
            raise click.UsageError(wrong)
        return tidied


@click.command()
@click.argument("id", metavar="[ID]", required=False)
@click.option("--name", help="Display name of the client.")
@click.option("--number", help='WhatsApp number, like "+56 9 6123 4567".')
@click.option("--model", help=f"Model id; that of {FILE} without it, else {_MODEL}.")
@click.option("--instructions", metavar="TEXT", help="The prompt.")
@click.option("--instructions-file", metavar="FILE", type=click.Path(path_type=Path), help="A file with the prompt.")
@click.option("--edit", is_flag=True, help="Write the prompt in $VISUAL or $EDITOR.")
@click.option(
    "--engine", type=click.Choice(["responses", "agents", "assistants"]), default="responses", show_default=True
)
@click.option("--dir", "folder", type=click.Path(file_okay=False, path_type=Path), help="Instead of CLIENTS_DIR.")
def new(engine: str, folder: Path | None, instructions_file: Path | None, edit: bool, **given: str | None) -> None:
    """Write the manifest of a new client.

    On a terminal it asks for what is missing. ID is made from the name when it is not given. A prompt may have several
    lines: paste it, then end it with Enter on an empty line.
    """
    if sum((given["instructions"] is not None, instructions_file is not None, edit)) > 1:
        raise click.UsageError("Give one of --instructions, --instructions-file and --edit.")
    if instructions_file is not None:
        given["instructions"] = _read(instructions_file)
    folder = folder or load_settings().clients_dir
    answers = _answers(given, _questions(existing_fleet(folder), _has_default_model(folder)), edit=edit)
    files = _write(folder, answers, engine)
    click.echo("\n".join(said(f"Wrote {path}") for path in files))
    click.echo(said(_next_steps(files)))


def _questions(fleet: Fleet, model_by_default: bool) -> list[Question]:
    ids = {manifest.client.id for manifest in fleet.clients}
    numbers = {manifest.client.number: manifest.client.id for manifest in fleet.clients}

    def name_wrong(name: str) -> str | None:
        return problem_with(("name",), name)

    def id_wrong(client: str) -> str | None:
        return f'id: "{client}" is taken. Choose another.' if client in ids else problem_with(("id",), client)

    def number_wrong(number: str) -> str | None:
        taken_by = numbers.get(number)
        return f'number: taken by "{taken_by}". Give another.' if taken_by else problem_with(("number",), number)

    def model_wrong(model: str) -> str | None:
        return problem_with(("assistant", "model"), model)

    def instructions_wrong(instructions: str) -> str | None:
        return problem_with(("assistant", "instructions"), instructions)

    questions = [
        Question("name", "Name of the client", lambda known: None, name_wrong),
        Question(
            "id", "Id, for files and commands", lambda known: slug(known["name"] or "") or None, id_wrong, assumed=True
        ),
        Question("number", "WhatsApp number", lambda known: None, number_wrong, _tidy_number),
        Question("model", "Model", lambda known: _MODEL, model_wrong, assumed=True),
        Question(
            "instructions",
            "Instructions, ended by an empty line (Enter alone: a draft to edit)",
            _draft_prompt,
            instructions_wrong,
            str.rstrip,
            several_lines=True,
        ),
    ]
    return [question for question in questions if question.key != "model" or not model_by_default]


def _draft_prompt(known: Values) -> str:
    return f"Eres el asistente de {known['name']}. Responde siempre en español, de manera amable y en pocas frases."


def _answers(given: Values, questions: list[Question], *, edit: bool) -> dict[str, str | None]:
    """Every answer, checked: from the options, from the user, or assumed."""
    known = dict(given)
    needed = [question.key for question in questions if not question.assumed and given[question.key] is None]
    missing = [f"--{key}" for key in needed if not (edit and key == "instructions")]
    if missing and not can_ask():
        raise click.UsageError(f"Missing {', '.join(missing)}. Without a terminal they cannot be asked for.")
    for question in questions:
        answer = known[question.key]
        if answer is None and (can_ask() or (edit and question.several_lines)):
            known[question.key] = _ask(question, known, edit=edit)
            continue
        answer = question.tidy(answer if answer is not None else question.suggestion(known) or "")
        wrong = question.wrong(answer)
        if wrong:
            raise ReconcileError(wrong)
        known[question.key] = answer
    if known["model"] is not None:
        wrong = problem_with(("assistant", "model"), known["model"])
        if wrong:
            raise ReconcileError(wrong)
    return known


def _ask(question: Question, known: Values, *, edit: bool) -> str:
    suggestion = question.suggestion(known)
    if not question.several_lines:
        return ask_line(question.label, question.checked, suggestion)
    if edit:
        return edit_text(suggestion or "", question.checked)
    return ask_text(question.label, question.checked, suggestion or "")


def _has_default_model(folder: Path) -> bool:
    assistant = existing_defaults(folder).get("assistant")
    return isinstance(assistant, Mapping) and isinstance(assistant.get("model"), str)


def _read(path: Path) -> str:
    try:
        return read_prompt(path.absolute().parent, str(path.parent), path.name)[0]
    except FileProblem as problem:
        raise ReconcileError(f"{path}: {problem.message}. {problem.hint}") from None


def _tidy_number(number: str) -> str:
    return re.sub(r"[\s().-]", "", number_of(number.strip()))


def _write(folder: Path, answers: Mapping[str, str | None], engine: str) -> list[Path]:
    """Writes manifest and prompt; deletes them again when the folder does not validate with them."""
    client, prompt = answers["id"] or "", answers["instructions"] or ""
    manifest, prompt_file = folder / f"{client}.yaml", folder / client / "prompt.md"
    apart = len(prompt) > _LONG_PROMPT
    draft = NewManifest(
        id=client,
        name=answers["name"] or "",
        number=answers["number"] or "",
        model=answers["model"],
        instructions={"file": f"{client}/prompt.md"} if apart else prompt,
        engine=engine,
        created=datetime.now(UTC).date().isoformat(),
    )
    texts = {manifest: draft_text(draft), **({prompt_file: prompt.rstrip("\n") + "\n"} if apart else {})}
    written: list[Path] = []
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                written.append(path)
                file.write(text)
        load(folder)
    except (ReconcileError, OSError) as error:
        for path in written:
            path.unlink()
        if isinstance(error, FileExistsError):
            raise ReconcileError(f"{error.filename} exists already. Choose another id, or edit that file.") from None
        if isinstance(error, OSError):
            raise ReconcileError(f"{error.filename} cannot be written: {error.strerror}.") from error
        raise
    return written


def _next_steps(files: list[Path]) -> str:
    return f"""\
Next:
  1. Edit {files[-1]}; the other keys of a client are comments in {files[0]}.
  2. reconcile validate
  3. reconcile verify {files[0].stem}, if the number is not a WhatsApp sender yet.
  4. git add {" ".join(str(path) for path in files)}, and open a pull request; or reconcile --dry-run, then reconcile"""
