"""`make mutants MODULE=runtime/memory.py`: which changes of a module no test would notice.

A copy of the tree is made under var/mutants, mutmut changes the module there and runs the tests that TABLES names for
it. What survives is shown as a change of a line, with the reason where there is one. Without a MODULE all of them are
done. Exit code 1 when less than KILLED_SHARE of a module's mutants were killed, or when the tests of a module do not
pass on the unchanged copy: what a test can't be asked about, it has not killed.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.targets import KILLED_SHARE, TABLES, reason

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "var" / "mutants"
ROOMS = ("runtime", "reconciler", "schemas", "sandbox")
MUTMUT = str(Path(sys.executable).with_name("mutmut"))
KILLED, TIMEOUT = "killed", "timeout"
NOTICED = (KILLED, TIMEOUT)
OUTCOMES = {0: "survived", 1: KILLED, 33: "no test runs it", **dict.fromkeys((-24, 24, 36, 152), TIMEOUT)}
"""What pytest's exit code says of a mutant, or mutmut's: 33 and 36 are its own, 24 is SIGXCPU, the end of the time.

Every other code, pytest's 2 to 5 among them, means that the tests did not run to an end. mutmut takes some for killed.
"""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of a module, and what the tests made of it."""

    name: str
    outcome: str
    diff: str

    @property
    def is_killed(self) -> bool:
        """Whether the tests noticed it: one failed, or did not end."""
        return self.outcome in NOTICED

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


def outcome_of(exit_code: int | None) -> str:
    """The outcome of a mutant, by the exit code of its tests; None when they were not begun."""
    return OUTCOMES.get(exit_code, f"pytest did not run to its end (exit code {exit_code})")


def _tried(module: str) -> list[Mutant]:
    folder = _folder_of(module)
    shutil.rmtree(folder, ignore_errors=True)
    _copy(folder)
    _configure(folder, module)
    exit_codes = exit_codes_of(folder, module)
    outcomes = {name: outcome_of(exit_code) for name, exit_code in exit_codes.items()}
    return [
        Mutant(name, outcome, "" if outcome in NOTICED else _diff(folder, name)) for name, outcome in outcomes.items()
    ]


def exit_codes_of(folder: Path, module: str) -> dict[str, int | None]:
    """Runs mutmut in a folder; returns the exit code of each mutant's tests. mutmut runs them on the unchanged copy
    first, and fails unless there is at least one and all pass."""
    log = _log_of(folder)
    with log.open("w") as output:
        run = [MUTMUT, "run", "--max-children", "2"]
        ended = subprocess.run(run, cwd=folder, stdout=output, stderr=output, check=False)
    noted = folder / "mutants" / f"{module}.meta"
    exit_codes: dict[str, int | None] = (
        json.loads(noted.read_text()).get("exit_code_by_key", {}) if noted.is_file() else {}
    )
    if ended.returncode or not exit_codes:
        raise SystemExit(
            f"No mutant of {module} was tried: mutmut made none, or its tests do not pass on the unchanged copy. "
            f"Read {log}."
        )
    return exit_codes


def _folder_of(module: str) -> Path:
    return FOLDER / module.replace("/", "-").removesuffix(".py")


def _log_of(folder: Path) -> Path:
    return folder / "mutmut.log"


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
        # A minute at least for each mutant: on a busy machine, tests that are slow would count as tests that noticed.
        "timeout_constant": 4.0,
    }
    with (folder / "pyproject.toml").open("a") as pyproject:
        pyproject.write("\n[tool.mutmut]\n")
        pyproject.writelines(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())


def _diff(folder: Path, name: str) -> str:
    return subprocess.run([MUTMUT, "show", name], cwd=folder, capture_output=True, text=True, check=True).stdout


def _enough(module: str, mutants: list[Mutant]) -> bool:
    """Prints the results of a module's mutants; whether enough were killed."""
    alive = [mutant for mutant in mutants if not mutant.is_killed]
    killed = len(mutants) - len(alive)
    share = killed / len(mutants)
    print(f"{module}: {killed} of {len(mutants)} mutants killed ({share:.0%})")
    for mutant in alive:
        print(f"  {mutant.outcome}: {mutant.change}\n    {reason(module, mutant.change) or 'no reason is given'}")
    print(f"  The log is {_log_of(_folder_of(module))}.")
    return share >= KILLED_SHARE


if __name__ == "__main__":
    sys.exit(main([argument for argument in sys.argv[1:] if argument]))
