"""What people make without manifests: records and bots through the store, live assistants, senders in the console."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from runtime.store.client.writer import open_writer
from runtime.store.records import AssistantRecord, BotRecord
from tests.reconciler import live
from tests.reconciler.agency import API_TOKEN, PUBLIC_URL, Agency
from tests.sandbox_process import Json

NUMBER = "+56996500001"
GUIDES_WEBHOOK = {"callback_url": f"{PUBLIC_URL}/webhook/whatsapp", "callback_method": "POST"}
"""What the guide had people paste into the console: nothing but the URL for incoming messages."""
FUNCTION = {
    "type": "function",
    "name": "crear_reserva",
    "description": "Crea una reserva",
    "parameters": {"type": "object", "properties": {"personas": {"type": "integer"}}, "required": ["personas"]},
    "strict": False,
}
ENDPOINT = {"url": "https://api.lacocina.cl/reservas", "secret_env": "LA_COCINA_HOOK_SECRET", "timeout_seconds": 5.0}


@dataclass(frozen=True, slots=True)
class ByHand:
    """Makes things as the guide tells to."""

    agency: Agency

    def assistant(self, key: str = "assistant_1", **fields: object) -> AssistantRecord:
        """POST /assistants/"""
        given = {"name": "Bot La Cocina", "instructions": "Eres un asistente.", "model": "gpt-6-luna", **fields}
        record = AssistantRecord(id=key, **given)  # type: ignore[arg-type]
        with closing(open_writer(self.agency.store_url, API_TOKEN)) as writer:
            return writer.put_assistant(record)

    def object(self, **fields: object) -> str:
        """An assistant in OpenAI's console; gives its id."""
        body: Json = {"name": "Bot La Cocina", "instructions": "Eres un asistente.", "model": "gpt-6-luna", **fields}
        return str(live.openai_call(self.agency.sandbox, "POST", "/assistants", body)["id"])

    def agent(self, **fields: object) -> str:
        """An agent in OpenAI's console; gives its id."""
        body: Json = {"name": "Bot La Cocina", "instructions": "Eres un asistente.", "model": "gpt-6-luna", **fields}
        return str(live.openai_call(self.agency.sandbox, "POST", "/agents", body)["id"])

    def bot(self, assistant_id: str | None, key: str = "bot_1", number: str = NUMBER, **fields: object) -> BotRecord:
        """POST /bots/"""
        given = {"name": "Bot La Cocina", **fields}
        record = BotRecord(id=key, twilio_phone_number=number, assistant_id=assistant_id, **given)  # type: ignore[arg-type]
        with closing(open_writer(self.agency.store_url, API_TOKEN)) as writer:
            return writer.put_bot(record)

    def sender(self, number: str = NUMBER, **fields: object) -> None:
        """A sender registered in Twilio's console, its webhook pasted as the guide says."""
        self.agency.sandbox.register(number, **{"webhook": GUIDES_WEBHOOK, "profile": {"name": "La Cocina"}, **fields})

    def restaurant(self) -> None:
        """The guide's example, whole."""
        self.assistant()
        self.bot(
            "assistant_1",
            instructions="Bot para atención al cliente del restaurante",
            model="gpt-6-sol",
            metadata={"cliente": "Restaurante La Cocina", "industria": "Restaurantes", "fecha_creacion": "2025-10-22"},
        )
        self.sender(profile={"name": "La Cocina", "about": "Cocina chilena", "vertical": "Restaurant"})
