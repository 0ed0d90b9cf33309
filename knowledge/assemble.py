"""Puts the parts of the knowledge package together as the settings say."""

import asyncio
from collections.abc import Sequence

from knowledge.answer import Answerer
from knowledge.database import Database
from knowledge.embedding import Embedder, Recipe, ServerLimits, open_embedder
from knowledge.generation import load_chat_model
from knowledge.generation.chat import ChatModel
from knowledge.live import LiveEmbedders, open_live
from knowledge.rerank import Reranker, load_reranker
from knowledge.search import Search
from knowledge.settings import KnowledgeSettings
from knowledge.summariser import Summariser


def recipes(settings: KnowledgeSettings) -> tuple[Recipe, ...]:
    """The English embedder and the one of all languages; one, where it serves both.

    A model behind a server serves all languages unless another multilingual one is named.
    """
    first = Recipe(
        settings.embedding_model,
        settings.embedding_base_url,
        settings.embedding_dimensions,
        settings.embedding_width_tokens,
        settings.embedding_query_prompt,
        settings.embedding_passage_prompt,
        settings.embedding_query_options,
        settings.embedding_passage_options,
    )
    multilingual = settings.multilingual_embedding_model
    named = "multilingual_embedding_model" in settings.model_fields_set
    if multilingual == first.model or (first.base_url and not named):
        return (first,)
    return (first, Recipe(multilingual))


async def open_recipe(settings: KnowledgeSettings, recipe: Recipe) -> Embedder:
    """Load the embedder of a recipe."""
    limits = ServerLimits(
        inputs=settings.embedding_batch_inputs,
        tokens=settings.embedding_batch_tokens,
        concurrency=settings.embedding_concurrency,
        timeout_seconds=settings.embedding_timeout_seconds,
        retries=settings.embedding_retries,
    )
    return await asyncio.to_thread(
        open_embedder,
        recipe,
        settings.models_folder,
        api_key=settings.embedding_api_key,
        limits=limits,
    )


async def load_embedders(settings: KnowledgeSettings) -> tuple[Embedder, ...]:
    """The embedders of the settings, for a database of one's own: see `recipes`.

    The first run converts the bundled weights, which takes some seconds.
    """
    return tuple([await open_recipe(settings, recipe) for recipe in recipes(settings)])


async def open_live_embedders(settings: KnowledgeSettings, database: Database) -> LiveEmbedders:
    """The embedders that questions are asked with: those whose vectors the database has whole."""
    return await open_live(
        database, recipes(settings), lambda recipe: open_recipe(settings, recipe)
    )


async def load_search(
    settings: KnowledgeSettings, database: Database, embedders: Sequence[Embedder]
) -> Search:
    """A search as the settings say."""
    return Search(database, embedders, reranker=await load_second_look(settings))


async def load_second_look(settings: KnowledgeSettings) -> Reranker | None:
    """The reranker, if the settings name one."""
    if not settings.rerank_model:
        return None
    return await asyncio.to_thread(load_reranker, settings.rerank_model, settings.models_folder)


async def load_summariser(settings: KnowledgeSettings) -> Summariser | None:
    """What writes the summaries of documents, if the settings want them written."""
    return Summariser(await _chat_model(settings)) if settings.summaries == "write" else None


async def _chat_model(settings: KnowledgeSettings) -> ChatModel:
    return await asyncio.to_thread(
        load_chat_model,
        settings.chat_model,
        settings.models_folder,
        base_url=settings.chat_base_url,
        api_key=settings.chat_api_key,
        read_timeout_seconds=settings.chat_timeout_seconds,
    )


async def load_answerer(
    settings: KnowledgeSettings, database: Database, embedders: Sequence[Embedder]
) -> Answerer:
    """An answerer with the chat model of the settings."""
    chat_model = await _chat_model(settings)
    return Answerer(
        await load_search(settings, database, embedders),
        chat_model,
        passages=settings.passages,
        prompt_width_tokens=settings.prompt_width_tokens,
        max_new_tokens=settings.chat_max_new_tokens,
    )
