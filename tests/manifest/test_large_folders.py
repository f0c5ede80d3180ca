"""A large folder is read by several processes; what is said of it is the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.manifest import Manifest, ManifestErrors
from reconciler.manifest.defaults import FILE
from reconciler.manifest.document import YamlDocument
from reconciler.manifest.folder import open_folder
from reconciler.manifest.read_manifests import read_manifests, read_packed, unpacked
from tests.manifest.fleet_files import environment, manifest, with_tools, write_files
from tests.manifest.situations import SITUATIONS, with_canary
from tests.sandbox_process import ROOT

SHARED = """
import json, multiprocessing, os, pickle, signal, sys, time
from contextlib import closing
from reconciler.manifest.shared_work import SharedWork
FIRST = os.getpid()
def shared(work, pieces, processes):
    packed = lambda number: pickle.dumps(work(number))
    with closing(SharedWork(work, pieces, processes, packed=packed, unpacked=pickle.loads)) as shared:
        print(json.dumps(shared.results()))
"""
COMMAND = """
import os, sys
processes, *arguments = sys.argv[1:]
workers, fork = [], os.fork
def counted():
    workers.append(fork())
    return workers[-1]
os.fork = counted
from reconciler.manifest import fleet
fleet.processes_for = lambda pieces: min(pieces, int(processes))
from reconciler.cli import run
code = run(arguments)
print(f"workers: {len(workers)}", file=sys.stderr)
sys.exit(code)
"""


def python(code: str, *arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_each_process_takes_pieces() -> None:
    done = python(f"""{SHARED}
all_at_work = multiprocessing.get_context("fork").Barrier(3)
def work(number):
    all_at_work.wait(30)
    return os.getpid()
shared(work, 6, 3)
""")
    assert done.stderr == ""
    assert len(set(json.loads(done.stdout))) == 3


def test_ctrl_c_is_for_the_first_process() -> None:
    done = python(f"""{SHARED}
all_at_work = multiprocessing.get_context("fork").Barrier(2)
def work(number):
    all_at_work.wait(30)
    return os.getpid() == FIRST, signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
shared(work, 2, 2)
""")
    assert sorted(json.loads(done.stdout)) == [[False, True], [True, False]]


def test_without_room_for_workers_one_process_does_it_all() -> None:
    done = python(f"""{SHARED}
def no_room():
    raise BlockingIOError(11, "Resource temporarily unavailable")
os.fork = no_room
shared(lambda number: number, 100, 3)
""")
    assert (json.loads(done.stdout), done.stderr) == (list(range(100)), "")


def test_a_process_with_threads_is_not_forked() -> None:
    done = python("""
import threading
from reconciler.manifest.shared_work import processes_for
print(processes_for(0), processes_for(1), processes_for(1_000) > 1)
held = threading.Event()
threading.Thread(target=held.wait, daemon=True).start()
print(processes_for(1_000))
""")
    several = sys.platform == "linux" and len(os.sched_getaffinity(0)) > 1
    assert done.stdout == f"1 1 {several}\n1\n"


@pytest.mark.parametrize(
    "end",
    [
        pytest.param("raise ValueError('of a worker')", id="error"),
        pytest.param("os.kill(os.getpid(), signal.SIGKILL)", id="killed"),
        pytest.param("return lambda: None", id="what cannot be returned"),
    ],
)
def test_what_a_worker_does_not_return_is_done_by_the_first_process(end: str) -> None:
    done = python(
        f"""{SHARED}
begun = multiprocessing.get_context("fork").Barrier(3)
def work(number):
    if number < 3:
        begun.wait(30)
    if os.getpid() != FIRST:
        {end}
    begun.abort()
    return number
shared(work, 100, 3)
""".replace("begun.wait(30)", "begun.wait(30) if not begun.broken else None")
    )
    assert done.stderr == ""
    assert json.loads(done.stdout) == list(range(100))


def test_an_error_in_a_piece_is_the_first_process_s() -> None:
    done = python(f"""{SHARED}
