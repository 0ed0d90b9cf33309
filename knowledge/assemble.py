"""Puts the parts of the knowledge package together as the settings say."""

import asyncio

from knowledge.answer import Answerer
from knowledge.database import Database
from knowledge.embedding import Embedder, load_embedder
from knowledge.generation import load_chat_model
from knowledge.search import Search
from knowledge.settings import KnowledgeSettings


async def load_embedders(settings: KnowledgeSettings) -> tuple[Embedder, ...]:
    """The English embedder and the one of all other languages; one, where both are the same.

    The first run converts the bundled weights, which takes some seconds.
    """
    names = dict.fromkeys([settings.embedding_model, settings.multilingual_embedding_model])
    loaded = [
        await asyncio.to_thread(load_embedder, name, settings.models_folder) for name in names
    ]
    return tuple(loaded)


async def load_answerer(
    settings: KnowledgeSettings, database: Database, embedders: tuple[Embedder, ...]
) -> Answerer:
    """An answerer with the chat model of the settings."""
    chat_model = await asyncio.to_thread(
        load_chat_model,
        settings.chat_model,
        settings.models_folder,
        base_url=settings.chat_base_url,
        api_key=settings.chat_api_key,
        read_timeout_seconds=settings.chat_timeout_seconds,
    )
    return Answerer(
        Search(database, embedders),
        chat_model,
        passages=settings.passages,
        prompt_width_tokens=settings.prompt_width_tokens,
        max_new_tokens=settings.chat_max_new_tokens,
    )
