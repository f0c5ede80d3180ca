"""What a manifest says of files is checked against what its engine and model can be given."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.manifest import ManifestErrors, load
from tests.manifest.fleet_files import manifest, write_files

Expected = tuple[int, int, str] | None
ALL = """\
media:
  voice: {max_minutes: 3, languages: [es, pt], keywords: [cazuela]}
  images: {detail: high}
  documents: {max_pages: 40}
  video: false
  not_understood: Solo texto.
  sentences: {video: Sin videos., too_long: "Máximo {minutes} minutos."}
"""


def problems(root: Path, text: str) -> list[tuple[int, int, str]]:
    """Errors about `media`: line, column, and the sentences."""
    try:
        load(write_files(root, {"uno.yaml": text}))
    except ManifestErrors as found:
        errors = [problem for problem in found.problems if problem.message.startswith("media.")]
        return [(one.line, one.column, f"{one.message}. {one.hint}") for one in errors]
    return []


@pytest.mark.parametrize(
    "media", [ALL, "media: {voice: false, images: true, documents: false}\n", "media: {voice: {}}\n"]
)
def test_all_that_can_be_said_is_valid(tmp_path: Path, media: str) -> None:
    load(write_files(tmp_path, {"uno.yaml": manifest(more=media)}))


AGENTS = "media.images: the engine agents is given no pictures. Write images: false, or use engine: responses."
ASSISTANTS = (
    "media.documents: the engine assistants is given no documents. Write documents: false, or use engine: responses."
)
BLIND = "media.images: gpt-4 takes no pictures. Write images: false, or take another model, such as gpt-6-luna."


@pytest.mark.parametrize(
    ("engine", "model", "media", "expected"),
    [
        ("agents", "gpt-6-luna", "images: true", (8, 17, AGENTS)),
        ("assistants", "gpt-6-luna", "documents: {}", (8, 20, ASSISTANTS)),
        ("responses", "gpt-4", "images: {detail: low}", (8, 17, BLIND)),
        ("responses", "o3-mini", "documents: true", None),
        ("responses", "un-modelo-propio", "images: true", None),
        ("agents", "gpt-6-luna", "images: false", None),
        ("agents", "gpt-6-luna", "voice: true", None),
    ],
)
def test_what_engine_and_model_are_not_given_is_an_error_at_its_place(
    tmp_path: Path, engine: str, model: str, media: str, expected: Expected
) -> None:
    text = manifest().replace("model: gpt-6-luna", f"engine: {engine}\n  model: {model}")
    assert problems(tmp_path, f"{text}media: {{{media}}}\n") == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("media", "said"),
    [
        ("voice: {max_minutes: 0}", "media.voice.max_minutes: 0 is out of range. It is at least 1."),
        ("voice: {keyword: [a]}", 'media.voice.keyword: unknown key. Did you mean "keywords"?'),
        (
            "voice: {languages: [español]}",
            'media.voice.languages[0]: "español" is not a language code. Write the two letters of ISO 639-1, like es.',
        ),
        (
            f"voice: {{keywords: [{', '.join(['x' * 60] * 17)}]}}",
            "media.voice.keywords: have more than 1,000 characters together. ",
        ),
        (
            "images: claro",
            "media.images: a text where true, false or a mapping of keys to values is expected."
            " Write true, false or a mapping of keys to values.",
        ),
        ("video: true", 'media.video: "True" is none of the allowed values. Write false, or remove the key.'),
        ("sentences: {vidio: x}", 'media.sentences.vidio: unknown key. Did you mean "video"?'),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, media: str, said: str) -> None:
    (problem,) = problems(tmp_path, manifest(more=f"media: {{{media}}}\n"))
    assert problem[2] == said
