"""Sandbox and runtime left running, for a first day without an account: the manifests are applied, and people have
written. State survives in `var/play`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import NoReturn

from demo.lively import invite, make_lively
from demo.processes import BIN, Installation, Ports, free_or, installation

FOLDER = Path("var/play")
OPERATOR = "ana@horizonai.example"
"""Who may sign in to the console."""

WHAT_TO_TRY = """\
Sandbox and runtime are running; Ctrl-C ends both, their state stays in {folder}/.

  OpenAI   {openai}
  Twilio   {twilio}
  Runtime  {runtime}
  Console  {console}

In another terminal, in this folder:

  source {env}

  reconcile --dry-run                             what would change: all is applied
  python -m sandbox phone la-cocina "Hola"        a customer writes
  $EDITOR clients.d/la-cocina.yaml                change the instructions, then reconcile and write again
  reconcile new                                   add a client
  reconcile verify ID --code 123456               register its number, whichever it is: no telephone rings
  reconcile drift                                 did someone change something by hand?
  curl -s -H "Authorization: Bearer $API_TOKEN" {runtime}/bots/
  curl -s {twilio}/_sandbox/ledger                every call and message so far
"""


def play() -> NoReturn:
    """Run until a signal comes or a process ends, on the usual ports where they are free."""
    ports = Ports(openai=free_or(8101), twilio=free_or(8102), runtime=free_or(8080))
    is_new = not (FOLDER / "horizonai.db").exists()
    with installation(FOLDER, ports) as running:
        env = FOLDER / "env"
        env.write_text(_exports(running))
        print(
            WHAT_TO_TRY.format(
                folder=FOLDER,
                env=env,
                openai=running.openai_url,
                twilio=running.twilio_url,
                runtime=running.runtime_url,
                console=_console(running),
            ),
            flush=True,
        )
        if is_new:
            print("Applying the manifests, and letting a few people write; the console fills meanwhile.", flush=True)
            make_lively(running)
            print("Done.", flush=True)
        while True:
            for process in running.processes:
                process.alive_for(0.5)


def _console(running: Installation) -> str:
    """Where the console is: an invitation the first time."""
    link = invite(running, OPERATOR, "--name", "Ana Rojas", "--role", "admin")
    if link is not None:
        return f"{link}   (choose a password; works once)"
    again = f"`horizonai-whatsapp-bot operator reset {OPERATOR}` invites again"
    return f"{running.runtime_url}/console   ({OPERATOR}; {again})"


def _exports(running: Installation) -> str:
    lines = [f"export {name}={shlex.quote(value)}" for name, value in running.settings.items()]
    lines.append(f'export PATH={shlex.quote(str(BIN))}:"$PATH"')
    return "\n".join(lines) + "\n"
