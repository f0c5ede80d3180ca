"""Speech to text: what is heard comes from the bytes, and costs by the second."""

import math
from typing import Any

import openai as sdk
import pytest
from openai import OpenAI

from tests import media_files
from tests.sandbox.conftest import error_of
from tests.sandbox_process import Sandbox

MODEL = "gpt-transcribe"
NOTE = media_files.voice_note("Una mesa para cuatro, por favor", 12.4)


def transcribe(client: OpenAI, content: bytes, name: str = "nota.ogg", **more: Any) -> Any:
    body: dict[str, Any] = {"model": MODEL, **more}
    return client.audio.transcriptions.create(file=(name, content, "audio/ogg"), **body)


def refusal(client: OpenAI, content: bytes = NOTE, name: str = "nota.ogg", **more: Any) -> dict[str, Any]:
    with pytest.raises(sdk.APIStatusError) as caught:
        transcribe(client, content, name, **more)
    return {**error_of(caught.value), "status": caught.value.status_code}


def test_a_voice_note_is_written_down_with_its_language_and_its_length(openai: OpenAI) -> None:
    written = transcribe(openai, NOTE)
    assert written.text == "Una mesa para cuatro, por favor"
    assert [language.code for language in written.languages] == ["es"]
    assert (written.usage.type, written.usage.seconds) == ("duration", 13)


def test_what_is_heard_follows_from_the_bytes_and_not_from_the_name(openai: OpenAI) -> None:
    first, second = media_files.voice_note(seconds=2), media_files.voice_note(seconds=2.5)
    heard = transcribe(openai, first).text
    assert heard != transcribe(openai, second).text
    assert heard == transcribe(openai, first, "otra.ogg").text


def test_nothing_is_heard_in_what_says_nothing(openai: OpenAI) -> None:
    written = transcribe(openai, media_files.voice_note(""))
    assert (written.text, written.languages) == ("", [])


def test_the_hints_are_in_the_ledger(openai: OpenAI, sandbox: Sandbox) -> None:
    keywords = ["cazuela", "charquicán"]
    written = transcribe(openai, NOTE, languages=["pt", "es"], keywords=keywords, prompt="Restaurante")
    assert [language.code for language in written.languages] == ["pt"]
    [call] = sandbox.calls("openai", "POST")
    form = call["form"]
    assert (form["languages[]"], form["keywords[]"], form["prompt"]) == (["pt", "es"], keywords, ["Restaurante"])
    assert (form["file"][0]["filename"], form["file"][0]["bytes"]) == ("nota.ogg", len(NOTE))


def test_a_minute_costs_what_the_price_list_says(openai: OpenAI, sandbox: Sandbox) -> None:
    transcribe(openai, media_files.voice_note(seconds=60))
    [charge] = sandbox.prices()
    assert (charge["kind"], charge["model"], charge["quantity"]) == ("transcription", MODEL, 60)
    assert charge["amount"] == 4_500_000  # 0.0045 USD


def test_other_formats_are_heard_too(openai: OpenAI) -> None:
    assert transcribe(openai, media_files.wav(3), "nota.wav").usage.seconds == 3
    assert transcribe(openai, b"ID3" + bytes(8_000), "nota.mp3").text


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (media_files.amr(), "nota.amr", "unsupported_value"),
        (media_files.mp4(), "nota.3gp", "unsupported_value"),
        (media_files.amr(), "nota.ogg", "invalid_value"),
        (NOTE[: len(NOTE) // 2], "nota.ogg", "invalid_value"),
        (b"", "nota.ogg", "invalid_value"),
        (media_files.voice_note("hola", 0.05), "nota.ogg", "audio_too_short"),
    ],
)
def test_what_cannot_be_heard_is_refused(openai: OpenAI, content: bytes, name: str, code: str) -> None:
    found = refusal(openai, content, name)
    assert (found["status"], found["code"], found["param"]) == (400, code, "file")


def test_a_body_beyond_25_mib_is_refused(openai: OpenAI) -> None:
    found = refusal(openai, NOTE + bytes(25 * 2**20))
    assert (found["status"], found["type"]) == (413, "server_error")
    assert found["message"].startswith("Maximum content size limit (26214400) exceeded (")


@pytest.mark.parametrize(
    ("more", "param", "code"),
    [
        ({"languages": ["español"]}, "languages", "invalid_value"),
        ({"response_format": "verbose_json"}, "response_format", "unsupported_value"),
        ({"model": "gpt-6-luna"}, "model", "unsupported_value"),
        ({"model": "whisper-1", "keywords": ["cazuela"]}, "keywords", "unsupported_value"),
        ({"model": "gpt-transcribe-9"}, "model", "model_not_found"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(openai: OpenAI, more: dict[str, Any], param: str, code: str) -> None:
    found = refusal(openai, **more)
    assert (found["param"], found["code"]) == (param, code)


def test_older_models_answer_in_their_way(openai: OpenAI) -> None:
    old = transcribe(openai, NOTE, model="gpt-4o-transcribe")
    assert (old.usage.type, old.usage.input_tokens, old.languages) == ("tokens", math.ceil(12.4) * 10, None)
    assert transcribe(openai, NOTE, model="whisper-1").usage.type == "duration"
