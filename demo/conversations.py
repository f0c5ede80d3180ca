"""Writes `docs/conversaciones/`: the same conversation with each engine, as it happened.

    a voice note, a picture, a PDF, a menu that is sent, buttons, a tap ──► a page for each engine

The model is the sandbox's. It answers with what reached it, and calls a tool whose name it reads: the page shows what
an engine is given and what the person's telephone gets.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

from jinja2 import Environment

from demo.processes import BIN, Failed, Installation, installation
from tests import media_files

FOLDER = Path("var/conversations")
PAGES = Path("docs/conversaciones")
PERSON = "+56912345678"
MENU = "carta.pdf"
Json = dict[str, Any]

MANIFEST = """\
id: cocina-{engine}
name: La Cocina
number: "{number}"
assistant:
  engine: {engine}
  model: {model}
  instructions: Atiendes La Cocina, en Ñuñoa.
context: {{ now: false, name: false, phone: none }}
"""
SENDS = """\
media:
  files:
    carta: carta.pdf
replies: { buttons: true, one_message: false }
"""
SENDS_NOTHING = """\
replies: { one_message: false }
"""
REPEATED = re.compile(r"(?:\[.*?\] )?Atiendes La Cocina, en Ñuñoa\.\s*· (?P<reached>.*) · turn \d+", re.DOTALL)
"""What the sandbox's model answers."""


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine whose conversation is written down."""

    name: str
    number: str
    model: str
    about: str
    sends: bool = True
    """Whether it may send files and offer buttons."""

    @property
    def manifest(self) -> str:
        """Its client."""
        return MANIFEST.format(engine=self.name, number=self.number, model=self.model) + (
            SENDS if self.sends else SENDS_NOTHING
        )


ENGINES = (
    Engine(
        "responses", "+56961230001", "gpt-6-luna",
        "oye los audios, ve las fotos, lee los documentos, envía archivos y ofrece botones.",
    ),
    Engine(
        "agents", "+56961230002", "gpt-6-luna",
        "oye los audios, envía archivos y ofrece botones; no ve fotos ni documentos.",
    ),
    Engine(
        "assistants", "+56961230003", "gpt-4o-mini",
        "oye los audios; no ve fotos ni documentos, no envía archivos ni ofrece botones.",
        sends=False,
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Said:
    """What the person sends."""

    shown: str
    """As the page tells it."""
    text: str = ""
    parts: Mapping[str, Any] = field(default_factory=dict)
    needs_sending: bool = False
    answers: int = 1


def _file(content_type: str, content: bytes) -> Json:
    return {"media": [{"content_type": content_type, "base64": b64encode(content).decode()}]}


MESSAGES = (
    Said(
        "nota de voz, 3 segundos: «¿Tienen cazuela hoy?»",
        parts=_file("audio/ogg", media_files.voice_note("¿Tienen cazuela hoy?", 3)),
    ),
    Said(
        "foto, con el texto «¿Qué plato es este?»",
        "¿Qué plato es este?",
        _file("image/jpeg", media_files.jpeg(640, 480)),
    ),
    Said(
        "un PDF, sin texto",
        parts=_file("application/pdf", media_files.pdf("Pedido para el jueves: 12 cazuelas")),
    ),
    Said(
        '«¿Me mandas la carta? (send_document {"name": "carta"})»',
        '¿Me mandas la carta? (send_document {"name": "carta"})',
        needs_sending=True,
        answers=2,
    ),
    Said(
        '«Quiero reservar (offer_buttons {"text": "¿Para cuándo?", "buttons": ["Hoy", "Mañana"]})»',
        'Quiero reservar (offer_buttons {"text": "¿Para cuándo?", "buttons": ["Hoy", "Mañana"]})',
        needs_sending=True,
    ),
    Said("toca el botón «Mañana»", parts={"button": "Mañana"}, needs_sending=True),
)

PAGE = Environment(autoescape=False, trim_blocks=True, keep_trailing_newline=True).from_string("""\
# Una conversación con el motor `{{ engine.name }}`

<!-- Escrita por `make conversations`; no se edita a mano. -->