def work(number):
    if number == 50:
        raise ValueError("this piece")
    return number
shared(work, 100, 3)
""")
    assert done.stdout == ""
    assert done.stderr.count("Traceback") == 1
    assert done.stderr.endswith("ValueError: this piece\n")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_worker_outlives_the_command(number: signal.Signals) -> None:
    code = f"""{SHARED}
all_at_work = multiprocessing.get_context("fork").Barrier(3)
def work(number):
    all_at_work.wait(30)
    print(os.getpid(), flush=True)
    if os.getpid() == FIRST:
        time.sleep(60)
    return "a megabyte, more than a pipe holds" * 30_000
print(FIRST, flush=True)
shared(work, 3, 3)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert len({process.stdout.readline() for _ in range(4)}) == 3
        if number == signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        # Workers have the same outputs, so these end with the last of them.
        _, errors = process.communicate(timeout=30)
        assert errors.count("Traceback") == (1 if number == signal.SIGINT else 0)


def test_a_large_folder_is_read_as_by_one_process(tmp_path: Path) -> None:
    files = {f"c{index:04}.yaml": manifest(f"c{index:04}", f"+569{60_000_000 + index}") for index in range(700)}
    files["c0010.yaml"] = manifest("c0690", "+56960000020")
    files["c0020.yaml"] = "id: [\n"
    files["c0030.yaml"] = ""
    files["c0400.yaml"] = manifest("c0400", "56960000400", "formerly: c0001\n")
    files["c0500.yaml"] = manifest("c0500", "+56960000500", "retries: 3\nretries: 4\n")
    files["c0600.yaml"] = with_tools("- type: file_search\n  files: [missing.md]")
    files["c0699.yaml"] = manifest("c0699", "+56960000699", "budget: {monthly: 5000, currency: CLP}\n")
    files["_defaults.yaml"] = "metadata: {agency: horizonai}\n"
    write_files(tmp_path, files)
    alone, shared = (python(COMMAND, count, "validate", folder=tmp_path) for count in ("1", "2"))
    assert (shared.returncode, shared.stdout) == (alone.returncode, alone.stdout)
    assert len(alone.stdout.splitlines()) > 8
    assert alone.stderr == "workers: 0\n"
    assert shared.stderr == "workers: 1\n"


@pytest.mark.parametrize("situation", SITUATIONS)
def test_what_was_read_is_the_same_in_the_other_process(situation: str, tmp_path: Path) -> None:
    assert_same_when_packed(write_files(tmp_path, SITUATIONS[situation]))


def test_so_are_a_client_s_documents_cases_and_prompts(tmp_path: Path) -> None:
    canary = with_canary("instructions: {file: p.md}, ")
    media = "media:\n  files: {carta: carta.pdf}\n"
    write_files(tmp_path, {"uno.yaml": canary + media, "p.md": "Responde en verso.", "carta.pdf": "%PDF-1.7"})
    (own,) = assert_same_when_packed(tmp_path / "clients.d")
    assert own.media
    assert own.canary_instructions == "Responde en verso."
    *_, kitchen = assert_same_when_packed(ROOT / "clients.d")
    assert kitchen.knowledge
    assert kitchen.cases


def assert_same_when_packed(path: Path) -> list[Manifest]:
    """The manifests that were read."""
    try:
        folder = open_folder(path, {})
    except ManifestErrors:
        return []
    defaults = folder.parse(FILE) if folder.has_defaults else YamlDocument(FILE)
    read = read_manifests(folder, defaults, folder.manifests, allow_private=False)
    again = unpacked(read_packed(folder, defaults, folder.manifests, allow_private=False))
    assert again == read
    for name, one in read.manifests.items():
        assert again.manifests[name].client.model_fields_set == one.client.model_fields_set
    return list(read.manifests.values())
