"""A line of a client with templates, which Meta has approved, as an apply leaves it."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from schemas.templates import Template, content_of_template, friendly_name
from tests.runtime_process import Line, Runtime, open_line
from tests.sandbox_process import Json, Sandbox

REMINDER: Json = {
    "language": "es",
    "category": "utility",
    "body": "Hola {nombre}, te esperamos el {dia}.",
    "samples": {"nombre": "Ana", "dia": "martes"},
}
PROMO: Json = {"language": "es", "category": "marketing", "body": "Hoy 2x1 en cazuelas."}
REOPEN: Json = {"language": "es", "category": "utility", "body": "Tenemos una respuesta para ti. Responde para leerla."}
TEMPLATES: Json = {"recordatorio": REMINDER, "promo": PROMO, "retomar": REOPEN}


def shop_with_templates(runtime: Runtime, sandbox: Sandbox, templates: Json = TEMPLATES, **policy: Any) -> Line:
    """A line whose bot has these templates; `policy`: further keys of it."""
    sids = {name: made(sandbox, name, document) for name, document in templates.items()}
    return open_line(runtime, sandbox, policy={"templates": templates, "template_sids": sids, **policy})


def made(sandbox: Sandbox, name: str, document: Json) -> str:
    """Makes a template and submits it."""
    template = Template.model_validate(document)
    named = friendly_name("tienda", name, template)
    sid = str(call(sandbox, "/v1/Content", {"friendly_name": named, **content_of_template(template)})["sid"])
    category = template.category.upper()
    call(
        sandbox,
        f"/v1/Content/{sid}/ApprovalRequests/whatsapp",
        {"name": f"{named}_{sid[2:8].lower()}", "category": category},
    )
    return sid


def post_form(sandbox: Sandbox, path: str, form: dict[str, str]) -> Json:
    """One POST of a form to Twilio."""
    credentials = b64encode(f"{sandbox.account_sid}:{sandbox.auth_token}".encode()).decode()
    request = Request(sandbox.twilio_url + path, urlencode(form).encode(), {"Authorization": f"Basic {credentials}"})
    with urlopen(request, timeout=20) as answer:
        return dict(json.loads(answer.read()))


def call(sandbox: Sandbox, path: str, body: Json) -> Json:
    """One POST to Twilio's Content API."""
    credentials = b64encode(f"{sandbox.account_sid}:{sandbox.auth_token}".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"}
    with urlopen(Request(sandbox.twilio_url + path, json.dumps(body).encode(), headers), timeout=20) as answer:
        return dict(json.loads(answer.read()))
