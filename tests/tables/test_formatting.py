"""Markdown that models write, as WhatsApp shows it: every mark, every trap, and that no word is lost."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runtime.delivery.formatting import label_text, whatsapp_text

MENU = """\
## Carta

**Cazuela**: $7.200

| Plato | Precio |
|---|---|
| Charquicán | $6.800 |

[Reserva aquí](https://lacocina.cl/reserva) ~~antes~~"""
ON_THE_PHONE = """\
*Carta*

*Cazuela*: $7.200

*Plato · Precio*
- Charquicán · $6.800

Reserva aquí: https://lacocina.cl/reserva ~antes~"""


def test_a_menu() -> None:
    assert whatsapp_text(MENU) == ON_THE_PHONE


@pytest.mark.parametrize(
    ("markdown", "shown"),
    [
        ("**Hola**", "*Hola*"),
        ("__Hola__", "*Hola*"),
        ("***Hola***", "*_Hola_*"),
        ("**a *b* c**", "*a _b_ c*"),
        ("¿**Hoy**? (**sí**), **$7.200**.", "¿*Hoy*? (*sí*), *$7.200*."),
        ("**Nota**bene", "Notabene"),
        ("**Nota**s.", "Notas."),
        ("**2 * 3**", "2 * 3"),
        ("~~antes~~ ahora", "~antes~ ahora"),
        ("**~~antes~~**", "*~antes~*"),
        ("``a b``", "`a b`"),
        (r"1\. \*no\* \_tampoco\_", "1. *no* _tampoco_"),
        ("uno<br>dos<br/>tres", "uno\ndos\ntres"),
        ("* **Cazuela**\n* Pastel", "* *Cazuela*\n* Pastel"),
        ("1. **Uno**\n   - **dos**\n     - tres", "1. *Uno*\n   - *dos*\n     - tres"),
        ("> **cita**", "> *cita*"),
    ],
)
def test_marks_inside_a_line(markdown: str, shown: str) -> None:
    assert whatsapp_text(markdown) == shown


@pytest.mark.parametrize(
    ("markdown", "shown"),
    [
        ("# Carta", "*Carta*"),
        ("###### Carta ###", "*Carta*"),
        ("## Carta ##  ", "*Carta*"),
        ("# Talla X#", "*Talla X*"),
        ("uno\n# Dos\ntres\ncuatro", "uno\n*Dos*\ntres\ncuatro"),
        ("Hola\nCarta\n=====\nfin", "Hola\n*Carta*\nfin"),
        ("Carta\n=====", "*Carta*"),
        ("# **Carta** de *hoy*", "*Carta de _hoy_*"),
        ("## Ver https://lacocina.cl", "Ver https://lacocina.cl"),
        ("Carta\n=====\nCazuela", "*Carta*\nCazuela"),
        ("uno\n\n---\n\ndos", "uno\n\ndos"),
        ("uno\n***\ndos", "uno\ndos"),
    ],
)
def test_headings_and_rules(markdown: str, shown: str) -> None:
    assert whatsapp_text(markdown) == shown


@pytest.mark.parametrize(
    ("markdown", "shown"),
    [
        ("[Reserva](https://x.cl/a?b=1).", "Reserva: https://x.cl/a?b=1."),
        ("[Reserva:](https://x.cl)", "Reserva: https://x.cl"),
        ("[Talla X](https://x.cl)", "Talla X: https://x.cl"),
        ("[Llama](https://x.cl/?a=tel:5)", "Llama: https://x.cl/?a=tel:5"),
        ("[http://x.cl](https://x.cl)", "https://x.cl"),
        ("[x.cl/X](https://x.cl/)", "x.cl/X: https://x.cl/"),
        ('[Reserva](https://x.cl "La página")', "Reserva: https://x.cl"),
        ("[**Reserva**](https://x.cl)", "*Reserva*: https://x.cl"),
        ("**[Reserva](https://x.cl)**", "*Reserva*: https://x.cl"),
        ("**https://x.cl**", "https://x.cl"),
        ("[https://www.x.cl/](https://x.cl)", "https://x.cl"),
        ("[Ana](https://es.wikipedia.org/wiki/Ana_(nombre))", "Ana: https://es.wikipedia.org/wiki/Ana_(nombre)"),
        ("![la carta](https://x.cl/a.png)", "la carta: https://x.cl/a.png"),
        ("![](https://x.cl/a.png)", "https://x.cl/a.png"),
        ("<https://x.cl> <mailto:a@x.cl>", "https://x.cl mailto:a@x.cl"),
        ("[a@x.cl](mailto:a@x.cl), [llámanos](tel:+56912345678)", "a@x.cl, llámanos: +56912345678"),
    ],
)
def test_links(markdown: str, shown: str) -> None:
    assert whatsapp_text(markdown) == shown


@pytest.mark.parametrize(
    ("markdown", "shown"),
    [
        ("|a|b|\n|:-:|--:|\n|1|2|", "*a · b*\n- 1 · 2"),
        ("a | b\n--- | ---\n1 | 2\n\nfin | de", "*a · b*\n- 1 · 2\n\nfin | de"),
        ("| **a** | b |\n|---|---|\n| **1** | [x](https://x.cl) |", "*a · b*\n- *1* · x: https://x.cl"),
        ("|a|b|\n|-|-|\n|uno<br>dos||", "*a · b*\n- uno / dos · –"),
        ("|a|b|\n|-|-|\n|x\\|y|2|", "*a · b*\n- x|y · 2"),
        ("|a|b|\n|-|-|\n|1|x\\|", "*a · b*\n- 1 · x|"),
        ("| | |\n|-|-|\n|1|2|", "- 1 · 2"),
        ("|a|b|\n|-|-|", "*a · b*"),
        ("|a|b|\n|-|-|\nfin", "*a · b*\nfin"),
        ("|a|b|c|\n|-|-|\n|1|2|", "|a|b|c|\n|-|-|\n|1|2|"),
    ],
    ids=[
        "aligned",
        "without outer bars",
        "with marks",
        "line break",
        "bar in a cell",
        "bar at the end of a cell",
        "no titles",
        "no rows",
        "no rows before a text",
        "no table",
    ],
)
def test_tables(markdown: str, shown: str) -> None:
    assert whatsapp_text(markdown) == shown


@pytest.mark.parametrize(
    ("markdown", "shown"),
    [
        ("```python\na = b**c**d\n# no\n```\n**fin**", "```\na = b**c**d\n# no\n```\n*fin*"),
        ("~~~\n**a**\n~~~", "```\n**a**\n```"),
        ("```\n**a**", "```\n**a**\n```"),
        ("```\n```\n**a**", "```\n```\n*a*"),
        ("````\n```\na\n````", "```\n```\na\n```"),
        ("``` dos palabras\na\n```", "```\ndos palabras\na\n```"),
        ("usa ```**a**``` o `**b**`", "usa ```**a**``` o `**b**`"),
    ],
    ids=["language", "tildes", "never closed", "empty", "fence in a fence", "words beside it", "in a line"],
)
def test_code_stays(markdown: str, shown: str) -> None:
    assert whatsapp_text(markdown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "2*3*4 = 24, y 2**3**4 también",
        "a_b_c, a__b__c, mi_archivo_final.pdf",
        "*ya en negrita* _ya en cursiva_ ~ya tachado~ `código`",
        "https://x.cl/a_b_c?d=**e**&f=__g__#h",
        "** Válido hasta agotar stock",
        "**Válido hasta agotar stock",
        "#1 en ventas, #2 en precio",
        "[nota](ver el anexo) y [1]",
        "5 < 6 > 4 | 3",
        "uno\n\n\ndos   tres\t.",
        "- uno\n  - dos\n+ tres\n10. cuatro",
        "C:\\dir \\n",
        "",
    ],
)
def test_what_is_no_markdown_stays_as_it_is(text: str) -> None:
    assert whatsapp_text(text) == text


