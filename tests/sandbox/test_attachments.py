"""Pictures and documents in a response's input: seen by their bytes, paid for by their size, refused as OpenAI does."""

import hashlib
from base64 import b64encode
from typing import Any

import openai as sdk
import pytest
from openai import OpenAI

from tests import media_files
from tests.sandbox.conftest import error_of
from tests.sandbox.test_models_and_responses import MODEL, ask
from tests.sandbox_process import Sandbox

PHOTO = media_files.jpeg(640, 480, "receta")
MENU = media_files.pdf("Cazuela a 6.900", pages=3)
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def data_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{b64encode(content).decode()}"


def picture(content: bytes = PHOTO, kind: str = "image/jpeg", detail: str = "low") -> dict[str, Any]:
    return {"type": "input_image", "detail": detail, "image_url": data_url(kind, content)}


def document(
    content: bytes = MENU, kind: str = "application/pdf", name: str = "menu.pdf", **more: Any
) -> dict[str, Any]:
    return {"type": "input_file", "filename": name, "file_data": data_url(kind, content), **more}


def said(*parts: dict[str, Any], text: str = "¿Qué es esto?") -> Any:
    return [{"role": "user", "content": [{"type": "input_text", "text": text}, *parts]}]


def refusal(client: OpenAI, *parts: dict[str, Any], model: str = MODEL) -> dict[str, Any]:
    with pytest.raises(sdk.APIStatusError) as caught:
        client.responses.create(model=model, input=said(*parts))
    return {**error_of(caught.value), "status": caught.value.status_code}


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


@pytest.mark.parametrize(
    ("content", "kind", "shown"),
    [
        (PHOTO, "image/jpeg", "jpeg 640x480"),
        (media_files.png(100, 50), "image/png", "png 100x50"),
        (media_files.webp(512, 300), "image/webp", "webp 512x300"),
        (media_files.gif(), "image/gif", "gif 8x8"),
        (PHOTO, "image/png", "jpeg 640x480"),
    ],
)
def test_a_picture_is_seen_by_its_bytes(openai: OpenAI, content: bytes, kind: str, shown: str) -> None:
    text = ask(openai, said(picture(content, kind))).output_text
    assert f"¿Qué es esto? (imagen {shown}, {digest(content)})" in text


@pytest.mark.parametrize(
    ("content", "kind", "name", "shown"),
    [
        (MENU, "application/pdf", "menu.pdf", "3 páginas, {}: Cazuela a 6.900 Cazuela a 6.900"),
        (media_files.docx("Pedido de Ana"), DOCX, "pedido.docx", "bytes, {}: Pedido de Ana"),
        (media_files.xlsx([["plato", "6900"]]), XLSX, "precios.xlsx", "bytes, {}: plato 6900"),
        (b"plato,precio\ncazuela,6900\n", "text/csv", "precios.csv", "26 bytes, {}: plato,precio cazuela,6900"),
    ],
)
def test_a_document_is_read_by_its_bytes(openai: OpenAI, content: bytes, kind: str, name: str, shown: str) -> None:
    text = ask(openai, said(document(content, kind, name))).output_text
    assert f"(archivo {name}, " in text
    assert shown.format(digest(content)) in text


def tokens(client: OpenAI, *parts: dict[str, Any]) -> int:
    usage = ask(client, said(*parts)).usage
    assert usage is not None
    counted = client.responses.input_tokens.count(model=MODEL, input=said(*parts))
    assert usage.input_tokens == counted.input_tokens
    return int(usage.input_tokens)


def test_detail_is_paid_for(openai: OpenAI) -> None:
    big = media_files.jpeg(2048, 2048)
    low, high = (tokens(openai, picture(big, detail=detail)) for detail in ("low", "high"))
    assert high - low == 1_536 - 256
    pages = [tokens(openai, document(detail=detail)) for detail in ("low", "high")]
    assert pages[1] - pages[0] == 3 * (1_100 - 256)


