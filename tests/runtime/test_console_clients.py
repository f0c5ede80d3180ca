"""The pages of a client and of plans: what is declared beside what is live, and what was recorded, with its age."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from runtime.console.forge import Forge
from runtime.store.database.times import timestamp
from tests.runtime.console import Browser, sign_in, text_of
from tests.runtime.test_media import rows
from tests.runtime_process import Runtime, new_number, start_runtime
from tests.sandbox_process import Sandbox

SHA = "4f2a9c1" + "0" * 33
RUN = "a" * 32
FORGE = "https://github.com/horizonai/clientes/blob/main/clients.d"
DOCUMENT = "<!doctype html><title>Plan</title><style>p { color: teal }</style><p>El plan entero</p>"


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox) -> Iterator[Runtime]:
    runtime = start_runtime(tmp_path_factory.mktemp("clients"), sandbox_process, MANIFESTS_URL=FORGE)
    for client in ("la-cocina", "hostal-mar"):
        declare(runtime, client)
    yield runtime
    runtime.stop()


@pytest.fixture(scope="module")
def ana(installation: Runtime) -> Browser:
    return sign_in(installation, "ana@horizonai.cl", "--role", "admin")


@pytest.fixture(scope="module")
def luis(installation: Runtime) -> Browser:
    """He sees the client hostal-mar only."""
    return sign_in(installation, "luis@horizonai.cl", "--role", "admin", "--client", "hostal-mar")


def reconciled(runtime: Runtime, method: str, path: str, body: object) -> None:
    answer = runtime.api(method, path, body, X_Managed_By="reconcile")
    assert answer.status < 300, answer.body


def declare(runtime: Runtime, client: str, **policy: object) -> None:
    """A client as an apply writes it."""
    reconciled(
        runtime,
        "PUT",
        f"/bots/{client}",
        {
            "name": client.replace("-", " ").title(),
            "twilio_phone_number": new_number(),
            "instructions": "Atiendes.",
            "model": "gpt-6-luna",
            "client": client,
            "managed_by": f"clients.d/{client}.yaml",
            "policy": {"version": 1, **policy},
        },
    )


def record(runtime: Runtime, kind: str, clients: Mapping[str, object], **fields: object) -> None:
    report = {"kind": kind, "at": timestamp(time.time()), "actor": "ci@forja", "commit": SHA, "clients": clients}
    reconciled(runtime, "POST", "/reconcile/reports", report | fields)


def change(kind: str, **fields: Any) -> dict[str, Any]:
    return {"kind": kind, "action": "update", "key": "la-cocina", "reason": "drift"} | fields


def test_a_client_of_which_nothing_is_recorded_names_the_commands_that_record_it(
    installation: Runtime, ana: Browser
) -> None:
    declare(installation, "sin-nada")
    page = text_of(ana.get("/console/clients/sin-nada"))
    for command in (
        "reconcile --dry-run --report",
        "reconcile drift --report",
        "reconcile doctor sin-nada --report",
        "reconcile test sin-nada --report",
        "reconcile status --checklist sin-nada --report",
    ):
        assert command in page


def test_the_page_shows_what_is_declared_and_what_was_seen_in_the_order_of_applying(
    installation: Runtime, ana: Browser
) -> None:
    for kind in ("sender", "knowledge", "bot"):
        values = {"files": {"carta-2026.pdf": "312 kB"}} if kind == "knowledge" else {"name": "La Cocina"}
        body = {"live_id": f"id-{kind}", "values": values, "applied_at": timestamp(time.time() - 7200)}
        reconciled(installation, "PUT", f"/reconcile/applied/la-cocina/{kind}", body)
    field = {"path": "profile.about", "live": "Cocina y sushi", "declared": "Cocina chilena"}
    found = {
        "state": "differs",
        "changes": [change("sender", fields=[field])],
        "documents": {"found": 1, "in_progress": 0, "failed": 0},
    }
    record(installation, "drift", {"la-cocina": found})

    page = text_of(ana.get("/console/clients/la-cocina"))

    places = [page.index(f"{kind} ") for kind in ("Documentos", "Bot", "Número de WhatsApp Difiere")]
    assert places == sorted(places)
    assert "profile.about Cocina y sushi Cocina chilena" in page
    assert "Difiere · 1" in page
    assert "recién · ci@forja · 4f2a9c1" in page
    assert "carta-2026.pdf" in page
    assert "1 indexado" in page


def test_links_lead_to_the_manifest_its_edit_page_and_the_commit(installation: Runtime, ana: Browser) -> None:
    record(installation, "doctor", {"la-cocina": {"state": "intact"}})
    page = ana.get("/console/clients/la-cocina").body.decode()
    assert f'href="{FORGE}/la-cocina.yaml"' in page
    assert 'href="https://github.com/horizonai/clientes/edit/main/clients.d/la-cocina.yaml"' in page
    assert f'href="https://github.com/horizonai/clientes/commit/{SHA}"' in page


def test_doctor_tests_checklist_templates_and_budget_are_shown_as_recorded(installation: Runtime, ana: Browser) -> None:
    template = {"language": "es", "category": "utility", "body": "Hola, te esperamos el martes."}
    declare(
        installation,
        "el-bar",
        templates={"recordatorio": template},
        budget={"monthly": 40, "warn_at": [50], "on_exceeded": "pause"},
        data={"retention": {"messages": "180d"}},
    )
    seen = {"name": "recordatorio", "status": "approved", "declared": "utility", "category": "marketing"}
    record(installation, "plan", {"el-bar": {"state": "in_sync", "templates": [seen]}})
    links = [{"name": "sender", "ok": True, "says": "ONLINE"}, {"name": "webhook", "ok": False, "says": "llama a otro"}]
    record(installation, "doctor", {"el-bar": {"state": "broken", "links": links}})
    cases = [{"name": "saluda", "state": "green"}, {"name": "reserva", "state": "red", "reasons": ["contains: mesa"]}]
    record(installation, "test", {"el-bar": {"state": "red", "cases": cases}})
    boxes = [{"section": "2. Asistente creado", "is_ticked": True, "text": "Tools: ninguna"}]
    record(installation, "checklist", {"el-bar": {"state": "done", "boxes": boxes}})

    page = text_of(ana.get("/console/clients/el-bar"))

    for said in (
        "Al día",
        "Aprobada",
        "se pidió otra; Meta la cambió",
        "webhook : cortada aquí llama a otro",
        "1 de 2 casos bien",
        "reserva contains: mesa",
        "Tools: ninguna",
        "USD 40",
        "no responder más",
        "Mensajes 180d",
    ):
        assert said in page, said
    assert "Approved" in text_of(ana.get("/console/clients/el-bar?lang=en"))
    ana.get("/console?lang=es")


def test_an_older_result_does_not_replace_a_newer_one(installation: Runtime, ana: Browser) -> None:
    declare(installation, "panaderia")
    record(installation, "drift", {"panaderia": {"state": "differs"}})
    record(installation, "drift", {"panaderia": {"state": "in_sync"}}, at=timestamp(time.time() - 3600))
    assert "Difiere" in text_of(ana.get("/console/clients/panaderia"))


def test_reading_a_client_s_page_is_in_the_audit(installation: Runtime, ana: Browser) -> None:
    ana.get("/console/clients/hostal-mar")
    found = rows(
        installation,
        "SELECT DISTINCT action, via FROM audit WHERE actor = 'ana@horizonai.cl' AND client = 'hostal-mar'",
    )
    assert found == [("read", "console")]


@pytest.fixture(scope="module")
def applied(installation: Runtime) -> str:
    """An apply of both clients, and a plan after it."""
    changes = [
        {"client": client, "kind": "bot", "action": "update", "key": client, "outcome": outcome, "error": None}
        for client, outcome in (("la-cocina", "applied"), ("la-cocina", "failed"), ("hostal-mar", "applied"))
    ]
    run = {
        "id": RUN,
        "started_at": "2026-11-29T12:00:00Z",
        "actor": "camila@ci",
        "digest": "0" * 64,
        "git_sha": SHA,
        "finished_at": "2026-11-29T12:01:00Z",
        "outcome": "partial",
        "changes": changes,
    }
    reconciled(installation, "POST", "/reconcile/runs", run)
    record(installation, "apply", {"la-cocina": {"state": "differs"}}, run=RUN, is_whole_run=True, document=DOCUMENT)
    counts = {"clients": 2, "create": 0, "update": 3, "delete": 0}
    waiting = {"la-cocina": {"state": "differs", "changes": [change("bot")]}, "hostal-mar": {"state": "in_sync"}}
    record(installation, "plan", waiting, counts=counts, is_whole_run=True, document=DOCUMENT)
    return RUN


def test_the_plans_page_has_the_last_plan_who_applied_and_what_is_pending(ana: Browser, applied: str) -> None:
    answer = ana.get("/console/plans")
    page = text_of(answer)
    assert "Por actualizar 3" in page
    assert "Aplicado en parte · 1 cambio falló" in page
    assert "camila@ci" in page
    assert "la-cocina Difiere · 1" in page
    assert '<iframe class="document" src="/console/plans/document"' in answer.body.decode()
    assert answer.headers["content-security-policy"].endswith("frame-src 'self'")
    assert f'src="/console/plans/document?run={applied}"' in ana.get(f"/console/plans?run={applied}").body.decode()
    assert ana.get(f"/console/plans?run={'b' * 32}").status == 404


def test_the_recorded_document_can_only_be_read(ana: Browser, applied: str) -> None:
    for path in ("/console/plans/document", f"/console/plans/document?run={applied}"):
        answer = ana.get(path)
        assert (answer.status, answer.body.decode()) == (200, DOCUMENT)
        policy = answer.headers["content-security-policy"].split("; ")
        assert {"default-src 'none'", "frame-ancestors 'self'", "sandbox"} <= set(policy)
        assert not any(rule.startswith("script-src") for rule in policy)
    assert ana.get(f"/console/plans/document?run={'b' * 32}").status == 404
    assert ana.get("/console/plans/document?run=../x").status == 404


def test_who_sees_one_client_sees_what_was_applied_to_it_only(luis: Browser, applied: str) -> None:
    answer = luis.get("/console/plans")
    page = text_of(answer)
    assert "camila@ci" in page
    assert "cambio falló" not in page
    assert "la-cocina" not in answer.body.decode()
    assert "<iframe" not in answer.body.decode()
    assert luis.get(f"/console/plans?run={applied}").status == 404
    assert luis.get("/console/plans/document").status == 404
    assert luis.get("/console/clients/la-cocina").status == 404
    assert luis.get("/console/clients/hostal-mar").status == 200


@pytest.mark.parametrize(
    ("folder", "edit", "commit"),
    [
        (FORGE, "https://github.com/horizonai/clientes/edit/main/clients.d/a.yaml", "/horizonai/clientes/commit/"),
        (
            "https://gitlab.com/grupo/sub/clientes/-/tree/main/clients.d",
            "https://gitlab.com/grupo/sub/clientes/-/edit/main/clients.d/a.yaml",
            "/grupo/sub/clientes/-/commit/",
        ),
        (
            "https://codeberg.org/h/c/src/branch/main/clients.d",
            "https://codeberg.org/h/c/_edit/main/clients.d/a.yaml",
            "/h/c/commit/",
        ),
    ],
)
def test_forges(folder: str, edit: str, commit: str) -> None:
    forge = Forge(folder)
    assert forge.manifest("clients.d/a.yaml") == f"{folder}/a.yaml"
    assert forge.edit("clients.d/a.yaml") == edit
    assert (forge.commit(SHA) or "").endswith(commit + SHA)
    assert forge.commit("no es un commit") is None


def test_where_the_forge_is_not_known_there_is_no_page_that_edits() -> None:
    assert Forge("https://git.example.cl/x").edit("clients.d/a.yaml") is None
    assert Forge(None).manifest("clients.d/a.yaml") is None
    assert Forge(FORGE).manifest(None) is None
