"""`make mutants MODULE=runtime/memory.py`: which changes of a module no test would notice.

A copy of the tree is made under var/mutants, mutmut changes the module there and runs the tests that TABLES names for
it. What survives is shown as a diff, with the reason where SURVIVORS gives one. Without a MODULE all of them are done.
Exit code 1 when less than KILLED_SHARE of a module's mutants were killed.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.targets import KILLED_SHARE, SURVIVORS, TABLES

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "var" / "mutants"
ROOMS = ("runtime", "reconciler", "schemas", "sandbox")
KILLED = {"killed", "timeout", "caught by type check"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of a module, and what the tests made of it."""

    name: str
    outcome: str
    diff: str

    @property
    def change(self) -> str:
        """The changed line as it was and as it is: what SURVIVORS names it by."""
        lines = [line for line in self.diff.splitlines() if re.match(r"[-+](?![-+])", line)]
        return " → ".join(line[1:].strip() for line in lines)


def main(modules: list[str]) -> int:
    """Tries the modules one after the other; returns the exit code."""
    unknown = [module for module in modules if module not in TABLES]
    if unknown:
        sys.stderr.write(f"No tests are named for {', '.join(unknown)}. tests/mutants/targets.py knows:\n")
        sys.stderr.writelines(f"  {module}\n" for module in TABLES)
        return 2
    enough = [_enough(module, _tried(module)) for module in modules or TABLES]
    return 0 if all(enough) else 1


def _tried(module: str) -> list[Mutant]:
    folder = FOLDER / module.replace("/", "-").removesuffix(".py")
    shutil.rmtree(folder, ignore_errors=True)
    _copy(folder)
    _configure(folder, module)
    mutmut = [str(Path(sys.executable).with_name("mutmut"))]
    with (folder / "mutmut.log").open("w") as log:
        subprocess.run([*mutmut, "run", "--max-children", "2"], cwd=folder, stdout=log, stderr=log, check=False)
    listed = subprocess.run(
        [*mutmut, "results", "--all", "true"], cwd=folder, capture_output=True, text=True, check=True
    )
    outcomes = dict(line.strip().rsplit(": ", 1) for line in listed.stdout.splitlines() if ": " in line)
    if not outcomes:
        sys.stderr.write((folder / "mutmut.log").read_text()[-3000:])
        raise SystemExit(f"mutmut made no mutants of {module}; its log is {folder / 'mutmut.log'}")
    return [
        Mutant(name, outcome, "" if outcome in KILLED else _diff(mutmut, folder, name))
        for name, outcome in outcomes.items()
    ]


def _copy(folder: Path) -> None:
    """The tree as git sees it, changes that are not committed included."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        source = ROOT / name
        if source.is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, folder / name)


def _configure(folder: Path, module: str) -> None:
    settings = {
        "source_paths": list(ROOMS),
        "only_mutate": [module],
        "also_copy": [".github", "clients.d", "pyproject.toml"],
        "pytest_add_cli_args": ["-p", "no:cacheprovider", "-q"],
        "pytest_add_cli_args_test_selection": TABLES[module],
    }
    with (folder / "pyproject.toml").open("a") as pyproject:
        pyproject.write("\n[tool.mutmut]\n")
        pyproject.writelines(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())


def _diff(mutmut: list[str], folder: Path, name: str) -> str:
    return subprocess.run([*mutmut, "show", name], cwd=folder, capture_output=True, text=True, check=True).stdout


def _enough(module: str, mutants: list[Mutant]) -> bool:
    """Prints the results of a module's mutants; whether enough were killed."""
    alive = [mutant for mutant in mutants if mutant.outcome not in KILLED]
    killed = len(mutants) - len(alive)
    share = killed / len(mutants)
    print(f"{module}: {killed} of {len(mutants)} mutants killed ({share:.0%})")
    for mutant in alive:
        reason = SURVIVORS.get(module, {}).get(mutant.change)
        print(f"  {mutant.outcome}: {mutant.change}\n    {reason or 'no reason is given'}")
    return share >= KILLED_SHARE


if __name__ == "__main__":
    sys.exit(main([argument for argument in sys.argv[1:] if argument]))