plain = st.text(st.sampled_from("abcñÁ 0189.,;:¿?¡!()\n$%-'\"/@👍"), max_size=200)
marked = st.text(st.sampled_from("ab *_~`#[]()|\\\n->=.:1!<"), max_size=80)


@given(plain)
@example("a\n-\n-\n-")
def test_plain_text_is_never_changed(text: str) -> None:
    text = re.sub(r"(-\s*){3,}", "-", text)
    assert whatsapp_text(text) == text


@given(marked)
@example("``` a b\n|a|\n|-|")
def test_no_letter_is_lost_nor_changes_its_place(text: str) -> None:
    # The language of a fence is not for a person.
    text = re.sub(r"^\s*(```+|~~~+) ?[ab.#1-]+\s*$", r"\1", text, flags=re.MULTILINE)
    assert re.findall("[ab1]", whatsapp_text(text)) == re.findall("[ab1]", text)


PIECES = [
    "**a ",
    "** a",
    "[",
    "[a](",
    "`a ",
    "_",
    "__a ",
    "~~a ",
    "*",
    "\\",
    "<br",
    "#",
    "# ",
    "```",
    "- ",
    " ",
    "[a](https://x(",
    "***a ",
]


@pytest.mark.parametrize("piece", [*PIECES, "|", "|-"])
def test_a_long_answer_is_read_in_one_pass(piece: str) -> None:
    text = piece * (32_000 // len(piece))
    began = time.process_time()
    whatsapp_text(text)
    whatsapp_text(text.replace(" ", "\n"))
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    ("markdown", "label"),
    [
        ("**Sí**, confirmo", "Sí, confirmo"),
        ("*_Ambas_*", "Ambas"),
        ("# Cazuela", "Cazuela"),
        ("~~antes~~ `hoy`", "antes hoy"),
        ("dos\nlíneas  y   blancos", "dos líneas y blancos"),
        ("2*3*4", "2*3*4"),
        ("mi_archivo_final", "mi_archivo_final"),
        ("[Carta](https://a.cl)", "Carta: https://a.cl"),
    ],
)
def test_a_button_shows_words_without_formats(markdown: str, label: str) -> None:
    assert label_text(markdown) == label
