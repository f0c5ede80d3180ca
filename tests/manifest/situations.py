"""Every way in which a folder of manifests can be wrong that has a sentence of its own, by name of the situation."""

from __future__ import annotations

from collections.abc import Mapping

from tests.manifest.fleet_files import Files, manifest, with_tools

KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz012345"
TWILIO_KEY = "SK0123456789abcdef0123456789abcdef"
HEX_TOKEN = "0123456789abcdef0123456789abcdef"
FUNCTION = "- type: function\n  name: crear_reserva\n  endpoint: {url: https://api.example.cl/x}\n"


def _one(text: str | bytes, more: Files | None = None) -> Files:
    return {"uno.yaml": text, **(more or {})}


def _function(parameters: str) -> Files:
    return _one(with_tools(f"{FUNCTION}  parameters: {parameters}"))


SITUATIONS: Mapping[str, Files] = {
    # YAML itself
    "tab_indentation": _one(manifest().replace("  model", "\tmodel")),
    "tab_before_a_list_item": _one(manifest(more="  tools:\n\t- type: web_search\n")),
    "duplicate_key": _one(manifest(more="name: Otra vez\n")),
    "duplicate_key_deep_inside": _one(manifest(more="sender:\n  profile: {about: a, about: b}\n")),
    "not_utf8": _one("id: uno\nname: Café\n".encode("latin-1")),
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
    # tools
    "unknown_tool_type": _one(with_tools("- type: functoin")),
    "tool_without_type": _one(with_tools("- name: x")),
    "tool_that_is_a_text": _one(with_tools("- web_search")),
    "function_with_a_space": _one(with_tools(FUNCTION.replace("crear_reserva", "crear reserva"))),
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
    "password_in_an_address": _one(with_tools(FUNCTION.replace("api.", "ana:c1ave@api."))),
    "several_things_at_once": _one(
        with_tools(f"{FUNCTION}  parameters: {{type: array}}")
        .replace("+56961234501", "+5696123")
        .replace("Responde en español.", "{file: p.md}")
        + "zzz: 1\n"
    ),
    # several files
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
