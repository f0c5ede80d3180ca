"""Message templates: what a manifest declares of one, what Twilio and Meta get of it, and the values that fill it.

A manifest's variables have names, `{nombre}`; WhatsApp's have numbers, in the order in which they appear first. Meta
approves a template once and for all, so one that changes gets another name: `<client>_<name>_<language>_<hash8>`.

    twilio/text              a body
    twilio/media             a body below a file
    twilio/quick-reply       a body above buttons that answer
    twilio/call-to-action    a body above buttons that open something
    whatsapp/card            anything with a header, a footer, or both sorts of buttons
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import AfterValidator, Field, StringConstraints, ValidationError, WithJsonSchema
from pydantic_core import PydanticCustomError

from schemas.data_policy import Duration
from schemas.strict import Strict

VARIABLE: Final = re.compile(r"\{([a-z][a-z0-9_]{0,39})\}")
"""A variable in a text."""
_NUMBERED = re.compile(r"\{\{ ?(\d{1,3}) ?\}\}")
BODY_LIMIT: Final = 1024
"""Characters (UTF-16 units, as everywhere here) of a body that is to be approved."""
CALL_BODY_LIMIT: Final = 640
"""The same above buttons that open something. Twilio: "Call to action"."""
TITLE_LIMIT: Final = 20
HEADER_LIMIT: Final = 60
MAX_BUTTONS: Final = 10
MAX_TEMPLATES: Final = 100
"""Of one client. Twilio: 6,000 approved ones an account, 250 of a portfolio that is not verified."""
VALUE_LIMIT: Final = 1024
"""Characters of a variable's value: with the text round it the message stays within what WhatsApp shows."""
Category = Literal["utility", "marketing"]

LANGUAGES: Final = tuple(
    """
    af sq ar ar_AE ar_EG ar_DZ ar_BH ar_IQ ar_JO ar_KW ar_LB ar_LY ar_MR ar_MA ar_OM ar_QA ar_SA ar_SD ar_SY ar_TN ar_YE
    az be_BY bn bn_IN bg ca zh_CN zh_HK zh_TW hr cs da prs_AF nl nl_BE en en_GB en_US en_AE en_AU en_CA en_GH en_IE
    en_IN en_JM en_MY en_NZ en_QA en_SG en_UG en_ZA et fil fi fr fr_BE fr_CA fr_CH fr_CI fr_MA ka de de_AT de_CH el gu
    ha he hi hu id ga it ja kn kk rw_RW ko ky_KG lo lv lt mk ms ml mr nb ps_AF fa pl pt_BR pt_PT pa ro ru sr si_LK sk
    sl es es_AR es_CL es_CO es_CR es_DO es_EC es_HN es_MX es_PA es_PE es_ES es_UY sw sv ta te th tr uk ur uz vi zu
    """.split()  # noqa: SIM905 - a list would be a line for each code
)
"""Meta: "Supported languages" of message templates."""


def _known_language(code: str) -> str:
    if code not in LANGUAGES:
        raise PydanticCustomError("template_language", "is not a language of WhatsApp's templates")
    return code


TemplateName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
VariableName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
TemplateLanguage = Annotated[
    str, AfterValidator(_known_language), WithJsonSchema({"type": "string", "enum": list(LANGUAGES)})
]
Words = Annotated[str, StringConstraints(min_length=1, max_length=BODY_LIMIT)]
ButtonTitle = Annotated[str, StringConstraints(min_length=1, max_length=TITLE_LIMIT)]
Address = Annotated[str, StringConstraints(pattern=r"^https://[^\s/$.?#][^\s]*$", max_length=2000)]
PhoneNumber = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{6,14}$")]


class TemplateButton(Strict):
    """A button below a template: it answers with its title, unless it opens something."""

    title: ButtonTitle = Field(description="What it says, without variables.", examples=["Confirmar"])
    url: Address | None = Field(
        default=None,
        description="The page that it opens; a variable may be the end of it.",
        examples=["https://lacocina.cl/reservas/{codigo}"],
    )
    phone: PhoneNumber | None = Field(default=None, description="The number that it calls.", examples=["+56221234567"])
    code: Annotated[str, StringConstraints(min_length=1, max_length=15)] | None = Field(
        default=None, description="The code that it copies.", examples=["VERANO25"]
    )

    @property
    def opens(self) -> str | None:
        """What it opens, as Twilio calls it; None for one that answers."""
        kinds = (("URL", self.url), ("PHONE_NUMBER", self.phone), ("COPY_CODE", self.code))
        return next((kind for kind, value in kinds if value is not None), None)


