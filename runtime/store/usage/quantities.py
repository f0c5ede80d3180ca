"""What one call of a model used, as its provider counted it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from schemas.prices import ModelKind


@dataclass(frozen=True, slots=True)
class Usage:
    """A number of tokens, of searches in the web and in documents, and of milliseconds of audio."""

    input_tokens: int = 0
    """All of them: those that were read from the cache or written to it are among them."""
    cached_tokens: int = 0
    output_tokens: int = 0
    cache_write_tokens: int = 0
    web_searches: int = 0
    file_searches: int = 0
    audio_milliseconds: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.cached_tokens + other.cached_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.web_searches + other.web_searches,
            self.file_searches + other.file_searches,
            self.audio_milliseconds + other.audio_milliseconds,
        )

    def quantities(self) -> dict[ModelKind, int]:
        """What is charged for, each sort by itself; without those of which there are none."""
        counted: dict[ModelKind, int] = {
            "model_input": max(self.input_tokens - self.cached_tokens - self.cache_write_tokens, 0),
            "model_cached": self.cached_tokens,
            "model_cache_write": self.cache_write_tokens,
            "model_output": self.output_tokens,
            "web_search": self.web_searches,
            "file_search": self.file_searches,
            "transcription": self.audio_milliseconds,
        }
        return {kind: quantity for kind, quantity in counted.items() if quantity > 0}

    def as_json(self) -> dict[str, int]:
        """The fields that are not 0."""
        return {field.name: value for field in fields(Usage) if (value := getattr(self, field.name))}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Usage:
        """The reverse; fields that this program does not know are ignored."""
        return cls(**{field.name: int(stored[field.name]) for field in fields(cls) if field.name in stored})


@dataclass(frozen=True, slots=True)
class Spent:
    """One call of a model."""

    model: str
    usage: Usage
