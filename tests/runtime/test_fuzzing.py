"""Whatever comes in, nothing breaks: forms and messages of webhooks, long answers, manifests, and every request that
the API describes. Few examples in the suite, more in `make test-long`, many in `make test-full`."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.manifest.fleet import load
from reconciler.manifest.problem import ManifestErrors
from runtime.content.parameters import BEYOND_WORDS, content_of
from runtime.content.rendering import as_text
from runtime.delivery.splitting import is_within, split_reply
from runtime.inbound.message import decoded_form
from runtime.store.messages.content import dump_content, load_content
from runtime.store.tokens import SCOPES
from tests.runtime_process import Runtime, open_line
from tests.sandbox_process import ROOT, Sandbox

EXAMPLES = pytest.mark.parametrize(
    "examples",
    [
        pytest.param(25, id="few"),
        pytest.param(250, marks=pytest.mark.long, id="more"),
        pytest.param(2000, marks=pytest.mark.full, id="many"),
    ],
)
ANYTHING = st.text(st.characters(exclude_categories=["Cs"]))
PIECES = st.one_of(
    ANYTHING,
    st.sampled_from(["%", "%4", "%41", "+", "&", "=", "Body", "From", "%FF", "%C3%B1", "\x00", "{", "[", '"', "null"]),
)
FORMS = st.lists(PIECES, max_size=12).map("".join)
MARKS = st.sampled_from(
    ["```", "*", "_", "~", "\n", "\n\n", "- ", "# ", "https://a.cl/", "👩‍🚀", "🇨🇱", "é", " ", "| a | b |"]
)
ANSWERS = st.lists(st.one_of(MARKS, ANYTHING, st.text("ab .", min_size=20, max_size=60)), max_size=40).map("".join)
PARAMETERS = st.dictionaries(
    st.sampled_from(sorted(BEYOND_WORDS | {"Body", "MessageType", "NumMedia", "ProfileName", "MediaUrl1"})),
    st.one_of(FORMS, st.sampled_from(["1", "image/jpeg", "audio/ogg", "-33.4", "interactive", "reaction", "{}", "[]"])),
)
YAML = st.lists(
    st.sampled_from(
        [
            "id: uno",
            "version: 1",
            "name: Uno",
            "whatsapp: '+56911111111'",
            "assistant:",
            "  engine: responses",
            "  model: gpt-6-luna",
            "  instructions: Hola",
            "  tools:",
            "    - type: web_search",
            "sender:",
            "- a",
            "&a",
            "*a",
            "!!python/object:os.system x",
            "{",
            "}",
            "[",
            "'",
            "\t",
            "? ",
            "---",
            "<<: *a",
            "\ufeff",
            "null",
            "~",
            ": :",
            "\x07",
            "%YAML 9",
            "data: {retention: {messages: 1d}}",
        ]
    )
    | ANYTHING,
    max_size=14,
).map("\n".join)


def holds(law: Callable[[Any], None], of: st.SearchStrategy[Any], examples: int) -> None:
    """A law over a number of examples."""
    settings(max_examples=examples, database=None)(given(of)(law))()


@EXAMPLES
def test_every_form_is_read_as_the_standard_library_reads_it(examples: int) -> None:
    def law(text: str) -> None:
        try:
            body = text.encode("ascii")
        except UnicodeEncodeError:
            body = text.encode()
        try:
            form = decoded_form(body)
        except ValueError:
            return
        assert form == parse_qs(body.decode(), keep_blank_values=True, errors="strict")

    holds(law, FORMS, examples)


@EXAMPLES
def test_every_message_is_read_stored_and_read_again(examples: int) -> None:
    def law(parameters: dict[str, str]) -> None:
        content = content_of(parameters)
        assert content.parts
        assert load_content(dump_content(content), as_text(content), "{}") == content

    holds(law, PARAMETERS, examples)


@EXAMPLES
def test_every_answer_is_split_into_messages_that_fit(examples: int) -> None:
    def law(answer: tuple[str, int]) -> None:
        text, limit = answer
        for part in split_reply(text, limit):
            assert part.strip() == part != ""
            assert is_within(part, limit)

    holds(law, st.tuples(ANSWERS, st.integers(20, 200)), examples)


@EXAMPLES
def test_no_text_of_a_manifest_breaks_its_reader(examples: int) -> None:
    def law(text: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "uno.yaml").write_text(text, encoding="utf-8")
            with suppress(ManifestErrors):
                load(Path(folder))

    holds(law, YAML, min(examples, 1000))


@pytest.mark.parametrize(
    ("has_token", "examples"),
    [
        pytest.param(True, 3, marks=pytest.mark.long, id="few, with a token of every scope"),
        pytest.param(True, 15, marks=pytest.mark.full, id="many, with a token of every scope"),
        pytest.param(False, 15, marks=pytest.mark.full, id="many, without"),
    ],
)
def test_no_described_request_breaks_the_service(
    has_token: bool, examples: int, runtime_factory: Callable[..., Runtime], sandbox: Sandbox, tmp_path: Path
) -> None:
    """Schemathesis makes requests from /openapi.json, right and wrong ones; no answer is a 5xx."""
    program = ROOT / "build" / "tools" / "bin" / "schemathesis"
    if not program.exists():
        reason = "`make test-long` and `make test-full` install schemathesis"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    served = runtime_factory()
    open_line(served, sandbox)  # without any bot there is no account to erase a person at, which is a 502
    described = tmp_path / "openapi.json"
    described.write_bytes(served.api("GET", "/openapi.json").body)
    header = []
    if has_token:
        scopes = [argument for scope in SCOPES for argument in ("--scope", scope)]
        token = served.command("token", "create", "fuzzing", *scopes).out.strip()
        header = ["--header", f"Authorization: Bearer {token}"]
    checks = ["--checks", "not_a_server_error,content_type_conformance"]
    limits = ["--max-examples", str(examples), "--request-timeout", "20", "--seed", "1", "--workers", "1", "--no-color"]
    done = subprocess.run(
        [str(program), "run", str(described), "--url", served.url, *header, *checks, *limits],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    found = re.search(r"Selected: (\d+)/(\d+)\s+Tested: (\d+)", done.stdout)
    assert found is not None, done.stdout[-2000:]
    assert found[1] == found[2] == found[3] != "0"
    assert served.api("GET", "/health").status == 200
