"""One name, one thing: a search for a class finds one."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from tests.project.repository import ROOT

ROOMS: Final = ("notifications", "runtime", "reconciler", "sandbox", "schemas", "terminal")

MAY_BE_TWO: Final[Mapping[str, str]] = {
    "Account": "schemas: the manifest's key; runtime: the same Twilio account with its token read",
    "Accounts": "sandbox: Twilio's resource",
    "Assistants": "sandbox: OpenAI's resource; runtime: the API's, which has the guide's name",
    "Document": "reconciler: a file that an assistant searches; runtime: one that a user sent, beside Voice and Image",
    "Media": "sandbox: Twilio's resource; runtime: the parts of a message that are one",
    "Messages": "sandbox: Twilio's resource; runtime: the API's",
    "Actor": "who acts; sandbox: on the desk; runtime: as the audit has it",
    "Settings": "what a room's processes are configured with; no room sees another's",
    "ProviderError": "what a failed call to a provider means, in the same words; see reconciler.errors",
    "PermanentError": "likewise",
    "KeyRefused": "likewise",
    "TemporaryError": "likewise",
    "UnknownOutcome": "likewise",
}
"""Class names that two rooms share, each with the reason; never within one room."""


def classes() -> dict[str, list[str]]:
    """By name, the files of the rooms that define a class of that name at their top level."""
    found: dict[str, list[str]] = defaultdict(list)
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.parse(path.read_bytes()).body:
                if isinstance(node, ast.ClassDef):
                    found[node.name].append(path.relative_to(ROOT).as_posix())
    return found


def test_no_two_classes_have_one_name() -> None:
    several = {name: files for name, files in classes().items() if len(files) > 1}
    assert {name: files for name, files in several.items() if name not in MAY_BE_TWO} == {}


def test_names_that_two_rooms_share_are_defined_once_in_each() -> None:
    found = classes()
    for name in MAY_BE_TWO:
        rooms = [file.partition("/")[0] for file in found[name]]
        assert len(rooms) > 1, f"{name} is defined once by now; take it out of MAY_BE_TWO"
        assert len(rooms) == len(set(rooms)), found[name]
