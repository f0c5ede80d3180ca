"""What is said in a recording: `gpt-transcribe` of OpenAI. The caller decides whether it is worth its price, and notes
the result, so that nothing is paid twice.

Facts: autumn 2026, https://developers.openai.com/api/docs/guides/speech-to-text. Formats that it takes are FORMATS; no
language in the answer means that nothing was recognised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import structlog

from runtime.engines.errors import from_call
from runtime.engines.measured import PROVIDER
from runtime.engines.responses_api import CallRefused, ModelApi, UnreadableAnswer
from runtime.observability.metrics import Metrics
from runtime.observability.tracing import span
from runtime.resilience.breakers import Breakers, CallScope

MODEL: Final = "gpt-transcribe"
FORMATS: Final = {"audio/ogg": "nota.ogg", "audio/mpeg": "audio.mp3", "audio/mp4": "audio.m4a"}
"""Content types whose duration is known in advance, with the name that is sent: the server looks at its extension."""
HINTS: Final = ("keywords[]", "languages[]")
"""Parameters that help, and without which a recording is transcribed too."""

log = structlog.get_logger("runtime.engines")


@dataclass(frozen=True, slots=True)
class AudioRecording:
    """A file to transcribe."""

    path: Path
    content_type: str
    milliseconds: int
    languages: Sequence[str] = ()
    """ISO 639-1; those that it may be in."""
    keywords: Sequence[str] = ()
    """Names that may be in it: dishes, people, streets."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was heard."""

    text: str
    """Empty where nothing was recognised."""
    milliseconds: int
    """What is charged for."""


class Transcriber:
    """Transcribes recordings."""

    def __init__(self, api: ModelApi, breakers: Breakers, metrics: Metrics) -> None:
        self._api = api
        self._breakers = breakers
        self._metrics = metrics

    async def transcribe(self, recording: AudioRecording, client: str, turn_id: int, deadline: float) -> Transcript:
        """What is said in a recording. Raises PermanentError or TemporaryError; `deadline`: a time of
        `time.monotonic`."""
        async with self._breakers.passing(CallScope(PROVIDER, client=client, model=MODEL), deadline):
            with span("transcription", "client", client=client, turn=turn_id, model=MODEL):
                try:
                    document = await self._asked(recording)
                except (CallRefused, aiohttp.ClientError, TimeoutError, UnreadableAnswer) as error:
                    self._metrics.provider_error(PROVIDER, error)
                    raise from_call(error, MODEL) from error
        is_recognised = document.get("languages", True) != []
        return Transcript(document["text"].strip() if is_recognised else "", _charged(document, recording))

    async def _asked(self, recording: AudioRecording) -> dict[str, Any]:
        try:
            return await self._once(recording, hints=True)
        except CallRefused as refused:
            named = f"{refused.param} {refused.message}"
            if refused.status_code not in (400, 422) or not any(hint.strip("[]") in named for hint in HINTS):
                raise
            log.warning("transcription_hints_refused", error=str(refused))
            return await self._once(recording, hints=False)

    async def _once(self, recording: AudioRecording, *, hints: bool) -> dict[str, Any]:
        form = aiohttp.FormData(quote_fields=False)
        form.add_field("model", MODEL)
        form.add_field("response_format", "json")
        if hints:
            for name, values in (("languages[]", recording.languages), ("keywords[]", recording.keywords)):
                for value in values:
                    form.add_field(name, value)
        with recording.path.open("rb") as file:
            name = FORMATS[recording.content_type]
            form.add_field("file", file, filename=name, content_type=recording.content_type)
            return await self._api.transcribe(form)


def _charged(document: dict[str, Any], recording: AudioRecording) -> int:
    """Milliseconds that OpenAI says it charges for (`usage: {type: duration, seconds}`); else those of the file."""
    usage = document.get("usage")
    seconds = usage.get("seconds") if isinstance(usage, dict) else None
    return round(seconds * 1000) if isinstance(seconds, (int, float)) else recording.milliseconds
