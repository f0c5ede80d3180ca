"""Pytest plugin: every failed test prints the one command that runs it again, alone. It never changes an outcome."""

from __future__ import annotations

import shlex

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print one line a failed test; the same test failing in set-up and in its body is named once."""
    reports = [*terminalreporter.getreports("failed"), *terminalreporter.getreports("error")]
    node_ids = dict.fromkeys(report.nodeid for report in reports if report.nodeid)
    if node_ids:
        terminalreporter.section("run one alone")
    for node_id in node_ids:
        terminalreporter.write_line(f".venv/bin/python -m pytest {shlex.quote(node_id)}")
