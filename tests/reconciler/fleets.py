"""Fleets of any shape: clients of all engines and all states, with tools, profiles and metadata, in any wording."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import strategies as st

from tests.reconciler.agency import Agency
from tests.sandbox_process import Json

Fleet = dict[str, Json]
"""Client id → the keys of its manifest."""

CLIENTS = ("cliente-a", "cliente-b", "la-cocina")
PROFILES = {
    "about": st.sampled_from(["Cocina chilena", "Reserva tu hora", "ñandú ✓"]),
    "vertical": st.sampled_from(["Restaurant", "Other"]),
    "websites": st.lists(st.sampled_from(["https://b.cl", "https://a.cl"]), min_size=1, max_size=2, unique=True),
    "emails": st.just(["hola@a.cl"]),
    "logo_url": st.sampled_from(["https://a.cl/logo.png", "https://b.cl/logo.png"]),
}

DOCUMENTS = {"carta.md": "Empanadas a 3500 pesos.", "vinos.txt": "Carmenere.", "carta-2.md": "Empanadas a 3900 pesos."}
"""What lies beside the manifests for them to name."""

SENT = {"precios.xlsx": "PK\x03\x04 verano", "precios-2.xlsx": "PK\x03\x04 invierno"}
"""Likewise, to be sent."""

_SPANISH = {"language": "es", "category": "utility"}
TEMPLATES: list[Json] = [
    {**_SPANISH, "body": "Tenemos una respuesta para ti. Responde para leerla."},
    {**_SPANISH, "body": "Hola {nombre}, te esperamos el {dia}.", "samples": {"nombre": "Ana", "dia": "martes"}},
    {"language": "es_CL", "category": "marketing", "body": "Hay menú nuevo.", "buttons": [{"title": "Ver"}]},
]

NEWER_NUMBER = re.compile(r"[-+]?[0-9.]+[eE][-+]?[0-9]+")
"""Text to the library that writes these manifests and does not quote it, a number to newer readers: refused."""

words = (
    st.text(
        st.characters(categories=("L", "N", "P", "S", "Zs"), exclude_characters="\N{NO-BREAK SPACE}"),
        min_size=1,
        max_size=12,
    )
    .filter(str.strip)
    .filter(lambda text: not NEWER_NUMBER.fullmatch(text))
)
prompts = st.lists(words, min_size=1, max_size=4).map("\n".join)
schemas = st.builds(
    lambda names: {"type": "object", "properties": {name: {"type": "string"} for name in names}},
    st.lists(st.sampled_from(["personas", "hora", "mesa"]), unique=True, max_size=2),
)


def functions(name: str) -> st.SearchStrategy[Json]:
    """A function tool of this name."""
    endpoint = st.sampled_from(
        [
            {"url": "https://api.a.cl/f"},
            {"url": "https://api.a.cl/f", "secret": {"env": "A_SECRET"}, "timeout_seconds": 5.0},
            {
                "url": "https://api.a.cl/f",
                "authorization": {"env": "A_AUTHORIZATION"},
                "follow_redirects": True,
                "user": "masked",
            },
        ]
    )
    return st.fixed_dictionaries(
        {"type": st.just("function"), "name": st.just(name), "endpoint": endpoint},
        optional={"description": words, "parameters": schemas},
    )


canaries = st.fixed_dictionaries(
    {"percent": st.sampled_from([1, 50]), "until": st.sampled_from(["2026-01-31", "2099-12-31"])},
    optional={"instructions": prompts, "margin": st.just(5), "reasoning_effort": st.just("low")},
).map(lambda canary: canary | {"model": "gpt-5.6-luna"})


@st.composite
def assistants(draw: st.DrawFn) -> Json:
    """The key `assistant` of a manifest."""
    engine = draw(st.sampled_from(["responses", "responses", "agents", "assistants"]))
    tools: list[Any] = [draw(functions(name)) for name in draw(st.sets(st.sampled_from(["reservar", "anular"])))]
    if engine != "assistants" and draw(st.booleans()):
        tools.append({"type": "web_search", "country": draw(st.sampled_from(["CL", "AR"]))})
    if engine == "responses" and draw(st.booleans()):
        files = draw(st.lists(st.sampled_from(sorted(DOCUMENTS)), min_size=1, unique=True))
        tools.append({"type": "file_search", "files": files})
    more = st.fixed_dictionaries(
        {"model": st.sampled_from(["gpt-6-luna", "gpt-6-sol"]), "instructions": prompts},
        optional={
            "reasoning_effort": st.sampled_from(["none", "low"]),
            "max_output_tokens": st.sampled_from([16, 800]),
            "name": st.sampled_from(["Rosa", "Bot de La Cocina"]),
        },
    )
    canary = {"canary": draw(canaries)} if engine == "responses" and draw(st.booleans()) else {}
    return {"engine": engine, "tools": tools, **draw(more), **canary}


def _as_it_can(client: Json) -> Json:
    """Without what an assistant of the Assistants API cannot send."""
    if client["assistant"]["engine"] != "assistants":
        return client
    return {key: value for key, value in client.items() if key not in ("media", "replies")}


clients = st.fixed_dictionaries(
    {"assistant": assistants()},
    optional={
        "name": words,
        "state": st.sampled_from(["active", "paused", "absent"]),
        "metadata": st.dictionaries(words, words, max_size=2),
        "fallback_message": prompts,
        "replies": st.fixed_dictionaries({"buttons": st.booleans()}),
        "media": st.fixed_dictionaries({"files": st.dictionaries(st.just("precios"), st.sampled_from(sorted(SENT)))}),
        "templates": st.dictionaries(st.sampled_from(["retomar", "aviso"]), st.sampled_from(TEMPLATES), max_size=2),
        "memory": st.dictionaries(st.sampled_from(["items", "tokens"]), st.sampled_from([None, 100, 1000])),
        "sender": st.builds(lambda profile: {"profile": profile}, st.fixed_dictionaries({}, optional=PROFILES)),
    },
).map(_as_it_can)
fleets: st.SearchStrategy[Fleet] = st.dictionaries(st.sampled_from(CLIENTS), clients, min_size=1)


def declare(agency: Agency, fleet: Fleet) -> None:
    """Declare exactly this fleet."""
    for path in agency.manifests():
        path.unlink()
    write_documents(agency)
    for client, keys in fleet.items():
        agency.declare(client, **keys)


def write_documents(agency: Agency) -> None:
    """Write what any of these fleets may name."""
    for name, text in (DOCUMENTS | SENT).items():
        agency.document(name, text)
