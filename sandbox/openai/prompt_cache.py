"""Which beginnings of prompts a model has seen lately, as far as usage and cost depend on it.

OpenAI: a prompt of 1,024 tokens or more is cached in blocks of 128 for 30 minutes after its last use. A request that
begins the same reads that part from the cache, at a tenth of the price, and writes the rest; models before gpt-5.6
charge nothing for writing. Like any cache it does not survive a restart.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sandbox import answers

_LEAST = 1_024
_BLOCK = 128
_SECONDS = 30 * 60
_MOST = 20_000
"""Beginnings that are kept; the oldest are dropped first."""


@dataclass(frozen=True, slots=True)
class InputTokens:
    """A request's input: how much of it there is, was read from the cache and was written to it."""

    total: int
    cached: int = 0
    written: int = 0


class PromptCache:
    """The beginnings that are cached, each until it expires."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._used: dict[str, float] = {}
        """Digest of a beginning → when it was last used, the oldest first."""

    def clear(self) -> None:
        self._used.clear()

    def read(self, model: str, key: str, texts: Iterable[str]) -> InputTokens:
        """Counts a prompt, given as the texts of which it consists, and caches it. `key` is the caller's
        `prompt_cache_key`.
        """
        parts = list(texts)
        total = sum(map(answers.tokens, parts))
        if total < _LEAST:
            return InputTokens(total)
        now, known, seen = self._now(), 0, 0
        digest = hashlib.sha256(f"{model}\0{key}".encode())
        for part in parts:
            digest.update(f"\0{part}".encode("utf-8", "surrogatepass"))
            seen += answers.tokens(part)
            if seen < _LEAST:
                continue
            used = self._used.pop(beginning := digest.hexdigest(), None)
            if used is not None and now - used <= _SECONDS:
                known = seen
            self._used[beginning] = now
        while len(self._used) > _MOST:
            del self._used[next(iter(self._used))]
        cached = known - known % _BLOCK
        written = total - total % _BLOCK - cached if _charges_writes(model) else 0
        return InputTokens(total, cached, written)


def _charges_writes(model: str) -> bool:
    return model.startswith(("gpt-6", "gpt-5.6"))
