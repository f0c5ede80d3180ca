"""The tools of an assistant, as the API accepts them: parameters of a function that OpenAI would refuse are refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic_core import PydanticCustomError

from schemas.function_parameters import Path, json_schema_errors, problems


def checked_tool(tool: dict[str, Any]) -> dict[str, Any]:
    """The tool. Raises the error of the first problem; its context names the place below the tool, as `below`."""
    parameters = tool.get("parameters")
    if tool.get("type") != "function" or parameters is None:
        return tool
    if not isinstance(parameters, dict):
        raise _refused(("parameters",), "not an object")
    for path, message in _problems(parameters):
        raise _refused(("parameters", *path), message)
    return tool


def _problems(parameters: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    for problem in problems(parameters):
        yield problem.path, f"{problem.message}. {problem.hint.removesuffix('.')}"
    for path, error in json_schema_errors(parameters):
        yield path, f"not valid JSON Schema, {error.message}"


def _refused(below: Path, message: str) -> PydanticCustomError:
    return PydanticCustomError("function_parameters", "{problem}", {"problem": message, "below": below})
