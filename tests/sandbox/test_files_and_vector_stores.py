"""Files, vector stores and what a model finds in them."""

from pathlib import Path
from typing import Any

import openai as sdk
import pytest
from openai import OpenAI
from openai.types import vector_store_create_params
from pydantic import TypeAdapter

from tests.documents.browser import needs_browser, printed
from tests.sandbox.conftest import error_of
from tests.sandbox.pdf import pdf_of
from tests.sandbox_process import Sandbox, wait_until

PDF = pdf_of("Cazuela")
MENU = b"Empanadas de pino a 3500 pesos.\n\nPastel de choclo a 8900 pesos.\n\nHorario: de 12 a 23 horas."


def upload(client: OpenAI, name: str = "menu.md", content: bytes = MENU) -> str:
    return client.files.create(file=(name, content), purpose="assistants").id


def store_with(client: OpenAI, *file_ids: str, **more: Any) -> str:
    body = {"name": "la-cocina", "file_ids": list(file_ids), "metadata": {"client": "la-cocina"}, **more}
    TypeAdapter(vector_store_create_params.VectorStoreCreateParams).validate_python(body)
    return client.vector_stores.create(**body).id


def test_an_uploaded_file_keeps_its_bytes(openai: OpenAI) -> None:
    content = bytes(range(256)) * 3 + b"\r\n--\r\n"
    file_id = upload(openai, "datos.md", content)
    file = openai.files.retrieve(file_id)
    assert (file.bytes, file.filename, file.purpose) == (len(content), "datos.md", "assistants")
    assert openai.files.content(file_id).read() == content


def test_a_deleted_file_is_gone_everywhere(openai: OpenAI) -> None:
    file_id = upload(openai)
    store = store_with(openai, file_id)
    openai.files.delete(file_id)
    assert openai.files.list().data == []
    assert openai.vector_stores.files.list(store).data == []
    with pytest.raises(sdk.NotFoundError, match="No such File object"):
        openai.files.content(file_id)


def test_files_are_listed_by_purpose_and_page(openai: OpenAI) -> None:
    first, second = upload(openai), upload(openai)
    openai.files.create(file=("x.md", b"x"), purpose="user_data")
    assert [file.id for file in openai.files.list(purpose="assistants", limit=1, order="asc")] == [first, second]


def test_a_file_can_expire(openai: OpenAI) -> None:
    expiry: Any = {"anchor": "created_at", "seconds": 3600}
    file = openai.files.create(file=("x.md", b"x"), purpose="user_data", expires_after=expiry)
    assert file.expires_at == file.created_at + 3600


def test_a_purpose_openai_does_not_know_is_refused(openai: OpenAI) -> None:
    purpose: Any = "fun"
    with pytest.raises(sdk.BadRequestError) as caught:
        openai.files.create(file=("x.md", b"x"), purpose=purpose)
    assert error_of(caught.value)["param"] == "purpose"


def test_a_store_counts_its_files_and_keeps_its_metadata(openai: OpenAI) -> None:
    store_id = store_with(openai, upload(openai), expires_after={"anchor": "last_active_at", "days": 7})
    store = openai.vector_stores.retrieve(store_id)
    assert store.status == "completed"
    assert (store.file_counts.completed, store.file_counts.total, store.usage_bytes) == (1, 1, len(MENU))
    changed = openai.vector_stores.update(store_id, name="otro", expires_after=None)
    assert (changed.name, changed.metadata, changed.expires_at) == ("otro", {"client": "la-cocina"}, None)
    assert [item.id for item in openai.vector_stores.list()] == [store_id]
    openai.vector_stores.delete(store_id)
    with pytest.raises(sdk.NotFoundError):
        openai.vector_stores.retrieve(store_id)


def test_indexing_takes_the_time_it_was_told(openai: OpenAI, sandbox: Sandbox) -> None:
    sandbox.settings(index_seconds=0.3)
    store = store_with(openai, upload(openai))
    assert openai.vector_stores.retrieve(store).status == "in_progress"
    assert openai.vector_stores.search(store, query="empanadas").data == []
    wait_until(lambda: openai.vector_stores.retrieve(store).status == "completed")


@pytest.mark.parametrize(("name", "content"), [("vacio.md", b""), ("menu.pdf", b"no es un PDF")])
def test_an_empty_or_damaged_file_fails_to_be_indexed(openai: OpenAI, name: str, content: bytes) -> None:
    store = store_with(openai, upload(openai, name, content))
    file = openai.vector_stores.files.list(store, filter="failed").data[0]
    assert file.last_error is not None
    assert file.last_error.code == "invalid_file"


