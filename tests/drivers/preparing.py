"""`python -m tests.drivers.preparing serve --port N`: a runtime that has voice notes transcribed at TRANSCRIBER_URL."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass

import aiohttp

from runtime.app import Service
from runtime.commands.opening import configured
from runtime.content.parts import Part, Text, Voice
from runtime.turns.prepare import Preparation, Reading


@dataclass(frozen=True, slots=True)
class Transcriber:
    """Makes a text of a voice note, at a price."""

    url: str

    def reads(self, part: Part, _reading: Reading) -> bool:
        """See Preparer."""
        return isinstance(part, Voice)

    async def prepare(self, part: Part, preparation: Preparation) -> Part:
        """See Preparer."""
        if not isinstance(part, Voice):
            return part

        async def transcript() -> str:
            async with aiohttp.ClientSession() as session, session.post(self.url, data=part.url) as response:
                return await response.text()

        return Text(await preparation.once("transcript", transcript))


async def main() -> None:
    transcriber = Transcriber(os.environ["TRANSCRIBER_URL"])
    async with Service(configured(), "127.0.0.1", int(sys.argv[-1]), [transcriber]) as address:
        print(f"runtime  {address.url}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
