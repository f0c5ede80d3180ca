"""What assistants, threads and runs have in common in what they accept. Nothing here does I/O."""

from collections.abc import Mapping
from typing import Final

from sandbox.openai.shapes import (
    Check,
    array,
    by_type,
    decimal,
    flag,
    integer,
    mapping,
    metadata,
    nullable,
    one_of,
    record,
    tagged,
    text,
)
from sandbox.openai.wire import missing

_SIZES = {"max_chunk_size_tokens": integer(100, 4096), "chunk_overlap_tokens": integer(0)}
_CHUNKS = record(_SIZES, *_SIZES)
CHUNKING: Final = tagged(
    {
        "auto": record({"type": text()}),
        "static": record({"type": text(), "static": _CHUNKS}, "static"),
    }
)
_NEW_STORE = record({"file_ids": array(text(), 10_000), "chunking_strategy": CHUNKING, "metadata": metadata})
_SEARCHABLE = record({"vector_store_ids": array(text(), 1), "vector_stores": array(_NEW_STORE, 1)})


def _searched(value: object, path: str) -> None:
    _SEARCHABLE(value, path)
    if not value:
        raise missing(f"{path}.vector_store_ids")


RESOURCES: Final = nullable(
    record(
        {
            "code_interpreter": record({"file_ids": array(text(), 20)}),
            "file_search": _searched,
        }
    )
)
_NAMED_TOOL = tagged(
    {
        "function": record({"type": text(), "function": record({"name": text()}, "name")}, "function"),
        "file_search": record({"type": text()}),
        "code_interpreter": record({"type": text()}),
    }
)
_FORMAT = tagged(
    {
        "text": record({"type": text()}),
        "json_object": record({"type": text()}),
        "json_schema": record({"type": text(), "json_schema": mapping}, "json_schema"),
    }
)
SAMPLING: Final[Mapping[str, Check]] = {
    "temperature": nullable(decimal(0, 2)),
    "top_p": nullable(decimal(0, 1)),
    "response_format": nullable(by_type(text=one_of("auto"), mapping=_FORMAT)),
}
_IMAGE = {"type": text(), "image_url": mapping, "image_file": mapping}
_CONTENT = by_type(
    text=text(),
    array=array(
        tagged(
            {
                "text": record({"type": text(), "text": text()}, "text"),
                "image_url": record(_IMAGE, "image_url"),
                "image_file": record(_IMAGE, "image_file"),
            }
        ),
        least=1,
    ),
)
_ATTACHED_FOR = array(tagged({"file_search": record({"type": text()}), "code_interpreter": record({"type": text()})}))
MESSAGE: Final = record(
    {
        "role": one_of("user", "assistant"),
        "content": _CONTENT,
        "attachments": nullable(array(record({"file_id": text(), "tools": _ATTACHED_FOR}, "file_id", "tools"))),
        "metadata": metadata,
    },
    "role",
    "content",
)
THREAD: Final = record({"messages": array(MESSAGE), "metadata": metadata, "tool_resources": RESOURCES})
RUN: Final[Mapping[str, Check]] = {
    "assistant_id": text(),
    "model": nullable(text()),
    "instructions": nullable(text()),
    "tools": nullable(array(mapping, 20)),
    "metadata": metadata,
    **SAMPLING,
    "stream": nullable(flag),
    "max_prompt_tokens": nullable(integer(256)),
    "max_completion_tokens": nullable(integer(256)),
    "truncation_strategy": nullable(
        record({"type": one_of("auto", "last_messages"), "last_messages": nullable(integer(1))}, "type")
    ),
    "tool_choice": nullable(by_type(text=one_of("none", "auto", "required"), mapping=_NAMED_TOOL)),
    "parallel_tool_calls": flag,
}
"""Of both ways to start a run."""
OUTPUTS: Final = record(
    {
        "tool_outputs": array(record({"tool_call_id": text(), "output": text()})),
        "stream": nullable(flag),
    },
    "tool_outputs",
)