def test_a_kind_of_file_that_cannot_be_searched_is_refused(openai: OpenAI) -> None:
    with pytest.raises(sdk.BadRequestError) as caught:
        store_with(openai, upload(openai, "foto.png", b"x"))
    assert error_of(caught.value)["code"] == "unsupported_file"


def test_attributes_narrow_a_search(openai: OpenAI) -> None:
    store = store_with(openai)
    attributes: Any = {"client": "la-cocina", "version": 2}
    file_id = upload(openai)
    openai.vector_stores.files.create(store, file_id=file_id, attributes=attributes)
    openai.vector_stores.files.create(store, file_id=upload(openai), attributes={"client": "otro"})
    same: Any = {"type": "eq", "key": "client", "value": "la-cocina"}
    newer: Any = {"type": "gt", "key": "version", "value": 1}
    both: Any = {"type": "and", "filters": [same, newer]}
    found = openai.vector_stores.search(store, query="empanadas de pino", filters=both).data
    assert [(item.file_id, item.content[0].text) for item in found] == [(file_id, "Empanadas de pino a 3500 pesos.")]
    changed: Any = {"client": "nadie"}
    openai.vector_stores.files.update(file_id, vector_store_id=store, attributes=changed)
    assert openai.vector_stores.search(store, query="empanadas", filters=same).data == []


def test_files_in_a_batch_share_their_attributes(openai: OpenAI) -> None:
    store = store_with(openai)
    ids = [upload(openai), upload(openai)]
    batch = openai.vector_stores.file_batches.create(store, file_ids=ids, attributes={"client": "la-cocina"})
    assert (batch.status, batch.file_counts.completed) == ("completed", 2)
    files = openai.vector_stores.file_batches.list_files(batch.id, vector_store_id=store, order="asc").data
    assert [(file.id, file.attributes) for file in files] == [(key, {"client": "la-cocina"}) for key in ids]


def test_chunking_comes_back_as_numbers(openai: OpenAI) -> None:
    store = store_with(openai, upload(openai))
    strategy = openai.vector_stores.files.list(store).data[0].chunking_strategy
    assert strategy is not None
    assert strategy.type == "static"
    assert strategy.static.max_chunk_size_tokens == 800


def test_a_model_quotes_what_it_finds_and_cites_the_file(openai: OpenAI) -> None:
    file_id = upload(openai)
    tool: Any = {"type": "file_search", "vector_store_ids": [store_with(openai, file_id)]}
    asked: Any = {"model": "gpt-6-luna", "input": "¿a cuánto el pastel de choclo?", "tools": [tool]}
    response = openai.responses.create(**asked, include=["file_search_call.results"])
    search, message = response.output
    assert search.type == "file_search_call"
    assert search.results
    assert message.type == "message"
    assert "según los documentos: Pastel de choclo a 8900 pesos." in response.output_text
    part = message.content[0]
    assert part.type == "output_text"
    assert part.annotations[0].type == "file_citation"
    assert part.annotations[0].file_id == file_id


def test_text_in_a_pdf_is_found_that_is_written_in_the_glyphs_of_its_font(openai: OpenAI) -> None:
    store = store_with(openai, upload(openai, "menu.pdf", pdf_of("Cazuela de vacuno, ñandú a $7.200")))
    (found,) = openai.vector_stores.search(store, query="cazuela").data
    assert found.content[0].text == "Cazuela de vacuno, ñandú a $7.200"


@needs_browser
def test_text_in_a_pdf_that_a_browser_printed_is_found(openai: OpenAI, tmp_path: Path) -> None:
    page = tmp_path / "carta.html"
    page.write_text("<meta charset=utf-8><h1>Carta</h1><p>Cazuela de vacuno a $7.200<p>Pastel de choclo a $8.900")
    store = store_with(openai, upload(openai, "carta.pdf", printed(page, tmp_path / "profile")))
    assert "Pastel de choclo a $8.900" in openai.vector_stores.search(store, query="choclo").data[0].content[0].text


@pytest.mark.parametrize("content", [b"%PDF-1.4", PDF[:400], PDF.replace(b"/Kids [3", b"/Kids [2")])
def test_a_broken_pdf_has_no_words(openai: OpenAI, content: bytes) -> None:
    store = store_with(openai, upload(openai, "menu.pdf", content))
    assert openai.vector_stores.search(store, query="cazuela").data == []


def test_a_search_in_a_store_that_is_gone_is_refused(openai: OpenAI) -> None:
    tool: Any = {"type": "file_search", "vector_store_ids": ["vs_none"]}
    with pytest.raises(sdk.NotFoundError):
        openai.responses.create(model="gpt-6-luna", input="hola", tools=[tool])
