"""What git takes out of a manifest goes live as well, wherever the thing as a whole is ours."""

from __future__ import annotations

from typing import Any

from tests.reconciler.agency import Agency


def function(name: str, *parameters: str) -> dict[str, Any]:
    return {
        "type": "function",
        "name": name,
        "parameters": {"type": "object", "properties": {parameter: {"type": "string"} for parameter in parameters}},
        "endpoint": {"url": f"https://api.lacocina.cl/{name}"},
    }


def test_a_key_of_the_metadata(agency: Agency) -> None:
    agency.declare("la-cocina", metadata={"rubro": "comida", "ciudad": "Santiago"})
    agency.apply()
    agency.declare("la-cocina", metadata={"rubro": "comida"})
    assert agency.changes() == [f"la-cocina/bot/update/{agency.number('la-cocina')}"]
    agency.apply()
    assert agency.snapshot().bots[0].metadata == {"rubro": "comida"}


def test_all_of_the_metadata(agency: Agency) -> None:
    agency.declare("la-cocina", metadata={"rubro": "comida"})
    agency.apply()
    agency.declare("la-cocina")
    agency.apply()
    assert agency.snapshot().bots[0].metadata == {}


def test_a_function(agency: Agency) -> None:
    agency.declare("la-cocina", assistant={"tools": [function("reservar"), function("anular")]})
    agency.apply()
    agency.declare("la-cocina", assistant={"tools": [function("reservar")]})
    agency.apply()
    assert [tool["name"] for tool in agency.snapshot().assistants[0].tools] == ["reservar"]
    assert list(agency.snapshot().bots[0].functions) == ["reservar"]


def test_a_functions_parameter(agency: Agency) -> None:
    agency.declare("la-cocina", assistant={"tools": [function("reservar", "personas", "mesa")]})
    agency.apply()
    agency.declare("la-cocina", assistant={"tools": [function("reservar", "personas")]})
    assert agency.changes() == ["la-cocina/assistant/update/responses"]
    agency.apply()
    assert list(agency.snapshot().assistants[0].tools[0]["parameters"]["properties"]) == ["personas"]


def test_a_functions_parameter_of_a_live_assistant(agency: Agency) -> None:
    engine = {"engine": "assistants"}
    agency.declare("el-viejo", assistant={**engine, "tools": [function("reservar", "personas", "mesa")]})
    agency.apply()
    agency.declare("el-viejo", assistant={**engine, "tools": [function("reservar", "personas")]})
    agency.apply()
    [live] = agency.assistants()
    assert list(live["tools"][0]["function"]["parameters"]["properties"]) == ["personas"]


def test_a_fallback_message(agency: Agency) -> None:
    agency.declare("la-cocina", fallback_message="Ya te respondemos.")
    agency.apply()
    agency.declare("la-cocina")
    agency.apply()
    assert agency.snapshot().bots[0].fallback_message is None


def test_what_somebody_added_to_the_metadata_live_is_drift_and_is_taken_out(agency: Agency) -> None:
    agency.declare("la-cocina", metadata={"rubro": "comida"})
    agency.apply()
    agency.break_in("""UPDATE bots SET metadata = '{"rubro": "comida", "nota": "a mano"}'""")
    assert agency.reconcile("drift").code == 2
    agency.apply()
    assert agency.snapshot().bots[0].metadata == {"rubro": "comida"}


def test_a_profile_field_stays_as_it_is_since_only_declared_ones_are_managed(agency: Agency) -> None:
    agency.declare("la-cocina", sender={"profile": {"about": "Cocina chilena", "vertical": "Restaurant"}})
    agency.apply()
    agency.declare("la-cocina", sender={"profile": {"about": "Cocina chilena"}})
    assert agency.changes() == []
    assert agency.sender("la-cocina")["profile"]["vertical"] == "Restaurant"