class Template(Strict):
    """A message that WhatsApp delivers at any time, since Meta has approved it."""

    language: TemplateLanguage = Field(description="The language of its text, as Meta calls it.", examples=["es"])
    category: Category = Field(
        description="What it is for, which decides its price: utility is about something that the person asked for.",
        examples=["utility"],
    )
    body: Words = Field(
        description="Its text; {nombre} is a variable, never at the beginning or the end.",
        examples=["Hola {nombre}, te esperamos el {dia}."],
    )
    samples: Annotated[dict[VariableName, Words], Field(max_length=100)] = Field(
        default={},
        description="An example of each variable, which Meta's reviewers read.",
        examples=[{"nombre": "Ana", "dia": "martes"}],
    )
    header: Annotated[str, StringConstraints(min_length=1, max_length=HEADER_LIMIT)] | None = Field(
        default=None, description="A line in bold above it, without variables.", examples=["Tu reserva"]
    )
    media: Address | None = Field(
        default=None,
        description="A picture, video or PDF above it, at a public address; a variable may be the end of it.",
        examples=["https://lacocina.cl/menu.pdf"],
    )
    footer: Annotated[str, StringConstraints(min_length=1, max_length=HEADER_LIMIT)] | None = Field(
        default=None, description="A small line below it, without variables.", examples=["La Cocina"]
    )
    buttons: Annotated[list[TemplateButton], Field(max_length=MAX_BUTTONS)] = Field(
        default=[], description="Buttons below it.", examples=[[{"title": "Confirmar"}, {"title": "Cambiar la hora"}]]
    )
    content_sid: Annotated[str, StringConstraints(pattern=r"^HX[0-9a-fA-F]{32}$")] | None = Field(
        default=None,
        description="Twilio's content, of a template that was made in its console: it is used as it is, never deleted.",
        examples=["HX0123456789abcdef0123456789abcdef"],
    )


class Window(Strict):
    """What happens to a message of ours after the 24 hours that a person's message opens."""

    reopen_with: TemplateName = Field(
        description=(
            "The template, without variables, that asks a person for an answer; what was to be sent waits for it."
        ),
        examples=["retomar"],
    )
    expires_after: Duration = Field(
        default="24h",
        description="How long it waits for the answer; after that it is not sent. A number and h, d or mo (30 days).",
        examples=["24h"],
    )


class Wrong(NamedTuple):
    """What is wrong with the values for a template's variables, in a sentence."""

    says: str


def texts_of(template: Template) -> Iterator[str]:
    """Its texts that may have variables, in the order in which they are numbered."""
    yield template.body
    if template.media is not None:
        yield template.media
    for button in template.buttons:
        if button.url is not None:
            yield button.url


def variables_of(template: Template) -> tuple[str, ...]:
    """The names of its variables; the first one is WhatsApp's {{1}}."""
    return tuple(dict.fromkeys(name for text in texts_of(template) for name in VARIABLE.findall(text)))


def content_of_template(template: Template) -> dict[str, Any]:
    """A template as it is created: language, sample values and types of `POST /v1/Content`."""
    numbers = {name: str(number) for number, name in enumerate(variables_of(template), 1)}

    def numbered(text: str) -> str:
        return VARIABLE.sub(lambda found: f"{{{{{numbers[found[1]]}}}}}", text)

    kind, value = _type_of(template)
    samples = {number: template.samples[name] for name, number in numbers.items() if name in template.samples}
    return {"language": template.language, "variables": samples, "types": {kind: _mapped(value, numbered)}}


def template_of_content(content: Mapping[str, Any], category: str) -> Template | None:
    """The template that a content is the content of, its variables named `dato_1`, …; None for one that no manifest
    can declare."""
    types = {kind: value for kind, value in (content.get("types") or {}).items() if value is not None}
    samples = content.get("variables") or {}
    if len(types) != 1 or not all(str(number) in samples for number in range(1, len(samples) + 1)):
        return None
    value = _mapped(next(iter(types.values())), lambda text: _NUMBERED.sub(r"{dato_\1}", text))
    keys = {"body": "body", "header_text": "header", "footer": "footer"}
    said: dict[str, Any] = {keys[key]: text for key, text in value.items() if key in keys and text is not None}
    said |= {"media": value["media"][0]} if value.get("media") else {}
    said |= {"buttons": [_button(action) for action in value["actions"]]} if value.get("actions") else {}
    named = {f"dato_{number}": sample for number, sample in samples.items()}
    try:
        own = {"language": content["language"], "category": category.lower(), "content_sid": content["sid"]}
        template = Template.model_validate({**own, "samples": named, **said})
    except (ValidationError, KeyError):
        return None
    return template if is_content_of(template, content) else None


