"""Fixtures of the tests about trying assistants: an agency with the sandbox, as the reconciler's tests have it."""

from tests.reconciler.conftest import agency, commands

__all__ = ["agency", "commands"]
