"""Every way in which a folder of manifests can be wrong that has a sentence of its own, by name of the situation."""

from __future__ import annotations

from collections.abc import Mapping

from tests.manifest.fleet_files import Files, manifest, with_tools

KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz012345"
TWILIO_KEY = "SK0123456789abcdef0123456789abcdef"
HEX_TOKEN = "0123456789abcdef0123456789abcdef"
FUNCTION = "- type: function\n  name: crear_reserva\n  endpoint: {url: https://api.example.cl/x}\n"
STRICT = f"{FUNCTION}  strict: true\n  parameters:\n"
OPEN = "    type: object\n    properties: {personas: {type: integer}}\n"
_CLOSED = f"{OPEN}    additionalProperties: false\n"
MCP = (
    "- type: mcp\n  name: reservas\n  url: https://mcp.example.cl/x\n"
    "  allowed_tools: [reservar]\n  require_approval: never\n"
)


def _one(text: str | bytes, more: Files | None = None) -> Files:
    return {"uno.yaml": text, **(more or {})}


def _function(parameters: str) -> Files:
    return _one(with_tools(f"{FUNCTION}  parameters: {parameters}"))


def _sends(files: str, more: Files | None = None) -> Files:
    return _one(manifest(more=f"media:\n  files: {files}\n"), more)


def _template(more: str, body: str = "Hola {nombre}, te esperamos el martes.", samples: str = "{nombre: Ana}") -> Files:
    head = f'templates:\n  recordatorio:\n    language: es\n    category: utility\n    body: "{body}"\n'
    return _one(manifest(more=f"{head}    samples: {samples}\n{more}"))


def _desk(more: str = "", chatwoot: str = "") -> str:
    """A manifest with a desk."""
    secrets = "token: {env: CHATWOOT_TOKEN}, webhook_secret: {env: CHATWOOT_HOOK}"
    where = chatwoot or f"{{url: https://chat.example.cl, account: 1, inbox: 3, {secrets}}}"
    return f"handoff:\n  desk:\n    chatwoot: {where}\n{more}"


_RESERVA = (
    f"{FUNCTION}  parameters: {{type: object, properties: {{personas: {{type: integer}}}}, required: [personas]}}\n"
)


def _case(case: str, more: Files | None = None) -> Files:
    """A client with a function and one test."""
    return _one(with_tools(_RESERVA) + f"tests:\n  reserva: {case}\n", more)


def _expects(expect: str) -> Files:
    return _case(f"{{conversation: [{{say: Hola, expect: {expect}}}]}}")


def with_canary(own: str) -> str:
    """A manifest with a canary until a day that is far away."""
    return manifest(more=f'  canary: {{{own}percent: 10, until: "2099-12-15"}}\n')


