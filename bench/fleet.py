"""Clients to measure with: the same ones at every run, in the form that each program under measurement reads.

A client has a manifest of about fifty lines: a prompt of one to three kilobytes, a function tool, a profile, metadata,
and what a fleet that is kept well declares of people's data: a check of it has no warning.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Engine = Literal["responses", "assistants"]

_TOPICS = ("reservas", "el menú", "los horarios", "los precios", "los despachos", "las devoluciones", "el local")
_WAYS = (
    "responde con una frase corta y ofrece siguiente paso",
    "pide primero el nombre y confirma los datos antes de seguir",
    "consulta la información vigente y no inventes nada que no esté en ella",
    "deriva a una persona del equipo si el cliente lo pide dos veces",
    "usa un tono cercano, sin tecnicismos, y despídete con amabilidad",
)
_TRADES = (("Restaurant", "Restaurantes"), ("Medical and Health", "Salud"), ("Shopping and Retail", "Comercio"))


@dataclass(frozen=True, slots=True)
class SampleClient:
    """One made-up client."""

    id: str
    name: str
    number: str
    prompt: tuple[str, ...]
    """Lines, without their ends."""
    vertical: str
    trade: str

    @property
    def about(self) -> str:
        """Short line of the profile."""
        return f"Atención de {self.name}"

    @property
    def description(self) -> str:
        """Longer line of the profile."""
        return f"Consultas y reservas de {self.name} por WhatsApp."

    @property
    def email(self) -> str:
        """Address in the profile."""
        return f"hola@{self.id}.example.cl"

    @property
    def website(self) -> str:
        """Page in the profile."""
        return f"https://{self.id}.example.cl"

    @property
    def sensitive(self) -> str:
        """Lines of its block `data`: what a clinic declares of people's health."""
        return _OF_HEALTH if self.vertical == "Medical and Health" else ""

    def manifest(self, engine: Engine) -> str:
        """Its file in `clients.d`."""
        prompt = "\n".join(f"    {line}" for line in self.prompt)
        return _MANIFEST.format(client=self, prompt=prompt, engine=engine)


def clients(count: int) -> Iterator[SampleClient]:
    """The first `count` clients; a larger fleet begins with the smaller one."""
    for index in range(count):
        dice = random.Random(index)
        vertical, trade = _TRADES[index % len(_TRADES)]
        name = f"Cliente {index:05d}"
        yield SampleClient(
            id=f"cliente-{index:05d}",
            name=name,
            number=f"+569{50_000_000 + index * 7}",
            prompt=tuple(_prompt(name, trade, dice)),
            vertical=vertical,
            trade=trade,
        )


def write_manifests(folder: Path, count: int, engine: Engine = "responses") -> Path:
    """Writes a folder of manifests and returns it."""
    folder.mkdir(parents=True)
    for client in clients(count):
        (folder / f"{client.id}.yaml").write_text(client.manifest(engine), encoding="utf-8")
    return folder


def _prompt(name: str, trade: str, dice: random.Random) -> Iterator[str]:
    yield f"Eres el asistente de {name}, un negocio del rubro {trade.lower()} en Santiago de Chile."
    for number in range(dice.randint(4, 13)):
        first, second = dice.sample(_TOPICS, 2)
        way, other_way = dice.sample(_WAYS, 2)
        rule = f"Pauta {dice.randrange(10**6):06d}"
        yield f"{number + 1}. {rule}: si preguntan por {first}, {way}; si preguntan por {second}, {other_way}."


_OF_HEALTH = """\
  sensitive: [health]
  retention: {messages: 180d, media: 7d}
"""
_MANIFEST = """\
# yaml-language-server: $schema=../schemas/client.schema.json
id: {client.id}
name: {client.name}
number: "{client.number}"

assistant:
  engine: {engine}
  model: gpt-6-luna
  instructions: |
{prompt}
  tools:
    - type: function
      name: crear_reserva
      description: Crea una reserva para el cliente que escribe
      parameters:
        type: object
        properties:
          personas: {{type: integer, minimum: 1}}
          fecha: {{type: string, description: Fecha en formato ISO 8601}}
        required: [personas, fecha]
      endpoint:
        url: https://api.example.cl/{client.id}/reservas
        secret: {{env: HOOK_SECRET}}

sender:
  profile:
    about: {client.about}
    description: {client.description}
    vertical: {client.vertical}
    emails: [{client.email}]
    websites: ["{client.website}"]

metadata:
  cliente: {client.name}
  industria: {client.trade}
  fecha_creacion: "2025-10-22"

data:
{client.sensitive}  recipients:
    api.example.cl: {{contract: "Anexo de encargo, punto 4", since: "2025-10-22"}}
    openai: {{contract: "Anexo de encargo, punto 1", since: "2025-10-22"}}
    twilio: {{contract: "Anexo de encargo, punto 2", since: "2025-10-22"}}
    meta: {{contract: "Anexo de encargo, punto 2", since: "2025-10-22"}}
    hosting: {{contract: "Anexo de encargo, punto 3", since: "2025-10-22"}}
    ALERT_NOTIFY: {{contract: "Anexo de encargo, punto 3", since: "2025-10-22"}}
"""