El motor `{{ engine.name }}` {{ engine.about }}
Las otras: {{ others }}.

La escribió `make conversations` con el simulador: los archivos son de verdad; Twilio y OpenAI, no. El modelo simulado
contesta con lo que le llegó (aquí, después de «Me llegó»), así que se ve qué recibe de cada archivo, y llama la
herramienta cuyo nombre lee: por eso la persona lo escribe.

{% for said, answers in turns %}
**Persona:** {{ said.shown }}

{% for answer in answers %}
> **La Cocina:** {{ answer }}
{% if not loop.last %}
>
{% endif %}
{% endfor %}

{% endfor %}
{% if not engine.sends %}
Mandar la carta y ofrecer botones no se puede con este motor: `reconcile validate` rechaza un archivo de cliente que lo
pida.
{% endif %}
""")  # noqa: S701 - Markdown


def conversations(pages: Path = PAGES) -> None:
    """Talk with each engine, and write its page."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    clients_dir = FOLDER / "clients.d"
    clients_dir.mkdir(parents=True)
    menu = media_files.pdf("Cazuela 6.900 · Charquicán 5.400")
    (clients_dir / MENU).write_bytes(menu)
    for engine in ENGINES:
        (clients_dir / f"cocina-{engine.name}.yaml").write_text(engine.manifest, encoding="utf-8")
    pages.mkdir(parents=True, exist_ok=True)
    with installation(FOLDER, clients_dir=clients_dir) as running:
        done = subprocess.run(
            [BIN / "reconcile", "--yes"], env=running.environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Failed(f"The apply failed:\n{done.stdout}{done.stderr}")
        for engine in ENGINES:
            turns = [(said, list(_answers(running, engine, said, menu))) for said in MESSAGES if _fits(said, engine)]
            others = ", ".join(f"[{other.name}]({other.name}.md)" for other in ENGINES if other is not engine)
            page = pages / f"{engine.name}.md"
            page.write_text(PAGE.render(engine=engine, turns=turns, others=others).rstrip() + "\n", encoding="utf-8")
            print(f"{page} is written.")


def _fits(said: Said, engine: Engine) -> bool:
    return engine.sends or not said.needs_sending


def _answers(running: Installation, engine: Engine, said: Said, menu: bytes) -> Iterator[str]:
    """What the person's telephone shows; raises Failed where it is not what is expected."""
    outcome = _sandbox(running, "inbound", {
        "to": engine.number, "from": PERSON, "body": said.text, "wait": 30,
        "settle": 3 if said.answers > 1 else 0.3, **said.parts,
    })  # fmt: skip
    answers: Sequence[Json] = outcome["answers"]
    if len(answers) != said.answers:
        raise Failed(f"{engine.name}: {said.shown}: {said.answers} answers were expected, there are {answers}")
    for answer in answers:
        yield _shown(running, answer, menu)


def _shown(running: Installation, answer: Json, menu: bytes) -> str:
    lines = [_plain(answer["body"])] if answer["body"] else []
    for url in answer.get("media", ()):
        with urlopen(url, timeout=10) as response:  # noqa: S310 - the runtime's own
            content = response.read()
        if content != menu:
            raise Failed(f"{url} is not the menu.")
        digest = hashlib.sha256(content).hexdigest()[:12]
        name = unquote(urlsplit(url).path.rpartition("/")[2])
        lines.append(f"📄 `{name}`, {len(content)} bytes, SHA-256 `{digest}…`")
    lines += [f"🔘 {button['title']}" for button in answer.get("buttons", ())]
    return "  \n> ".join(lines)


def _plain(text: str) -> str:
    """A text as lines of the quotation."""
    found = REPEATED.fullmatch(text)
    return (f"Me llegó: {found['reached']}" if found else text).replace("\n", "  \n> ")


def _sandbox(running: Installation, path: str, document: Json) -> Json:
    request = Request(  # noqa: S310 - the sandbox's own
        f"{running.twilio_url}/_sandbox/{path}", json.dumps(document).encode(), {"Content-Type": "application/json"}
    )
    with urlopen(request, timeout=45) as response:  # noqa: S310 - the sandbox's own
        return dict(json.load(response))
