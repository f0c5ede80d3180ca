"""The built-in sentences about files that are not read, by language (`schemas.client_language`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from schemas.client_language import ClientLanguage

Topic: TypeAlias = Literal[
    "voice",
    "images",
    "documents",
    "video",
    "not_heard",
    "too_long",
    "too_many_pages",
    "too_large",
    "not_supported",
    "unreadable",
    "not_fetched",
]
"""A field of MediaSentences: a kind that is off, or why a file of one that is on was not read."""

DEFAULTS: Final[Mapping[ClientLanguage, Mapping[Topic, str]]] = {
    "es": {
        "voice": "Por ahora no puedo escuchar audios. ¿Me lo escribes en un mensaje de texto, por favor?",
        "images": "Por ahora no puedo ver fotos. ¿Me lo escribes en un mensaje de texto, por favor?",
        "documents": "Por ahora no puedo abrir documentos. ¿Me lo escribes en un mensaje de texto, por favor?",
        "video": "Por ahora no puedo ver videos. ¿Me lo cuentas por escrito, o me envías una foto, por favor?",
        "not_heard": (
            "No pude entender tu audio. ¿Me lo repites en un lugar con menos ruido, o me lo escribes, por favor?"
        ),
        "too_long": "Tu audio dura más de {minutes} minutos, y no alcanzo a escucharlo. ¿Me lo resumes, por favor?",
        "too_many_pages": (
            "Tu documento tiene más de {pages} páginas, y no alcanzo a leerlo. ¿Me envías solo las que importan, por "
            "favor?"
        ),
        "too_large": "Tu archivo es muy grande y no pude abrirlo. ¿Me envías uno más liviano, por favor?",
        "not_supported": (
            "No puedo abrir ese tipo de archivo. ¿Me lo envías como PDF o foto, o me lo escribes, por favor?"
        ),
        "unreadable": "No pude abrir tu archivo: parece dañado o protegido. ¿Me lo envías de otra forma, por favor?",
        "not_fetched": "No me llegó bien tu archivo. ¿Me lo envías de nuevo, o me lo escribes, por favor?",
    },
    "en": {
        "voice": "I cannot listen to voice notes here. Could you write it in a text message, please?",
        "images": "I cannot see pictures here. Could you write it in a text message, please?",
        "documents": "I cannot open documents here. Could you write it in a text message, please?",
        "video": "I cannot watch videos here. Could you describe it in words, or send a photo, please?",
        "not_heard": (
            "I could not understand your voice note. Could you repeat it somewhere less noisy, or write it, please?"
        ),
        "too_long": (
            "Your voice note is longer than {minutes} minutes, which I cannot listen to. Could you sum it up, please?"
        ),
        "too_many_pages": (
            "Your document has more than {pages} pages, which I cannot read. Could you send only those that matter, "
            "please?"
        ),
        "too_large": "Your file is too large for me to open. Could you send a smaller one, please?",
        "not_supported": "I cannot open that type of file. Could you send it as a PDF or a photo, or write it, please?",
        "unreadable": (
            "I could not open your file: it seems to be damaged or protected. Could you send it in another way, please?"
        ),
        "not_fetched": "Your file did not reach me well. Could you send it again, or write it, please?",
    },
    "pt": {
        "voice": "Por enquanto não consigo ouvir áudios. Você pode escrever em uma mensagem de texto, por favor?",
        "images": "Por enquanto não consigo ver fotos. Você pode escrever em uma mensagem de texto, por favor?",
        "documents": (
            "Por enquanto não consigo abrir documentos. Você pode escrever em uma mensagem de texto, por favor?"
        ),
        "video": "Por enquanto não consigo ver vídeos. Você pode contar por escrito, ou enviar uma foto, por favor?",
        "not_heard": (
            "Não consegui entender o seu áudio. Você pode repetir em um lugar com menos ruído, ou escrever, por favor?"
        ),
        "too_long": "O seu áudio tem mais de {minutes} minutos, e não consigo ouvi-lo. Você pode resumir, por favor?",
        "too_many_pages": (
            "O seu documento tem mais de {pages} páginas, e não consigo ler tudo. Você pode enviar só as que "
            "importam, por favor?"
        ),
        "too_large": "O seu arquivo é muito grande e não consegui abri-lo. Você pode enviar um mais leve, por favor?",
        "not_supported": (
            "Não consigo abrir esse tipo de arquivo. Você pode enviar como PDF ou foto, ou escrever, por favor?"
        ),
        "unreadable": (
            "Não consegui abrir o seu arquivo: parece danificado ou protegido. Você pode enviar de outra forma, "
            "por favor?"
        ),
        "not_fetched": "O seu arquivo não chegou bem. Você pode enviar de novo, ou escrever, por favor?",
    },
}
RECORDINGS: Final[Mapping[ClientLanguage, Mapping[Topic, str]]] = {
    "es": {
        "too_large": "Tu audio es muy grande y no pude escucharlo. ¿Me lo resumes en uno más corto, por favor?",
        "not_supported": (
            "No puedo escuchar ese tipo de audio. ¿Lo grabas aquí en WhatsApp, o me lo escribes, por favor?"
        ),
        "unreadable": "No pude escuchar tu audio: parece dañado. ¿Me lo envías de nuevo, o me lo escribes, por favor?",
        "not_fetched": (
            "No pude escuchar tu audio: no me llegó bien. ¿Me lo envías de nuevo, o me lo escribes, por favor?"
        ),
    },
    "en": {
        "too_large": "Your voice note is too large for me to listen to. Could you sum it up in a shorter one, please?",
        "not_supported": (
            "I cannot listen to that type of audio. Could you record it here in WhatsApp, or write it, please?"
        ),
        "unreadable": (
            "I could not listen to your voice note: it seems to be damaged. Could you send it again, or write "
            "it, please?"
        ),
        "not_fetched": (
            "I could not listen to your voice note: it did not reach me well. Could you send it again, or write it, "
            "please?"
        ),
    },
    "pt": {
        "too_large": (
            "O seu áudio é muito grande e não consegui ouvi-lo. Você pode resumir em um mais curto, por favor?"
        ),
        "not_supported": (
            "Não consigo ouvir esse tipo de áudio. Você pode gravar aqui no WhatsApp, ou escrever, por favor?"
        ),
        "unreadable": (
            "Não consegui ouvir o seu áudio: parece danificado. Você pode enviar de novo, ou escrever, por favor?"
        ),
        "not_fetched": (
            "Não consegui ouvir o seu áudio: não chegou bem. Você pode enviar de novo, ou escrever, por favor?"
        ),
    },
}
"""What is said of recordings instead."""


def built_in(topic: Topic, language: ClientLanguage, *, is_recording: bool) -> str:
    """The sentence, with `{minutes}` and `{pages}` in it."""
    said = RECORDINGS[language].get(topic) if is_recording else None
    return said or DEFAULTS[language][topic]
