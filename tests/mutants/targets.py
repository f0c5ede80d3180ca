"""Which tests are to notice a change of which module, and the changes that none need notice, each with its reason."""

from __future__ import annotations

KILLED_SHARE = 0.85

TABLES = {
    "runtime/memory.py": ["tests/tables/test_memory.py"],
}
"""Module → the tests that are run for each of its mutants."""

SURVIVORS: dict[str, dict[str, str]] = {}
"""Module → the changed line, as it was and as it is → why no test can or should notice."""
