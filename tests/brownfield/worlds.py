"""Worlds that people made by hand, drawn at random: bots with records, live assistants or none, overrides, senders."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from tests.brownfield.by_hand import ENDPOINT, FUNCTION, GUIDES_WEBHOOK, ByHand
from tests.reconciler import live
from tests.reconciler.agency import OVERRIDES, WEBHOOK
from tests.sandbox_process import Json

PLAIN_WEBHOOK = {key: value.removesuffix(OVERRIDES) for key, value in WEBHOOK.items()}
MODELS = st.sampled_from(["gpt-6-luna", "gpt-6-sol"])
_LINES = st.text("aZñé 0:#'\"-{}[]&*!|>%@`\\\t😀", max_size=30)
_SAID = st.one_of(
    st.lists(_LINES, min_size=1, max_size=6).map("\n".join),
    st.sampled_from(["no", "1.5", "~", "a\r\nb", "x\n\n", " y"]),
)
PROMPTS = _SAID.filter(str.strip) | st.just("Eres el asistente del restaurante.\n" * 30)
NAMES = st.text("abc Ñ:#'\"-é", min_size=1, max_size=20).filter(str.strip)
PROFILES = st.fixed_dictionaries(
    {"name": NAMES},
    optional={
        "about": st.sampled_from(["Cocina chilena", "no", "Lunes: cerrado"]),
        "vertical": st.sampled_from(["Restaurant", "Beauty, Spa and Salon"]),
        "emails": st.just([{"email": "hola@lacocina.cl", "label": "Email"}]),
        "websites": st.permutations(["https://lacocina.cl", "https://b.cl"]).map(
            lambda urls: [{"website": url, "label": "Website"} for url in urls]
        ),
        "logo_url": st.just("https://lacocina.cl/logo.png"),
    },
)
SETTINGS = st.fixed_dictionaries(
    {}, optional={"reasoning_effort": st.sampled_from(["none", "low"]), "max_output_tokens": st.sampled_from([800, 99])}
)
POLICIES = st.sampled_from([{}, {"version": 1, "memory": {"items": 20}}, {"version": 1, "memory": {}}])
SEARCHES = st.fixed_dictionaries({}, optional={"max_num_results": st.sampled_from([3, 5, 20])})


@dataclass(frozen=True)
class Made:
    """One bot, its assistant, and its sender."""

    engine: str
    """records | objects | agents | alone | shared: answered by the assistant of the first bot of the world."""
    assistant: Json
    bot: Json
    settings: Json
    has_function: bool
    search: Json | None
    """A search in documents, without its store; None for an assistant that has no documents."""
    sender: Json


@st.composite
def bots(draw: st.DrawFn) -> Made:
    """One bot."""
    engine = draw(st.sampled_from(["records", "objects", "agents", "alone", "shared"]))
    override = st.fixed_dictionaries({}, optional={"instructions": PROMPTS, "model": MODELS})
    own = st.fixed_dictionaries({"instructions": PROMPTS, "model": MODELS})
    notes = st.dictionaries(st.sampled_from(["cliente", "rubro"]), st.sampled_from(["La Ñapa", "no", "2025-10-22"]))
    return Made(
        engine=engine,
        assistant={"name": draw(NAMES), "instructions": draw(PROMPTS), "model": draw(MODELS)},
        bot={
            "name": draw(NAMES),
            "state": draw(st.sampled_from(["active", "paused"])),
            "metadata": draw(notes),
            "fallback_message": draw(st.none() | st.just("Un momento.")),
            "policy": draw(POLICIES),
            **draw(own if engine == "alone" else override),
        },
        settings=draw(SETTINGS),
        has_function=engine in ("records", "objects", "agents") and draw(st.booleans()),
        search=draw(st.none() | SEARCHES) if engine == "records" else None,
        sender={"profile": draw(PROFILES), "webhook": draw(st.sampled_from([GUIDES_WEBHOOK, PLAIN_WEBHOOK, WEBHOOK]))},
    )


TEMPLATES = (
    "Tenemos una respuesta para ti. Responde para leerla.",
    "Hola {{1}}, te esperamos el {{2}}.",
    "Hola. Te esperamos.",
)


def make_templates(by_hand: ByHand, count: int) -> None:
    """Templates that people made in Twilio's console for an account's only client."""
    for number, body in enumerate(TEMPLATES[:count]):
        content = {"friendly_name": f"Aviso {number}", "language": "es", "types": {"twilio/text": {"body": body}}}
        samples = {"variables": {"1": "Ana", "2": "martes"}} if "{{" in body else {}
        sid = by_hand.agency.twilio("POST", "/v1/Content", content | samples)["sid"]
        path = f"/v1/Content/{sid}/ApprovalRequests/whatsapp"
        by_hand.agency.twilio("POST", path, {"name": f"aviso_{number}", "category": "UTILITY"})


def make(by_hand: ByHand, world: list[Made]) -> None:
    """Make the world live, bot by bot."""
    first: str | None = None
    first_calls = False
    for index, made in enumerate(world):
        calls = first_calls if made.engine == "shared" and first else made.has_function
        assistant_id = first if made.engine == "shared" and first else _assistant(by_hand, f"assistant_{index}", made)
        if first is None and assistant_id is not None:
            first, first_calls = assistant_id, calls
        number, functions = f"+5699650{index:04}", {"crear_reserva": ENDPOINT} if calls else {}
        by_hand.bot(assistant_id, f"bot_{index}", number, functions=functions, **made.bot)
        by_hand.sender(number, **made.sender)


def _assistant(by_hand: ByHand, key: str, made: Made) -> str | None:
    if made.engine == "alone":
        return None
    if made.engine == "objects":
        function = {key: FUNCTION[key] for key in ("name", "description", "parameters")}
        tools = [{"type": "function", "function": function}] if made.has_function else []
        return by_hand.object(**made.assistant, tools=tools)
    if made.engine == "agents":
        return by_hand.agent(**made.assistant, **_as_agent(made))
    tools: list[Json] = [FUNCTION] if made.has_function else []
    if made.search is not None:
        store = live.vector_store(by_hand.agency.sandbox, "Empanadas a 3500 pesos.")
        tools.insert(0, {"type": "file_search", "vector_store_ids": [store], **made.search})
    return by_hand.assistant(key, **made.assistant, settings=made.settings, tools=tools).id


def _as_agent(made: Made) -> Json:
    """The tools and the effort of an agent."""
    function = {key: FUNCTION[key] for key in ("type", "name", "description", "parameters")}
    tools = [{"type": "web_search", "location": {"country": "CL"}}, *([function] if made.has_function else [])]
    effort = made.settings.get("reasoning_effort")
    return {"tools": tools, **({"reasoning": {"effort": effort}} if effort else {})}
