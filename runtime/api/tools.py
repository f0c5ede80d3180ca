"""The tools of an assistant, as the API accepts them. Refused are functions with a name of the runtime's own, and
parameters that OpenAI would refuse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic_core import PydanticCustomError

from schemas.function_names import HINT, reserved
from schemas.function_parameters import Path, json_schema_errors, problems


def checked_tool(tool: dict[str, Any]) -> dict[str, Any]:
    """The tool. Raises the error of the first problem; its context names the place below the tool, as `below`."""
    if tool.get("type") != "function":
        return tool
    if (reason := reserved(str(tool.get("name")))) is not None:
        raise _refused(("name",), f"{reason}. {HINT.removesuffix('.')}")
    if (parameters := tool.get("parameters")) is None:
        return tool
    if not isinstance(parameters, dict):
        raise _refused(("parameters",), "not an object")
    for path, message in _problems(parameters, strict=tool.get("strict") is True):
        raise _refused(("parameters", *path), message)
    return tool


def checked_endpoints(functions: Mapping[str, Any]) -> Mapping[str, Any]:
    """A bot's endpoints by function. Raises ValueError for a name that is the runtime's own."""
    for name in functions:
        if (reason := reserved(name)) is not None:
            raise ValueError(f"{reason}. {HINT.removesuffix('.')}")
    return functions


def _problems(parameters: dict[str, Any], *, strict: bool) -> Iterator[tuple[Path, str]]:
    for problem in problems(parameters, strict=strict):
        yield problem.path, f"{problem.message}. {problem.hint.removesuffix('.')}"
    for path, error in json_schema_errors(parameters):
        yield path, f"not valid JSON Schema, {error.message}"


def _refused(below: Path, message: str) -> PydanticCustomError:
    return PydanticCustomError("function", "{problem}", {"problem": message, "below": below})