SITUATIONS: Mapping[str, Files] = {
    # YAML itself
    "tab_indentation": _one(manifest().replace("  model", "\tmodel")),
    "tab_before_a_list_item": _one(manifest(more="  tools:\n\t- type: web_search\n")),
    "duplicate_key": _one(manifest(more="name: Otra vez\n")),
    "duplicate_key_deep_inside": _one(manifest(more="sender:\n  profile: {about: a, about: b}\n")),
    "not_utf8": _one("id: uno\nname: Café\n".encode("latin-1")),
    "not_utf8_after_a_mark": _one(b"\xef\xbb\xbf" + "id: caf\u00e9\n".encode("latin-1")),
    "utf16": _one(manifest().encode("utf-16")),
    "empty_file": _one(b""),
    "only_comments": _one("# nada todavía\n"),
    "five_megabytes": _one(manifest() + "# x\n" * 1_310_720),
    "two_documents": _one(manifest() + "---\n" + manifest("dos")),
    "a_list_at_the_top": _one("- id: uno\n"),
    "a_text_at_the_top": _one("hola\n"),
    "unclosed_quote": _one('id: uno\nname: "Cliente\n'),
    "colon_in_a_text": _one("id: uno\nname: Café: el mejor\n"),
    "text_after_a_quote": _one('id: uno\nname: "Café" El Mejor\n'),
    "list_never_closed": _one("id: [\n"),
    "anchor_twice": _one("id: &a uno\nname: &a dos\n"),
    "line_without_a_colon": _one("id: uno\nname\nnumber: x\n"),
    "unclosed_bracket": _one(manifest(more="metadata: {a: b\n")),
    "line_out_of_step": _one(manifest().replace("  instructions", " instructions")),
    "unknown_alias": _one("id: uno\nname: *nada\n"),
    "control_character": _one("id: uno\nname: a\x07b\n"),
    "nul_in_a_text": _one(manifest().replace("Cliente uno", r'"a\0b"')),
    "python_tag": _one(manifest().replace("Cliente uno", "!!python/object/apply:os.system [ls]")),
    "own_tag": _one(manifest().replace("Cliente uno", "!env NAME")),
    "very_deep": _one("a: " + "[" * 200_000),
    "alias_bomb": _one(
        "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"{now}: &{now} [{', '.join([f'*{last}'] * 10)}]\n" for last, now in ("ab", "bc", "cd", "de", "ef"))
    ),
    "alias_of_itself": _one("id: &a {b: *a}\n"),
    "template_braces": _one("id: {{ client }}\n"),
    "key_that_is_a_number": _one(manifest(more="metadata: {2025: x}\n")),
    # plain scalars that YAML versions read differently
    "no_as_a_text": _one(manifest().replace("Cliente uno", "no")),
    "yes_as_a_boolean": _one(manifest(more="protected: yes\n")),
    "unquoted_date": _one(manifest(more="metadata: {fecha_creacion: 2025-10-22}\n")),
    "unquoted_time": _one(manifest(more="metadata: {abre: 12:30}\n")),
    "leading_zero": _one(manifest(more="metadata: {codigo: 0123}\n")),
    "underscore_in_a_number": _one(manifest(more="metadata: {precio: 1_000}\n")),
    # what the models know
    "unquoted_number": _one(manifest().replace('"+56961234501"', "+56961234501")),
    "number_with_spaces": _one(manifest(number="+56 9 6123 4501")),
    "impossible_number": _one(manifest(number="+5696123")),
    "unknown_key_near_miss": _one(manifest().replace("model:", "modle:")),
    "unknown_key": _one(manifest(more="zzz: 1\n")),
    "unknown_key_in_a_policy": _one(manifest(more="memory: {itms: 3}\n")),
    "number_in_a_policy_out_of_range": _one(manifest(more="memory:\n  items: 0\n  tokens: 2000000\n")),
    "unknown_time_zone": _one(manifest(more="timezone: america/santigo\n")),
    "budget_below_zero": _one(manifest(more="budget: {monthly: -1}\n")),
    "budget_in_no_currency": _one(manifest(more="budget: {monthly: 40, currency: PESO}\n")),
    "budget_in_a_currency_without_a_rate": _one(manifest(more="budget:\n  monthly: 40000\n  currency: CLP\n")),
    "budget_in_the_defaults_without_a_rate": _one(
        manifest(), {"_defaults.yaml": "budget: {monthly: 40000, currency: CLP}\n"}
    ),
    "budget_with_thresholds_out_of_range": _one(manifest(more="budget: {monthly: 40, warn_at: [0, 50, 101]}\n")),
    "budget_with_an_unknown_action": _one(manifest(more="budget: {monthly: 40, on_exceeded: stop}\n")),
    "budget_without_its_cheaper_model": _one(manifest(more="budget: {monthly: 40, on_exceeded: cheaper_model}\n")),
    "budget_with_an_unknown_model": _one(
        manifest(more="budget: {monthly: 40, on_exceeded: cheaper_model, cheaper_model: gpt-5.6-lunar}\n")
    ),
    "budget_with_a_model_that_cannot": _one(
        manifest(more="budget: {monthly: 40, on_exceeded: cheaper_model, cheaper_model: gpt-5-nano}\n")
    ),
    "budget_with_a_model_for_nothing": _one(manifest(more="budget: {monthly: 40, cheaper_model: gpt-5.6-luna}\n")),
    "fallback_model_that_is_the_model": _one(
        manifest().replace("model: gpt-6-luna\n", "model: gpt-6-luna\n  fallback_model: gpt-6-luna\n")
    ),
    "fallback_model_that_cannot": _one(
        manifest().replace("model: gpt-6-luna\n", "model: gpt-6-luna\n  fallback_model: gpt-5-nano\n")
    ),
    "canary_of_an_agent": _one(with_canary("model: gpt-5.6-luna, ").replace("  model", "  engine: agents\n  model", 1)),
    "canary_of_everybody_until_no_day": _one(
        with_canary("model: gpt-5.6-luna, ").replace("percent: 10", "percent: 100").replace("-12-15", "-13-15")
    ),
    "canary_that_is_the_assistant": _one(with_canary("model: gpt-6-luna, ")),
    "canary_with_a_model_that_cannot": _one(with_canary("model: gpt-5-nano, ")),
    "canary_with_nothing_of_its_own": _one(with_canary("")),
    "canary_without_its_prompt": _one(with_canary("instructions: {file: uno/nuevo.md}, ")),
    "budget_for_nobody": _one(manifest(more="budget: {monthly: 40, notify: [Ana]}\n")),
    "city_as_a_time_zone": _one(manifest(more="timezone: Buenos Aires\n")),
    "time_zone_that_resembles_none": _one(manifest(more="timezone: GMT-4:00\n")),
    "duration_without_a_unit": _one(manifest(more="memory: {expires_after: '30'}\n")),
    "unknown_phone_in_the_context": _one(manifest(more="context: {phone: complete}\n")),
    "number_where_a_policy_is_due": _one(manifest(more="memory: 60\n")),
    "key_in_the_wrong_place": _one(manifest(more="tools: []\n")),
    "key_of_the_api": _one(manifest().replace("number:", "twilio_phone_number:")),
    "webhook_in_a_manifest": _one(manifest(more="sender: {webhook: https://example.cl}\n")),
    "name_in_whatsapp": _one(manifest(more="sender: {profile: {display_name: Otro}}\n")),
    "everything_missing": _one("name: Uno\n"),
    "nothing_after_the_colon": _one(manifest().replace("Cliente uno", "")),
    "id_in_capitals": _one(manifest("La Cocina")),
    "unknown_state": _one(manifest(more="state: pause\n")),
    "unknown_vertical": _one(manifest(more="sender: {profile: {vertical: restaurant}}\n")),
    "state_in_another_language": _one(manifest(more="state: encendido\n")),
    "too_long": _one(manifest(more=f"sender: {{profile: {{about: {'a' * 140}}}}}\n")),
    "too_many_notes": _one(manifest(more="metadata:\n" + "".join(f"  k{n}: v\n" for n in range(17)))),
    "note_with_a_long_key": _one(manifest(more=f"metadata: {{{'k' * 65}: v}}\n")),
    "number_as_a_note": _one(manifest(more="metadata: {mesas: 12}\n")),
    "text_where_a_list_is_due": _one(manifest(more="  tools: web_search\n")),
    "text_where_a_mapping_is_due": _one(manifest(more="sender: ninguno\n")),
    "text_where_a_number_is_due": _one(manifest(more='  max_output_tokens: "800"\n')),
    "out_of_range": _one(manifest(more="  max_output_tokens: 3\n")),
    "instructions_of_a_wrong_type": _one(manifest().replace("Responde en español.", "[a, b]")),
    "instructions_with_a_wrong_key": _one(manifest().replace("Responde en español.", "{path: prompt.md}")),
    # what is sent
    "file_to_send_that_does_not_exist": _sends("{menu: carta/menu.pdf}"),
    "file_to_send_of_another_kind": _sends("{menu: menu.zip}", {"menu.zip": b"PK\x03\x04"}),
    "file_to_send_that_is_empty": _sends("{menu: menu.pdf}", {"menu.pdf": b""}),
    "file_to_send_that_is_not_what_its_name_says": _sends("{menu: menu.pdf}", {"menu.pdf": b"\x89PNG\r\n\x1a\n..."}),
    "picture_to_send_that_is_too_large": _sends(
        "{plato: plato.jpg}", {"plato.jpg": b"\xff\xd8\xff" + bytes(5_000_000)}
    ),
    "file_to_send_outside_of_the_folder": _sends("{menu: ../menu.pdf}"),
    "file_to_send_with_a_name_in_capitals": _sends("{Menú: menu.pdf}", {"menu.pdf": b"%PDF-1.7"}),
    "list_of_files_to_send": _sends("[menu.pdf]"),
    "place_that_is_not_on_earth": _one(
        manifest(more="media: {places: {local: {latitude: -330, longitude: -70, name: A}}}\n")
    ),
    # templates
    "template_that_begins_with_a_variable": _template("", "{nombre}, te esperamos el martes a las tres."),
    "template_that_ends_with_a_variable": _template("", "Hola, ya puedes retirar tu pedido, {nombre}"),
    "template_with_variables_side_by_side": _template("", "Hola, ahora te esperamos {dia} {hora} en el local.", "{}"),
    "template_with_few_words": _template("", "Hola {nombre}."),
    "template_without_a_sample": _template("", samples="{}"),
    "template_with_a_sample_of_nothing": _template("", samples="{nombre: Ana, nombres: Ana}"),
    "template_with_a_sample_on_two_lines": _template("", samples='{nombre: "Ana\\nMaría"}'),
    "template_with_numbered_variables": _template("", "Hola {{1}}, te esperamos el martes.", "{}"),
    "template_in_an_unknown_language": _one(
        manifest(more="templates:\n  a: {language: es-mx, category: utility, body: Hola a todos}\n")
    ),
    "template_of_an_unknown_category": _one(
        manifest(more="templates:\n  a: {language: es, category: authentication, body: Hola a todos}\n")
    ),
    "template_with_a_name_in_capitals": _one(
        manifest(more="templates:\n  Recordatorio-1: {language: es, category: utility, body: Hola a todos}\n")
    ),
    "template_with_a_long_body": _template("", f"Hola {{nombre}}, {'te esperamos ' * 90}."),
    "template_with_a_long_body_above_links": _template(
        '    buttons: [{title: Ver, url: "https://lacocina.cl/menu"}]\n', f"Hola {{nombre}}, {'te esperamos ' * 60}."
    ),
    "template_with_a_link_of_whatsapp": _template("", "Hola {nombre}, escribe a https://wa.me/56912345678 hoy."),
    "template_with_header_and_media": _template('    header: "Tu hora {dia}"\n    media: https://lacocina.cl/menu\n'),
    "template_with_a_variable_inside_an_address": _template(
        '    buttons: [{title: Ver, url: "https://lacocina.cl/{nombre}/x"}]\n'
    ),
    "template_with_buttons_that_do_two_things": _template(
        '    buttons: [{title: Ver, url: "https://lacocina.cl/menu", phone: "+56912345678"}]\n'
    ),
    "template_with_buttons_in_disorder": _template(
        '    buttons: [{title: "Sí"}, {title: Ver, url: "https://lacocina.cl/menu"}, {title: "No"}]\n'
    ),
    "template_with_too_many_links": _template(
        "    buttons:\n" + "".join(f'      - {{title: Ver {n}, url: "https://lacocina.cl/{n}"}}\n' for n in "abc")
    ),
    "template_with_titles_that_do_not_fit": _template(
        '    buttons: [{title: Confirmar la reserva ahora}, {title: Sí}, {title: SÍ}, {title: "{nombre}"}]\n'
    ),
    "window_without_its_template": _template("window: {reopen_with: recordatorios}\n"),
    "window_with_a_template_that_has_variables": _template("window: {reopen_with: recordatorio, expires_after: 24}\n"),
    "files_kept_for_a_number_without_a_unit": _one(manifest(more="data: {retention: {media: 7}}\n")),
    "files_kept_for_words": _one(manifest(more="data: {retention: {media: siempre}}\n")),
    "files_kept_for_true": _one(manifest(more="data: {retention: {media: true}}\n")),
    "retention_that_does_not_exist": _one(manifest(more="data: {retention: {medios: 7d}}\n")),
    "sensitive_data_that_is_misspelt": _one(manifest(more="data: {sensitive: [heath, Salud]}\n")),
    "sensitive_data_that_is_not_known": _one(manifest(more="data: {sensitive: [zodiac]}\n")),
    "sensitive_data_of_which_nothing_else_is_said": _one(manifest(more="data: {sensitive: [health]}\n")),
    "minors_and_a_search_in_the_web": _one(
        manifest(more="  tools: [{type: web_search}]\ndata: {minors: true, retention: {messages: 30d, media: 0}}\n")
    ),
    "files_kept_longer_than_their_messages": _one(manifest(more="data: {retention: {messages: 7d, media: 30d}}\n")),
    "messages_and_ledger_kept_too_short": _one(manifest(more="data: {retention: {messages: 12h, usage: 1mo}}\n")),
    "typing_shown_for_sensitive_data": _one(manifest(more="data: {sensitive: [health]}\nreplies: {typing: true}\n")),
    "buttons_of_an_assistant_that_sends_words_only": _one(
        manifest(more="  engine: assistants\nreplies: {buttons: true}\nmedia: {files: {menu: menu.pdf}}\n"),
        {"menu.pdf": b"%PDF-1.7"},
    ),
    "strict_function_with_an_argument_that_may_be_absent": _one(with_tools(f"{STRICT}{_CLOSED}    required: []\n")),
    "strict_function_that_allows_other_arguments": _one(with_tools(f"{STRICT}{OPEN}    required: [personas]\n")),
    "strict_function_without_parameters": _one(with_tools(STRICT.replace("  parameters:\n", ""))),
    "strict_function_of_an_agent": _one(
        with_tools(f"{STRICT}{_CLOSED}    required: [personas]\n").replace("  tools:", "  engine: agents\n  tools:")
    ),
    "server_of_tools_without_approval_never": _one(with_tools(MCP.replace("  require_approval: never\n", ""))),
    "server_of_tools_that_asks_for_approval": _one(with_tools(MCP.replace("never", "always"))),
    "server_of_tools_at_a_private_address": _one(with_tools(MCP.replace("mcp.example.cl", "10.0.0.1"))),
    "server_of_tools_over_http": _one(with_tools(MCP.replace("https:", "http:"))),
    "server_of_tools_with_a_secret_written_out": _one(with_tools(f"{MCP}  headers: {{Authorization: {KEY}}}\n")),
    "server_of_tools_with_the_installations_key": _one(
        with_tools(f"{MCP}  headers: {{Authorization: {{env: OPENAI_API_KEY}}}}\n")
    ),
    "server_of_tools_of_an_assistant": _one(with_tools(MCP).replace("  tools:", "  engine: assistants\n  tools:")),
    "server_of_tools_of_an_agent_at_a_private_address": _one(
        with_tools(MCP.replace("mcp.example.cl", "10.0.0.1")).replace("  tools:", "  engine: agents\n  tools:")
    ),
    "server_of_tools_without_a_list": _one(with_tools(MCP.replace("  allowed_tools: [reservar]\n", ""))),
    "two_servers_of_tools_with_one_name": _one(with_tools(MCP + MCP)),
    "function_called_like_a_tool_that_sends": _one(with_tools(FUNCTION.replace("crear_reserva", "send_document"))),
    # tools
    "unknown_tool_type": _one(with_tools("- type: functoin")),
    "tool_without_type": _one(with_tools("- name: x")),
    "tool_that_is_a_text": _one(with_tools("- web_search")),
    "function_with_a_space": _one(with_tools(FUNCTION.replace("crear_reserva", "crear reserva"))),
    "function_called_like_a_built_in_tool": _one(with_tools(FUNCTION.replace("crear_reserva", "no_reply"))),
    "function_without_endpoint": _one(with_tools("- type: function\n  name: x")),
    "function_named_twice": _one(with_tools(FUNCTION + FUNCTION)),
    "endpoint_without_scheme": _one(with_tools(FUNCTION.replace("https://", ""))),
    "endpoint_without_encryption": _one(with_tools(FUNCTION.replace("https://", "http://"))),
    "endpoint_at_a_private_address": _one(with_tools(FUNCTION.replace("api.example.cl", "10.0.0.7"))),
    "endpoint_on_this_machine": _one(with_tools(FUNCTION.replace("api.example.cl", "localhost:8443"))),
    "parameters_not_an_object": _function("{type: array}"),
    "parameters_with_a_list_of_nothing": _function(
        "{type: object, properties: {dias: {type: array}, mesas: {type: [string, array]}}}"
    ),
    "parameters_with_alternatives_at_the_top": _function("{type: object, properties: {}, anyOf: [{required: [a]}]}"),
    "parameters_that_refer_to_nothing": _function("{type: object, properties: {mesa: {$ref: '#/$defs/mesa'}}}"),
    "parameters_without_properties": _function("{type: object}"),
    "parameters_with_an_unknown_type": _function("{type: object, properties: {personas: {type: integr}}}"),
    "parameters_with_a_wrong_keyword": _function("{type: object, properties: {}, required: personas}"),
    "documents_nowhere": _one(with_tools("- type: file_search")),
    "documents_in_two_places": _one(
        with_tools("- type: file_search\n  vector_store: vs_1\n  files: [menu.pdf]"), {"menu.pdf": b"%PDF"}
    ),
    "documents_of_another_engine": _one(
        with_tools("- {type: file_search, vector_store: vs_1}") + "  engine: assistants\n"
    ),
    "documents_named_twice": _one(with_tools("- {type: file_search, vector_store: vs_1}\n" * 2)),
    "vector_store_by_name": _one(with_tools("- {type: file_search, vector_store: Carta}")),
    "documents_of_an_agent": _one(with_tools("- {type: file_search, vector_store: vs_1}") + "  engine: agents\n"),
    # files
    "missing_prompt_near_miss": _one(
        manifest().replace("Responde en español.", "{file: uno/promt.md}"), {"uno/prompt.md": "Hola"}
    ),
    "missing_prompt": _one(manifest().replace("Responde en español.", "{file: zzz.txt}")),
    "prompt_outside": _one(manifest().replace("Responde en español.", "{file: ../prompt.md}")),
    "prompt_with_an_absolute_path": _one(manifest().replace("Responde en español.", "{file: /prompt.md}")),
    "prompt_is_a_folder": _one(manifest().replace("Responde en español.", "{file: uno}"), {"uno/prompt.md": "Hola"}),
    "prompt_not_utf8": _one(
        manifest().replace("Responde en español.", "{file: p.md}"), {"p.md": "uno\ndos Café".encode("latin-1")}
    ),
    "prompt_empty": _one(manifest().replace("Responde en español.", "{file: p.md}"), {"p.md": "\n \n"}),
    "prompt_too_large": _one(manifest().replace("Responde en español.", "{file: p.md}"), {"p.md": "a" * 262_145}),
    "document_empty": _one(with_tools("- {type: file_search, files: [menu.md]}"), {"menu.md": b""}),
    "document_of_a_kind_that_is_not_searched": _one(
        with_tools("- {type: file_search, files: [menu.xlsx]}"), {"menu.xlsx": b"PK"}
    ),
    "document_not_utf8": _one(
        with_tools("- {type: file_search, files: [menu.txt]}"), {"menu.txt": "Ñoquis".encode("latin-1")}
    ),
    "document_listed_twice": _one(
        with_tools("- {type: file_search, files: [uno/menu.md, ./uno/menu.md, uno/menu.md]}"), {"uno/menu.md": "Ñoquis"}
    ),
    "document_outside": _one(with_tools("- {type: file_search, files: [../menu.md]}")),
    "missing_document": _one(with_tools("- type: file_search\n  files: [uno/menu.pdf]"), {"uno/menus.pdf": b"%PDF"}),
    # secrets
    "key_in_a_text": _one(manifest(more=f"metadata: {{clave: {KEY}}}\n")),
    "key_in_a_comment": _one(manifest(more=f"# la clave es {KEY}\n")),
    "key_in_a_prompt_file": _one(
        manifest().replace("Responde en español.", "{file: p.md}"), {"p.md": f"Hola.\nUsa {TWILIO_KEY}.\n"}
    ),
    "bearer_in_a_prompt": _one(manifest().replace("español.", '"Authorization: Bearer abc.def123456789ghi"')),
    "webhook_secret": _one(manifest(more="metadata: {s: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}\n")),
    "token_instead_of_a_reference": _one(
        manifest(more=f"sender: {{account: {{sid: AC{HEX_TOKEN}, auth_token: {HEX_TOKEN}}}}}\n")
    ),
    "token_as_the_name_of_a_variable": _one(
        with_tools(FUNCTION.replace("example.cl/x", f"example.cl/x, secret: {{env: {HEX_TOKEN}}}"))
    ),
    "key_of_the_installation_as_a_secret": _one(
        with_tools(FUNCTION.replace("example.cl/x", "example.cl/x, secret: {env: OPENAI_API_KEY}"))
        + f"sender: {{account: {{sid: AC{'0' * 32}, auth_token: {{env: TWILIO_AUTH_TOKEN}}}}}}\n"
    ),
    "key_of_the_installation_with_a_tag": _one(
        with_tools(FUNCTION.replace("example.cl/x", "example.cl/x, secret: {env: !!str OPENAI_API_KEY}"))
    ),
    "password_in_an_address": _one(with_tools(FUNCTION.replace("api.", "ana:c1ave@api."))),
    "several_things_at_once": _one(
        with_tools(f"{FUNCTION}  parameters: {{type: array}}")
        .replace("+56961234501", "+5696123")
        .replace("Responde en español.", "{file: p.md}")
        + "zzz: 1\n"
    ),
    "desk_that_is_incomplete": _one(
        manifest(more=_desk("    mirror: siempre\n", "{url: chat.example.cl, inbox: tres}"))
    ),
    "desk_in_a_private_network": _one(
        manifest(
            more=_desk(
                chatwoot="{url: http://10.0.0.5:3000, account: 1, inbox: 3, token: {env: CHATWOOT_TOKEN},"
                " webhook_secret: {env: TWILIO_AUTH_TOKEN}}"
            )
        )
    ),
    "desk_with_a_literal_token": _one(
        manifest(
            more=_desk(
                chatwoot=f"{{url: https://chat.example.cl, account: 1, inbox: 3, token: {HEX_TOKEN},"
                " webhook_secret: {env: CHATWOOT_HOOK}}"
            )
        )
    ),
    # tests
    "case_without_a_question": _case("{conversation: []}"),
    "case_whose_person_says_nothing": _case("{conversation: [{expect: {max_chars: 10}}]}"),
    "case_whose_answers_are_given": _case("{conversation: [{say: Hola, answered: Hola}]}"),
    "case_that_expects_of_a_given_answer": _case(
        "{conversation: [{say: Hola, answered: Hola, expect: {max_chars: 9}}, {say: Hola, expect: {max_chars: 9}}]}"
    ),
    "case_with_an_accent_in_its_name": _one(
        manifest(more="tests: {mañana: {conversation: [{say: Hola, expect: {max_chars: 9}}]}}\n")
    ),
    "case_at_no_time": _case('{at: "2026-13-01 10:00", conversation: [{say: Hola, expect: {max_chars: 9}}]}'),
    "case_that_says_a_number": _case("{conversation: [{say: 4, expect: {max_chars: 9}}]}"),
    "case_without_its_file": _case("{file: uno/tests/reserva.yaml}"),
    "case_wrong_in_its_file": _case(
        "{file: uno/reserva.yaml}", {"uno/reserva.yaml": "conversation:\n  - say: Hola\n    expet: {max_chars: 9}\n"}
    ),
    "case_file_that_is_empty": _case("{file: uno/reserva.yaml}", {"uno/reserva.yaml": ""}),
    "case_with_a_missing_picture": _case("{conversation: [{files: [uno/foto.jpg], expect: {max_chars: 9}}]}"),
    "expectation_misspelt": _expects("{contain: mesa}"),
    "expectation_of_a_call_of_no_function": _expects("{calls: {crear_reserv: {personas: 4}}}"),
    "expectation_of_an_argument_of_another_type": _expects("{calls: {crear_reserva: {personas: cuatro}}}"),
    "expectation_of_an_unknown_argument": _expects("{calls: {crear_reserva: {persona: 4}}}"),
    "expectation_of_calls_and_none": _expects("{calls: {crear_reserva: }, calls_nothing: true}"),
    "expectation_of_words_and_none": _expects("{no_reply: true, contains: mesa}"),
    "expectation_of_an_unknown_document": _expects("{uses_document: menu.md}"),
    "expectation_in_an_unknown_language": _expects("{language: xx}"),
    "expression_that_explodes": _expects('{matches: "(a+)+b"}'),
    "expression_that_is_none": _expects('{matches: "(mesa"}'),
    "judge_that_must_pass_too_often": _expects("{judge: {criterion: es amable, times: 2, passes: 3}}"),
    "fixture_that_does_not_fit_its_function": _case(
        "{functions: [{name: crear_reserva, arguments: {personas: '4'}, answer: 17}],"
        " conversation: [{say: Hola, expect: {max_chars: 9}}]}"
    ),
    "fixture_of_no_function": _case(
        "{functions: [{name: anular, answer: 17}], conversation: [{say: Hola, expect: {max_chars: 9}}]}"
    ),
    "fixture_of_a_built_in_tool": _case(
        "{functions: [{name: hand_over, answer: 17}], conversation: [{say: Hola, expect: {max_chars: 9}}]}"
    ),
    "default_case_that_a_client_cannot_meet": {
        "_defaults.yaml": "tests: {reserva: {conversation: [{say: Hola, expect: {calls: {crear_reserva: }}}]}}\n",
        "uno.yaml": manifest(),
    },
    # several files
    "desk_inbox_taken_twice": {
        "uno.yaml": manifest(more=_desk()),
        "dos.yaml": manifest("dos", "+56961234502", more=_desk()),
    },
    "number_taken_twice": {"uno.yaml": manifest(), "dos.yaml": manifest("dos")},
    "id_taken_twice": {"uno.yaml": manifest(), "otro.yaml": manifest(number="+56961234502")},
    "errors_in_every_file": {
        "a.yaml": "id: [\n",
        "b.yaml": manifest("b", more="x: 1\ny: 2\n"),
        "c.yaml": manifest("c", "+56961234503"),
        "d.yml": b"\xff",
    },
    "underscore_file": {"uno.yaml": manifest(), "_otro.yaml": "state: paused\n"},
    "defaults_wrong_once": {
        "_defaults.yaml": "assistant: {modle: x, max_output_tokens: many}\n",
        "dos.yaml": manifest("dos", "+56961234502"),
        "uno.yaml": manifest(),
    },
    "defaults_with_an_id": {"_defaults.yaml": "id: todos\nstate: absent\n", "uno.yaml": manifest()},
    "defaults_unreadable": {
        "_defaults.yaml": "assistant: [\n",
        "uno.yaml": manifest().replace("  model: gpt-6-luna\n", ""),
    },
}
