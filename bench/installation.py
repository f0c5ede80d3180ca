"""Fleets that are applied already, each with a sandbox of its own, so that a plan of them is empty.

They are primed by the real `reconcile --yes`. The fleet of 10,000 takes a minute for that and is kept in `var/bench`
between runs; whether what was kept still fits is asked of `reconcile --dry-run`, not assumed.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench import fleet
from bench.fleet import Engine, clients, write_manifests
from bench.measure import BenchError, Case, progress, run_once
from bench.sandbox import ROOT, Sandbox, sandbox

WORK = ROOT / "var" / "bench"
KEPT_FROM = 10_000
"""Fleets of this size on are kept between runs."""


@dataclass(frozen=True, slots=True)
class Installation:
    """A fleet, its sandbox and its bot store."""

    folder: Path
    """Holds `clients.d`; commands run here."""
    count: int
    sandbox: Sandbox

    def reconcile(self, *arguments: str, name: str = "", says: str = "") -> Case:
        """A run of `reconcile` on this fleet."""
        return Case(
            name or f"reconcile {' '.join(arguments)}",
            [Path(sys.executable).with_name("reconcile"), *arguments],
            self.folder,
            self._environment(),
            says,
        )

    def plan(self, name: str = "reconcile --dry-run") -> Case:
        """A plan that finds nothing to change."""
        return self.reconcile("--dry-run", name=name, says=f"No changes: {self.count} client")

    def migrate(self) -> Case:
        """An empty store. The first apply makes one, too, but not where senders are attached already: their store is
        elsewhere, it says."""
        settings = self._environment()
        settings["DATABASE_URL"] = settings["BOT_STORE_URL"]
        return Case("migrate", [sys.executable, "-m", "runtime", "migrate"], self.folder, settings)

    def validate(self) -> Case:
        """A check of the manifests that finds nothing wrong."""
        return self.reconcile("validate", says=f"{self.count:,} clients, 0 errors")

    def lean(self) -> Case:
        """The floor on the same fleet."""
        command = [sys.executable, "-m", "bench.lean", "clients.d"]
        return Case(
            "lean script (floor)", command, self.folder, self._environment(), f"{self.count} clients, 0 changed"
        )

    def apply(self) -> Case:
        """A run that makes the live side as declared, as fast as it may call real providers."""
        return self.reconcile("--yes", says=" 0 failed, 0 skipped")

    def prime(self) -> Case:
        """The same as fast as the sandbox can be called."""
        apply = self.apply()
        return replace(apply, environment={**apply.environment, "OPENAI_RATE": "10000", "TWILIO_RATE": "10000"})

    def _environment(self) -> dict[str, str]:
        # What is measured is the checkout that this bench lies in, whatever else is installed.
        return {**self.sandbox.settings(self.folder / "bots.db"), "PYTHONPATH": str(ROOT), "HOOK_SECRET": "bench"}


@dataclass(slots=True)
class Installations:
    """Opens each installation when it is first asked for; all are closed together."""

    cleanup: ExitStack
    _opened: dict[tuple[int, Engine], Installation] = field(default_factory=dict)

    def primed(self, count: int, engine: Engine = "responses") -> Installation:
        """A fleet of that size of which everything is applied."""
        if (count, engine) not in self._opened:
            kept = count >= KEPT_FROM
            self._opened[count, engine] = self._kept(count, engine) if kept else self._fresh(count, engine)
        return self._opened[count, engine]

    def empty(self, count: int, engine: Engine = "responses") -> Installation:
        """A fleet of that size of which nothing is applied; its senders are registered."""
        WORK.mkdir(parents=True, exist_ok=True)
        folder = Path(self.cleanup.enter_context(tempfile.TemporaryDirectory(dir=WORK)))
        write_manifests(folder / "clients.d", count, engine)
        installation = _open(folder, count, self.cleanup)
        installation.sandbox.register(clients(count), attached=False)
        return installation

    def _fresh(self, count: int, engine: Engine) -> Installation:
        installation = self.empty(count, engine)
        _prime(installation)
        return installation

    def _kept(self, count: int, engine: Engine) -> Installation:
        folder = WORK / f"{engine}-{count}-{_fingerprint()}"
        if folder.exists():
            with ExitStack() as trial:
                installation = _open(folder, count, trial)
                if _in_sync(installation):
                    self.cleanup.push(trial.pop_all())
                    return installation
            shutil.rmtree(folder)
        write_manifests(folder / "clients.d", count, engine)
        installation = _open(folder, count, self.cleanup)
        # Attaching ten thousand senders one by one would take another minute; applying is measured by itself.
        run_once(installation.migrate())
        installation.sandbox.register(clients(count), attached=True)
        _prime(installation)
        return installation


def _prime(installation: Installation) -> None:
    progress(f"applying {installation.count:,} new clients")
    run_once(installation.prime())
    run_once(installation.plan())


def _open(folder: Path, count: int, cleanup: ExitStack) -> Installation:
    return Installation(folder, count, cleanup.enter_context(sandbox(folder / "sandbox")))


def _in_sync(installation: Installation) -> bool:
    try:
        run_once(installation.plan())
    except BenchError:
        return False
    return True


def _fingerprint() -> str:
    """Changes when the made-up clients do."""
    return hashlib.sha256(Path(fleet.__file__).read_bytes()).hexdigest()[:12]
