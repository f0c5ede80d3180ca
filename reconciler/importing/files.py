"""Drafts as files: a commented manifest each, a long prompt beside it.

Writes new files only, and removes those that do not validate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from reconciler.errors import ReconcileError
from reconciler.importing.draft import ImportedManifest
from reconciler.manifest import ManifestErrors, load
from reconciler.manifest.emit import to_yaml
from reconciler.render.wording import visible
from reconciler.settings import load_settings

LONG_PROMPT: Final = 600
"""Number of characters from which a prompt is easier to read, and to review, in its own file."""

_GROUPS: Final = (("id", "name", "state", "number"), ("assistant",), ("sender",), ("fallback_message", "protected"))


@dataclass(frozen=True, slots=True)
class Written:
    """A draft and its files."""

    draft: ImportedManifest
    files: Sequence[Path]


def write_drafts(
    drafts: Sequence[ImportedManifest], folder: Path, warnings: Mapping[str, str]
) -> tuple[list[Written], dict[str, str]]:
    """Write the drafts; returns what was written, and by id why the others were not.

    `warnings`: model id → the warning about it. Raises `ReconcileError` when the folder cannot be written to.
    """
    written: list[Written] = []
    refused: dict[str, str] = {}
    for draft in drafts:
        texts = _texts(draft, folder, warnings)
        try:
            written.append(Written(draft, _write(texts)))
        except UnicodeEncodeError:
            refused[draft.id] = "its text contains half a character, which UTF-8 cannot encode"
    while written and (wrong := _invalid(folder, written)):
        for one in [one for one in written if one.draft.id in wrong]:
            for path in one.files:
                path.unlink()
            _remove_empty(folder / one.draft.id)
            written.remove(one)
        refused |= wrong
    return written, refused


def manifest_text(values: Mapping[str, Any], draft: ImportedManifest, warnings: Mapping[str, str]) -> str:
    """The manifest's text: its source and what it does not declare are comments at the top."""
    lines = ["# yaml-language-server: $schema=../schemas/client.schema.json", f"# Imported from {_line(draft.origin)}."]
    if draft.unsaid:
        lines += [
            "# What was live and this file does not declare:",
            *(f"#   - {_line(note)}." for note in draft.unsaid),
        ]
    rest = tuple(key for key in values if not any(key in group for group in _GROUPS))
    blocks = ["\n".join(lines) + "\n" + to_yaml({key: values[key] for key in _GROUPS[0] if key in values})]
    for group in (*_GROUPS[1:], rest):
        part = {key: values[key] for key in group if key in values}
        if part:
            blocks.append(to_yaml(part))
    text = "\n".join(blocks)
    model = values["assistant"].get("model")
    if model in warnings:
        line = f"\n  {to_yaml({'model': model})}"
        text = text.replace(line, f"{line.rstrip()} # {_line(warnings[model])}\n", 1)
    return text


def _texts(draft: ImportedManifest, folder: Path, warnings: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    prompt = draft.values["assistant"]["instructions"]
    values = dict(draft.values)
    apart = len(prompt) > LONG_PROMPT and _survives_in_a_file(prompt)
    if apart:
        name = f"{draft.id}/prompt.md"
        values["assistant"] = {**values["assistant"], "instructions": {"file": name}}
        yield folder / name, prompt
    yield folder / f"{draft.id}.yaml", manifest_text(values, draft, warnings)


def _survives_in_a_file(prompt: str) -> bool:
    """Whether reading the file gives back the same prompt: line ends and a byte-order mark would not."""
    return "\r" not in prompt and not prompt.startswith("\ufeff")


def _write(texts: Iterator[tuple[Path, str]]) -> list[Path]:
    pairs = [(path, text.encode()) for path, text in texts]
    done: list[Path] = []
    try:
        for path, content in pairs:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                done.append(path)
                file.write(content)
    except OSError as error:
        for path in done:
            path.unlink()
        raise ReconcileError(f"{error.filename or pairs[0][0]} cannot be written: {error.strerror}.") from error
    return done[::-1]


def _invalid(folder: Path, written: Sequence[Written]) -> dict[str, str]:
    """By client's id, what is wrong with the files that were just written."""
    try:
        load(folder, allow_private_endpoints=load_settings().allow_private_endpoints)
    except ManifestErrors as found:
        owners = {path.resolve(): one.draft.id for one in written for path in one.files}
        wrong: dict[str, str] = {}
        for problem in found.problems:
            owner = owners.get(Path(problem.path).resolve())
            if owner is not None and problem.severity == "error":
                wrong.setdefault(owner, f"its manifest would not be valid: {problem.message}. {problem.hint}")
        if not wrong:
            raise
        return wrong
    return {}


def _remove_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _line(text: str) -> str:
    return visible(" ".join(text.split())).rstrip(".")
