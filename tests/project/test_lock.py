"""The lock files: complete, hashed, and naming no host."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.project.repository import ROOT

LOCKS = ["requirements.lock", "requirements-dev.lock", "requirements-tools.lock"]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def pins(lock: str) -> dict[str, Requirement]:
    """Every pinned package of a lock file by its name."""
    lines = re.findall(r"^([^\s#-].*?)(?: \\)?$", (ROOT / lock).read_text(), re.MULTILINE)
    return {canonicalize_name(requirement.name): requirement for requirement in map(Requirement, lines)}


def declared(*groups: str) -> list[Requirement]:
    """What pyproject.toml asks for: the dependencies and these groups."""
    wanted = list(PYPROJECT["project"]["dependencies"])
    for group in groups:
        wanted += [entry for entry in PYPROJECT["dependency-groups"][group] if isinstance(entry, str)]
    return [Requirement(text) for text in wanted]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_host(lock: str) -> None:
    text = (ROOT / lock).read_text()

    assert not re.findall(r"://|index-url|find-links|trusted-host", text)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_a_hash(lock: str) -> None:
    blocks = re.split(r"\n(?=\S)", (ROOT / lock).read_text().strip())

    assert [block for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize(
    ("lock", "groups"), [("requirements.lock", ("build",)), ("requirements-dev.lock", ("build", "dev"))]
)
def test_a_lock_pins_what_pyproject_asks_for(lock: str, groups: tuple[str, ...]) -> None:
    pinned = pins(lock)

    unmet = [
        str(wanted)
        for wanted in declared(*groups)
        if canonicalize_name(wanted.name) not in pinned
        or not wanted.specifier.contains(next(iter(pinned[canonicalize_name(wanted.name)].specifier)).version)
    ]

    assert unmet == [], "run `make lock`"


def test_both_locks_pin_the_same_versions() -> None:
    development = pins("requirements-dev.lock")

    assert {name: str(pin.specifier) for name, pin in pins("requirements.lock").items()}.items() <= {
        name: str(pin.specifier) for name, pin in development.items()
    }.items()
