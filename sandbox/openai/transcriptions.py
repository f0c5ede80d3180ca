"""POST /v1/audio/transcriptions: speech to text, of whole files, as JSON.

The limits are those that OpenAI's answers state: 25 MiB for the whole body, the format by the name of the file and by
its bytes, a tenth of a second at least. What is said is found by `audio`.
"""

import asyncio
import hashlib
import math
import re
from typing import Final

from aiohttp import web

from sandbox import answers, metering
from sandbox.middleware import NOTED, answer
from sandbox.openai import audio, models
from sandbox.openai.audio import Recording
from sandbox.openai.multipart import Part, all_parts
from sandbox.openai.wire import error, invalid, missing
from sandbox.state import State
from sandbox.storage import Json

LARGEST_BODY: Final = 25 * 2**20
FORMATS: Final = ("flac", "m4a", "mp3", "mp4", "mpeg", "mpga", "oga", "ogg", "wav", "webm")
_SHORTEST = 0.1
_MODELS = ("gpt-transcribe", "gpt-4o-transcribe", "whisper-1")
_HINTS = ("languages", "keywords")
"""What gpt-transcribe takes, and no other model."""
_LANGUAGE = re.compile(r"[a-z]{2}")
_TOKENS_A_SECOND = 10


class Transcriptions:
    """The handler of /v1/audio/transcriptions."""

    def __init__(self, state: State) -> None:
        self._state = state

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/v1/audio/transcriptions", self.create)]

    async def create(self, request: web.Request) -> web.Response:
        body = await request.read()
        if len(body) > LARGEST_BODY:
            message = f"Maximum content size limit ({LARGEST_BODY}) exceeded ({len(body)} bytes read)"
            raise error(413, message, kind="server_error")
        parts = all_parts(body, request.headers.get("Content-Type", ""))
        request[NOTED] = {"form": _noted(parts)}
        model = _checked(parts)
        recording = _recording(parts["file"][0])
        await asyncio.sleep(self._state.settings.values.think_seconds)
        seconds = math.ceil(recording.seconds)
        if model != "gpt-4o-transcribe":
            metering.note(self._state.settings.values.project, model, {"transcription": seconds})
        return answer(_transcription(model, recording, seconds, _values(parts, "languages")))


def _transcription(model: str, recording: Recording, seconds: int, languages: list[str]) -> Json:
    usage: Json = {"type": "duration", "seconds": seconds}
    if model == "gpt-4o-transcribe":
        heard, said = seconds * _TOKENS_A_SECOND, answers.tokens(recording.said)
        details = {"input_token_details": {"audio_tokens": heard, "text_tokens": 0}}
        usage = {
            "type": "tokens",
            "input_tokens": heard,
            "output_tokens": said,
            "total_tokens": heard + said,
            **details,
        }
    written: Json = {"text": recording.said, "usage": usage}
    if model == "gpt-transcribe":
        written["languages"] = [{"code": code} for code in (languages[:1] or ["es"])] if recording.said else []
    return written


def _checked(parts: dict[str, list[Part]]) -> str:
    """The model of a request that OpenAI would accept."""
    for name in ("file", "model"):
        if name not in parts:
            raise missing(name)
    model = parts["model"][0].text
    models.require(model)
    if model not in _MODELS:
        raise invalid("model", f"The model '{model}' is not supported for transcription.", "unsupported_value")
    for name in _HINTS:
        if _values(parts, name) and model != "gpt-transcribe":
            raise invalid(
                name, f"Unsupported parameter: '{name}' is not supported with this model.", "unsupported_value"
            )
    for code in _values(parts, "languages"):
        if not _LANGUAGE.fullmatch(code):
            raise invalid(
                "languages", f"Invalid language '{code}'. Language parameter must be specified in ISO-639-1 format."
            )
    for form in _values(parts, "response_format"):
        if form != "json":
            message = f"response_format '{form}' is not compatible with model '{model}'. Use 'json' instead."
            raise invalid("response_format", message, "unsupported_value")
    if "true" in _values(parts, "stream"):
        raise invalid("stream", "This stand-in for the OpenAI API does not do 'stream'.", "unsupported_parameter")
    return model


def _values(parts: dict[str, list[Part]], name: str) -> list[str]:
    """The texts of a field, which is repeated where it is a list: `name` or `name[]`."""
    return [part.text for key in (name, f"{name}[]") for part in parts.get(key, [])]


def _recording(file: Part) -> Recording:
    name = file.filename or ""
    ending = name.rpartition(".")[2].lower() if "." in name else file.content_type.partition("/")[2].partition(";")[0]
    if ending not in FORMATS:
        raise invalid("file", f"Unsupported file format {ending}", "unsupported_value")
    recording = audio.read(file.content)
    if recording is None:
        raise invalid("file", "Audio file might be corrupted or unsupported")
    if recording.seconds < _SHORTEST:
        message = f"Audio file is too short. Minimum audio length is {_SHORTEST} seconds."
        raise invalid("file", message, "audio_too_short")
    return recording


def _noted(parts: dict[str, list[Part]]) -> Json:
    """The form as the ledger keeps it: files by their digest."""
    return {name: [_shown(part) for part in several] for name, several in parts.items()}


def _shown(part: Part) -> str | Json:
    if part.filename is None:
        return part.text
    digest = hashlib.sha256(part.content).hexdigest()
    return {"filename": part.filename, "type": part.content_type, "bytes": len(part.content), "sha256": digest}