def is_content_of(template: Template, content: Mapping[str, Any]) -> bool:
    """Whether a live content says what a template does. Samples do not count: only reviewers read them."""
    declared = content_of_template(template)
    live = {kind: _without_nulls(value) for kind, value in (content.get("types") or {}).items() if value is not None}
    return bool(live == declared["types"] and content.get("language") == declared["language"])


def friendly_name(client: str, name: str, template: Template) -> str:
    """The name of its content at Twilio, and of the template at Meta; another one where anything of it changes."""
    content = {**content_of_template(template), "category": template.category}
    whole = json.dumps([client, name, content], sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(whole.encode()).hexdigest()[:8]
    return "_".join((meta_name(client), name, meta_name(template.language), digest))


def filled(template: Template, values: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The body with these values, and Twilio's variables. Raises `ValueError` with every sentence of `problems_of`."""
    problems = [wrong.says for wrong in problems_of(template, values)]
    if problems:
        raise ValueError(" ".join(problems))
    body = VARIABLE.sub(lambda found: values[found[1]], template.body)
    return body, {str(number): values[name] for number, name in enumerate(variables_of(template), 1)}


def problems_of(template: Template, values: Mapping[str, str]) -> Iterator[Wrong]:
    """What is wrong with values for its variables: one for each, none for others, and none that Meta refuses."""
    wanted = variables_of(template)
    missing = [name for name in wanted if name not in values]
    unknown = [name for name in values if name not in wanted]
    if missing:
        yield Wrong(f"No value for {', '.join(missing)}.")
    if unknown:
        known = f"it has {', '.join(wanted)}" if wanted else "it has none"
        yield Wrong(f"The template has no variable {', '.join(unknown)}; {known}.")
    for name in wanted:
        if name in values and (fault := fault_of_value(values[name])):
            yield Wrong(f"The value of {name} {fault}.")


def fault_of_value(value: str) -> str | None:
    """Why Meta does not accept a value; None where it does."""
    if not value.strip():
        return "is empty"
    if len(value.encode("utf-16-le")) // 2 > VALUE_LIMIT:
        return f"is longer than {VALUE_LIMIT:,} characters"
    if re.search(r"[\r\n\t]", value):
        return "has a line break or a tab"
    if "    " in value:
        return "has more than three blanks in a row"
    return None


def _type_of(template: Template) -> tuple[str, dict[str, Any]]:
    """Its type at Twilio, with the variables as they are declared."""
    opens = [button.opens is not None for button in template.buttons]
    media = {"media": [template.media]} if template.media is not None else {}
    if template.header is not None or template.footer is not None or (media and opens) or len(set(opens)) > 1:
        said = (("header_text", template.header), ("footer", template.footer))
        actions = {"actions": [_action(button, in_card=True) for button in template.buttons]} if opens else {}
        return "whatsapp/card", {"body": template.body, **{k: v for k, v in said if v is not None}, **media, **actions}
    if media:
        return "twilio/media", {"body": template.body, **media}
    if opens:
        kind = "twilio/call-to-action" if opens[0] else "twilio/quick-reply"
        return kind, {"body": template.body, "actions": [_action(button) for button in template.buttons]}
    return "twilio/text", {"body": template.body}


def _action(button: TemplateButton, *, in_card: bool = False) -> dict[str, Any]:
    match button.opens:
        case "URL":
            return {"type": "URL", "title": button.title, "url": button.url}
        case "PHONE_NUMBER":
            return {"type": "PHONE_NUMBER", "title": button.title, "phone": button.phone}
        case "COPY_CODE":
            return {"type": "COPY_CODE", "title": button.title, "code": button.code}
    return {**({"type": "QUICK_REPLY"} if in_card else {}), "title": button.title, "id": button.title}


def _button(action: Mapping[str, Any]) -> dict[str, Any]:
    kinds = ("url", "phone", "code")
    return {"title": action.get("title"), **{kind: action[kind] for kind in kinds if action.get(kind) is not None}}


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    """A JSON value with all of its texts changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_mapped(item, change) for item in value]
    return {name: _mapped(item, change) for name, item in value.items()} if isinstance(value, Mapping) else value


def meta_name(text: str) -> str:
    """A text as a part of a template's name at Meta: lower-case letters, digits and underscores."""
    return re.sub(r"[^a-z0-9]", "_", text.lower())