@pytest.mark.parametrize(
    ("part", "code", "param"),
    [
        (picture(media_files.pdf(), "application/pdf"), "invalid_value", "input[0].content[1].image_url"),
        (picture(b""), "invalid_value", "input[0].content[1].image_url"),
        (
            {"type": "input_image", "image_url": "data:image/png;base64,ñ"},
            "invalid_value",
            "input[0].content[1].image_url",
        ),
        ({"type": "input_image", "image_url": "foto.png"}, "invalid_value", "input[0].content[1].image_url"),
        ({"type": "input_image", "detail": "low"}, "missing_required_parameter", "input[0].content[1].image_url"),
        (picture(detail="max"), "invalid_value", "input[0].content[1].detail"),
        (picture(b"<svg/>", "image/svg+xml"), "image_parse_error", "input"),
        (picture(PHOTO[: len(PHOTO) // 2]), "image_parse_error", "input"),
        (picture(media_files.animated_webp(), "image/webp"), "invalid_image_format", "input"),
        (picture(media_files.gif(animated=True), "image/gif"), "invalid_image_format", "input"),
        (document(media_files.voice_note(), "audio/ogg", "nota.ogg"), "invalid_value", "input[0].content[1].file_data"),
        (document(PHOTO, "image/jpeg", "foto.jpg"), "invalid_value", "input[0].content[1].file_data"),
        (document(b"no es un PDF"), "invalid_file", "input"),
        (document(MENU[:400]), "invalid_file", "input"),
        (document(media_files.docx()[:400], DOCX, "x.docx"), "invalid_file", "input"),
        (document(b"no es un docx", DOCX, "x.docx"), "invalid_file", "input"),
        ({"type": "input_file", "filename": "x.pdf"}, "missing_required_parameter", "input[0].content[1].file_data"),
        (document(detail="original"), "invalid_value", "input[0].content[1].detail"),
    ],
)
def test_what_openai_cannot_read_is_refused(openai: OpenAI, part: dict[str, Any], code: str, param: str) -> None:
    found = refusal(openai, part)
    assert (found["status"], found["code"], found["param"]) == (400, code, param)


def test_a_picture_longer_than_20_mib_of_base64_is_refused(openai: OpenAI) -> None:
    found = refusal(openai, picture(PHOTO + bytes(16 * 2**20)))
    assert (found["code"], found["param"]) == ("string_above_max_length", "input[0].content[1].image_url")


def test_files_beyond_50_mib_together_are_refused(openai: OpenAI) -> None:
    part = document(MENU + bytes(26 * 2**20))
    assert "at most 52428800 bytes" in refusal(openai, part, part)["message"]


def test_a_stored_file_has_to_be_there(openai: OpenAI) -> None:
    stored = openai.files.create(file=("menu.pdf", MENU), purpose="user_data")
    assert "(archivo)" in ask(openai, said({"type": "input_file", "file_id": stored.id})).output_text
    assert refusal(openai, {"type": "input_file", "file_id": "file-none"})["status"] == 404
    assert refusal(openai, {"type": "input_image", "file_id": "file-none", "detail": "low"})["status"] == 404


def test_a_model_of_words_only_takes_neither(openai: OpenAI, sandbox: Sandbox) -> None:
    sandbox.settings(words_only_model="gpt-5.4-mini")
    for part, what in ((picture(), "image_url"), (document(), "file")):
        found = refusal(openai, part, model="gpt-5.4-mini")
        assert found["message"] == f"Invalid content type. {what} is only supported by certain models."
    assert "(imagen jpeg" in ask(openai, said(picture())).output_text


def test_a_picture_that_a_function_returns_is_seen_too(openai: OpenAI) -> None:
    call: dict[str, Any] = {"type": "function_call", "call_id": "call_1", "name": "foto", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "call_1", "output": [picture()]}
    assert (
        "resultado: (imagen jpeg 640x480"
        in ask(openai, [{"role": "user", "content": "hola"}, call, output]).output_text
    )
