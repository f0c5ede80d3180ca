"""Which messages are nothing but the word that ends proactive messages, or allows them again."""

from __future__ import annotations

import pytest

from runtime.content.opting import opting_of
from runtime.content.parts import ButtonReply, Content, Flow, Image, ListReply, Part, Text


@pytest.mark.parametrize(
    ("parts", "opting"),
    [
        *(
            ((Text(text),), "out")
            for text in ("STOP", "stop", "Baja", "¡BAJA!", "bája.", " «Baja» ", "Stop 🙏", "ＳＴＯＰ")
        ),
        *(((Text(text),), "in") for text in ("START", "alta", "¡Alta!")),
        ((ButtonReply("Baja", "no_mas"),), "out"),
        *(
            ((Text(text),), None)
            for text in (
                "",
                "...",
                "quiero dar de baja mi reserva",
                "baja baja",
                "bajar",
                "nonstop",
                "stop it",
                "alta cocina",
                "!" * 13 + "stop",
            )
        ),
        ((Text("baja"), Image("u", "image/png")), None),
        ((ListReply("Baja", "piso_bajo"),), None),
        ((Flow("stop"),), None),
    ],
)
def test_only_the_word_alone_opts_out_or_in(parts: tuple[Part, ...], opting: str | None) -> None:
    assert opting_of(Content(parts)) == opting
