"""The plan as a comment on GitHub: whole markup whatever it shows, within the limit, summary and digest kept."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given, settings
from markdown_it import MarkdownIt

from reconciler.model import Finding, Outcome, Plan
from reconciler.planning.digest import digest
from reconciler.render.markdown import MAX_CHARACTERS, escape, failure_markdown, plan_markdown
from reconciler.render.wording import summary
from tests.documents.plans import HOSTILE, a_change, a_plan, plans, prompt

GITHUB = MarkdownIt("commonmark").enable(["table", "strikethrough"])
OURS = {"h3", "p", "ul", "li", "details", "summary", "b", "strong", "em", "pre", "code"}


class Rendered(HTMLParser):
    """What GitHub would show of a comment."""

    def __init__(self, comment: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.depth = 0
        self.outside_code = ""
        self._code = 0
        self.feed(GITHUB.render(comment))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {f"{name}={value}" for name, value in attrs}
        self.depth += 1
        self._code += tag == "code"

    def handle_endtag(self, tag: str) -> None:
        self.depth -= 1
        self._code -= tag == "code"

    def handle_data(self, data: str) -> None:
        if not self._code:
            self.outside_code += data


@given(plans())
@settings(max_examples=25, deadline=None, derandomize=True)
def test_whatever_a_plan_holds_the_comment_has_our_own_markup_only_and_fits(plan: Plan) -> None:
    comment = plan_markdown(plan)
    assert len(comment) <= MAX_CHARACTERS
    assert comment.startswith(f"### {escape(summary(plan))}\n")
    assert comment.endswith(f"\nDigest: `{digest(plan)}`\n")
    rendered = Rendered(comment)
    assert rendered.tags <= OURS
    assert rendered.attributes <= {"class=language-diff"}
    assert rendered.depth == 0


def test_nobody_is_mentioned_and_no_issue_is_linked() -> None:
    changes = [a_change(f"@cliente #{number} GH", key="@everyone #1") for number in range(2)]
    plan = a_plan(*changes, findings=[Finding("error", "ask @ana about #7")])
    outside = Rendered(plan_markdown(plan)).outside_code
    assert "everyone" in outside
    assert not [pair for pair in pairwise(outside) if pair[0] in "@#" and pair[1].isalnum()]


def test_a_client_that_does_not_fit_is_left_out_whole_and_named() -> None:
    long = "\n".join(f"Línea {number} del prompt" for number in range(4000))
    plan = a_plan(a_change("a", prompt(None, long)), a_change("b", prompt(None, "Hola.\nAdiós.")))
    comment = plan_markdown(plan)
    assert "<b>a</b>" not in comment
    assert "<b>b</b>" in comment
    assert "*1 more client does not fit here: a \\~. `reconcile --dry-run` shows all of it\\.*" in comment


def test_each_client_of_a_long_plan_is_named_those_with_findings_too() -> None:
    clients = [f"cliente-de-la-agencia-{number:03}" for number in range(600)]
    findings = [Finding("error", "x" * 300, f"con-aviso-{number:03}") for number in range(300)]
    changes = [a_change(client, prompt("uno\ndos", "\n".join(["línea"] * 30))) for client in clients]
    comment = plan_markdown(a_plan(*changes, findings=findings))
    shown = comment.replace("\\", "")
    assert len(comment) <= MAX_CHARACTERS
    assert [name for name in [*clients, *(finding.client or "" for finding in findings)] if name not in shown] == []


def test_what_the_limit_has_no_room_for_even_by_name_is_counted() -> None:
    changes = [a_change(f"cliente-{number:05}", prompt("uno\ndos", "tres\ncuatro")) for number in range(5000)]
    comment = plan_markdown(a_plan(*changes))
    assert len(comment) <= MAX_CHARACTERS
    assert re.search(r"cliente\\-\d+ \\~ and \d+ others\. `reconcile", comment)


@pytest.mark.parametrize("lines", [1, 3_000], ids=["one", "thousands"])
def test_why_there_is_no_plan_fits_and_has_our_own_markup_only(lines: int) -> None:
    problem = f"clients.d/a.yaml:3:1: ```\x1b[0m <img src=x> @ana: {'x' * 5_000}"
    comment = failure_markdown("\n".join([problem] * lines))
    assert len(comment) <= MAX_CHARACTERS
    rendered = Rendered(comment)
    assert rendered.tags <= OURS
    assert rendered.attributes == {"class=language-text"}
    assert "\x1b" not in comment
    assert comment.startswith("### There is no plan\n\n````text\nclients.d/a.yaml:3:1: ```\\x1b[0m <img")
    assert ("\n… and 29" in comment) is (lines > 1)


def test_a_thousand_findings_leave_room_for_the_changes() -> None:
    findings = [Finding("error", "x" * 100, f"cliente-{number}") for number in range(1000)]
    comment = plan_markdown(a_plan(a_change("la-cocina"), findings=findings))
    assert "<b>la-cocina</b>" in comment
    assert " more, about cliente\\-" in comment


def test_a_prompts_diff_is_fenced_longer_than_any_fence_in_it() -> None:
    comment = plan_markdown(a_plan(a_change("a", prompt("````\nuno", "````\ndos"))))
    assert "\n`````diff\n@@ instructions @@\n ````\n-uno\n+dos\n`````\n" in comment


def test_lines_that_look_like_a_diffs_header_are_shown() -> None:
    comment = plan_markdown(a_plan(a_change("a", prompt("-- firma\nuno", "++ firma\nuno"))))
    assert "\n--- firma\n+++ firma\n uno\n" in comment


def test_a_difference_in_the_last_lines_end_is_shown() -> None:
    comment = plan_markdown(a_plan(a_change("a", prompt("uno\ndos\n", "uno\ndos"))))
    assert " dos\n-\n```" in comment


def test_control_characters_are_shown_and_not_obeyed() -> None:
    for text in HOSTILE:
        comment = plan_markdown(a_plan(a_change("a", prompt("a\nb", f"a\n{text}"), key=text)))
        assert "\x1b" not in comment
        assert "\u202e" not in comment


def test_after_an_apply_what_was_not_applied_comes_first() -> None:
    good, bad = a_change("a"), a_change("b")
    comment = plan_markdown(a_plan(good, bad), [Outcome(good, "applied"), Outcome(bad, "failed", "Twilio said no.")])
    assert comment.startswith(
        "### Applied: 1 applied, 1 failed, 0 skipped\\.\n\n- ❌ b: update assistant responses: failed"
    )
