"""A run of cases in JUnit's XML, which CI systems show: a suite for each client, a red case as a failure, one that was
not judged as an error."""

from __future__ import annotations

from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from reconciler.render.wording import visible
from reconciler.trying.formats.words import state_of
from reconciler.trying.results import CaseResult, RunResult


def run_junit(result: RunResult) -> str:
    """The document."""
    root = Element("testsuites", name="reconcile test", time=f"{result.seconds:.3f}")
    for client, cases in groupby(result.cases, key=lambda case: case.client):
        _suite(root, client, list(cases))
    for client, why in result.skipped:
        suite = SubElement(root, "testsuite", name=client, tests="1", failures="0", errors="1")
        SubElement(SubElement(suite, "testcase", name="tests", classname=client), "error", message=visible(why))
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _suite(root: Element, client: str, cases: list[CaseResult]) -> None:
    failures = sum(case.state in ("red", "flaky") for case in cases)
    errors = sum(case.state == "unjudged" for case in cases)
    suite = SubElement(
        root, "testsuite", name=client, tests=str(len(cases)), failures=str(failures), errors=str(errors)
    )
    for case in cases:
        file, line = case.place.split(":")[:2] if case.place.count(":") >= 2 else (case.place, "")
        seconds = sum(one_run.seconds for one_run in case.runs)
        one = SubElement(
            suite, "testcase", name=case.name, classname=client, file=file, line=line, time=f"{seconds:.3f}"
        )
        if case.state != "green":
            kind = "error" if case.state == "unjudged" else "failure"
            found = SubElement(one, kind, message=state_of(case))
            found.text = visible("\n".join(case.reasons))
