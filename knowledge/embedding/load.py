"""Which embedder to use: one in this process, or one behind a server."""

from pathlib import Path
from typing import TYPE_CHECKING

from knowledge.embedding.recipe import Recipe

if TYPE_CHECKING:
    from pydantic import SecretStr

    from knowledge.embedding.local import SentenceEmbedder
    from knowledge.embedding.openai import OpenAIEmbedder, ServerLimits


def open_embedder(
    recipe: Recipe,
    models_dir: Path,
    *,
    api_key: "SecretStr | str | None" = None,
    limits: "ServerLimits | None" = None,
) -> "SentenceEmbedder | OpenAIEmbedder":
    """With a `base_url` the model of that OpenAI-compatible server, else one in this process.

    Takes seconds: call it off the event loop. Raises ModelNotFoundError, ModelConversionError,
    EmbeddingError.
    """
    if recipe.base_url:
        from knowledge.embedding.openai import open_openai_embedder

        return open_openai_embedder(recipe, api_key=api_key, limits=limits)
    from knowledge.embedding.local import load_embedder

    return load_embedder(
        recipe.model,
        models_dir,
        query_prompt=recipe.query_prompt,
        passage_prompt=recipe.passage_prompt,
        mark=recipe.mark,
    )
