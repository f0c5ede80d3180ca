"""The walk: each step shows a real command and its true output, and ends the demo when its exit code is not the
expected one."""

from __future__ import annotations

import http.client
import json
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from demo.processes import Failed, Installation, installation

FOLDER = Path("var/demo")
STEP_SECONDS = 60
OLD_WEBHOOK = "https://old.example.com/whatsapp"


@dataclass(frozen=True, slots=True)
class Step:
    """One command, why it is run, and the exit code that means success here."""

    why: str
    command: str
    exit_code: int = 0
    lines: int | None = None
    """How many lines at the end are shown, where the rest was just seen; all without it."""


BEFORE_DRIFT = (
    Step("Check every manifest: no network, no credentials.", "reconcile validate"),
    Step("What would change? Planning only reads.", "reconcile --dry-run"),
    Step("Make it so.", "reconcile --yes", lines=3),
    Step("A customer writes to each number.", 'python -m sandbox phone cliente-a "Hola, ¿cuándo llega mi pedido?"'),
    Step("", 'python -m sandbox phone cliente-b "Hola, ¿tienen hora para el martes?"'),
    Step("A clinic asks first whether a model may read that.", 'python -m sandbox phone cliente-b "Sí, acepto"'),
    Step("", 'python -m sandbox phone la-cocina "Hola, quiero reservar una mesa para cuatro"'),
    Step("The conversation is remembered.", 'python -m sandbox phone la-cocina "Perdón, mejor para seis"'),
    Step("The menu is a document in git.", 'python -m sandbox phone la-cocina "¿Cuánto cuesta la cazuela?"'),
    Step("A person of the team takes over: the assistant is silent.", "horizonai-whatsapp-bot conversations take 3"),
    Step("", 'python -m sandbox phone la-cocina "¿Me hacen precio por ser seis?" --human'),
    Step("", 'horizonai-whatsapp-bot conversations reply 3 "Hola, soy Carla: el postre va por nuestra cuenta."'),
    Step(
        "She gives it back; the assistant knows what she wrote.",
        "horizonai-whatsapp-bot conversations release 3",
    ),
    Step("", 'python -m sandbox phone la-cocina "¡Gracias! ¿A qué hora era?"'),
    Step("Both sides of that chat.", "python -m sandbox phone la-cocina --human", lines=6),
    Step("Plan again: nothing is left to do (2 would mean changes).", "reconcile --dry-run --detailed-exitcode"),
)
AFTER_DRIFT = (
    Step("Drift is found, and exit code 2 tells cron about it.", "reconcile drift", exit_code=2),
    Step("Repair it.", "reconcile --yes"),
    Step("In sync again.", "reconcile drift"),
    Step(
        "What did that cost? Every message is paid for, and most of a client's bill is messages.",
        "horizonai-whatsapp-bot costs",
    ),
    Step("The providers charge the same.", "horizonai-whatsapp-bot costs compare"),
)


def walk() -> None:
    """Walk the whole way once on a fresh sandbox."""
    started = time.monotonic()
    shutil.rmtree(FOLDER, ignore_errors=True)
    _say("Starting sandbox and runtime on this machine; no account, nothing leaves it.")
    with installation(FOLDER) as running:
        print(f"\nOpenAI   {running.openai_url}\nTwilio   {running.twilio_url}\nRuntime  {running.runtime_url}")
        for step in BEFORE_DRIFT:
            _run(step, running)
        _say(f"Someone opens Twilio's console and points la-cocina's webhook to {OLD_WEBHOOK}.")
        change_behind_the_back(running)
        for step in AFTER_DRIFT:
            _run(step, running)
    _say(f"Done in {time.monotonic() - started:.0f} s. Logs and databases: {FOLDER}/. Now try: make play")


def _run(step: Step, running: Installation) -> None:
    if step.why:
        _say(step.why)
    print(f"\n$ {step.command}", flush=True)
    program, *arguments = shlex.split(step.command)
    executable = shutil.which(program, path=running.environment["PATH"])
    if executable is None:
        raise Failed(f"`{program}` is not installed; run `make setup`.")
    try:
        done = subprocess.run(
            [executable, *arguments],
            env=running.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=STEP_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"`{step.command}` did not end within {STEP_SECONDS} s.") from None
    with (running.folder / "commands.log").open("a") as log:
        log.write(f"$ {step.command}\n{done.stderr}")
    _show(done.stdout.splitlines(), step.lines)
    if done.returncode != step.exit_code:
        raise Failed(
            f"{done.stderr}`{step.command}` ended with exit code {done.returncode}, expected {step.exit_code}. "
            f"The logs of sandbox and runtime are in {running.folder}/."
        )
    if step.exit_code:
        print(f"(exit code {step.exit_code}, as expected)", flush=True)


def _show(output: list[str], lines: int | None) -> None:
    left_out = max(0, len(output) - lines) if lines is not None else 0
    if left_out:
        print(f"(as before, {left_out} lines)")
    print("\n".join(output[left_out:]) or "(prints nothing)", flush=True)


def change_behind_the_back(running: Installation) -> None:
    """As a person in Twilio's console would: the reconciler is not notified."""
    connection = http.client.HTTPConnection(urlsplit(running.twilio_url).netloc, timeout=10)
    body = json.dumps({"webhook": {"callback_url": OLD_WEBHOOK}})
    connection.request("PATCH", "/_sandbox/senders/+15551234567", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    if response.status != http.HTTPStatus.OK:
        raise Failed(f"The sandbox's console answered {response.status}: {response.read().decode()}")
    connection.close()


def _say(text: str) -> None:
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    print(f"\n{bold}== {text}{plain}", flush=True)
