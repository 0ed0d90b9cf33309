"""Which chat model to use: one in this process, or one behind a server."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pydantic import SecretStr

    from knowledge.generation.chat import ChatModel


def load_chat_model(
    model: str,
    models_dir: Path,
    *,
    adapter: Path | None = None,
    base_url: str | None = None,
    api_key: "SecretStr | str | None" = None,
    connect_timeout_seconds: float = 5.0,
    read_timeout_seconds: float = 60.0,
    quantisation: Literal["nf4"] | None = None,
    repetition_penalty: float = 1.0,
    max_rows: int = 8,
) -> "ChatModel":
    """With `base_url` the model of that OpenAI-compatible server, else a local one.

    A local model is a path, a hub name or a bundled name, and `adapter` the folder of a LoRA
    adapter; at a server the adapter goes by its folder's name. Loading a local model takes
    seconds: call this off the event loop. Raises ModelNotFoundError, ModelConversionError.
    """
    if base_url:
        from knowledge.generation.openai import OpenAIChatModel

        return OpenAIChatModel(
            model,
            base_url,
            api_key=api_key,
            adapter=adapter.name if adapter else None,
            connect_timeout_seconds=connect_timeout_seconds,
            read_timeout_seconds=read_timeout_seconds,
        )
    from knowledge.generation.local import load_local_chat_model

    return load_local_chat_model(
        model,
        models_dir,
        adapter_path=adapter,
        quantisation=quantisation,
        repetition_penalty=repetition_penalty,
        max_rows=max_rows,
    )
