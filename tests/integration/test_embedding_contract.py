"""What every embedder keeps: the one in this process and the one behind a server alike."""

import asyncio
import functools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest

from knowledge.embedding import (
    Embedder,
    OpenAIEmbedder,
    Recipe,
    SentenceEmbedder,
    ServerLimits,
    Vectors,
    load_embedder,
    open_embedder,
)
from tests.openai_server import KEY, MOST_INPUTS, OpenAIServer, serve

pytestmark = pytest.mark.models

TEXTS = [
    "How many days of paid leave does a new employee get?",
    "The kitchen is cleaned every Friday.",
    "كم يومًا من الإجازة المدفوعة يحصل عليها الموظف الجديد؟",
    "新入社員は有給休暇を何日もらえますか。",
]
LIMITS = ServerLimits(inputs=MOST_INPUTS, tokens=2000, retries=0)


@pytest.fixture(scope="module")
def server() -> Iterator[OpenAIServer]:
    with serve() as running:
        yield running


@pytest.fixture(scope="module", params=["all-MiniLM-L6-v2", "multilingual-e5-small", "server"])
def loaded(
    request: pytest.FixtureRequest, models_dir: Path, server: OpenAIServer
) -> tuple[Recipe, Path, OpenAIServer]:
    recipe = Recipe(request.param)
    if request.param == "server":
        recipe = Recipe("shuffled", server.url, query_prompt="ask: ", passage_prompt="read: ")
    return recipe, models_dir, server


@functools.cache
def local(model: str, models_dir: Path) -> SentenceEmbedder:
    """Loading takes a second; nothing of it belongs to a test's loop."""
    return load_embedder(model, models_dir)


@pytest.fixture
async def embedder(
    loaded: tuple[Recipe, Path, OpenAIServer],
) -> AsyncIterator[SentenceEmbedder | OpenAIEmbedder]:
    recipe, models_dir, _ = loaded
    if not recipe.base_url:
        yield local(recipe.model, models_dir)
        return
    one = await asyncio.to_thread(open_embedder, recipe, models_dir, api_key=KEY, limits=LIMITS)
    yield one
    await one.close()


def cosines(first: Vectors, second: Vectors) -> Vectors:
    products: Vectors = (first * second).sum(axis=1)
    return products


async def test_vectors_are_one_a_text_in_its_order_and_of_length_one(embedder: Embedder) -> None:
    texts = [f"{TEXTS[n % 4]} {n}" for n in range(2 * MOST_INPUTS + 3)]
    vectors = await embedder.embed_passages(texts)
    assert vectors.shape == (len(texts), embedder.dimensions)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    alone = np.concatenate([await embedder.embed_passages([text]) for text in texts])
    assert cosines(vectors, alone).min() > 0.999


async def test_questions_and_passages_of_one_meaning_are_near(embedder: Embedder) -> None:
    questions = await embedder.embed_questions(TEXTS)
    passages = await embedder.embed_passages(TEXTS)
    assert ((questions @ passages.T).argmax(axis=1) == np.arange(4)).all()


async def test_nothing_and_empty_texts_are_embedded(embedder: Embedder) -> None:
    for embed in (embedder.embed_passages, embedder.embed_questions):
        assert (await embed([])).shape == (0, embedder.dimensions)
        assert np.isfinite(await embed(["", " \n", "leave"])).all()


async def test_a_text_beyond_the_width_is_cut_not_refused(embedder: Embedder) -> None:
    longest = "leave " * (embedder.width_tokens - 2)
    longer = longest + "kitchen " * 3000
    assert embedder.count_tokens([longer])[0] > 3000
    vectors = await embedder.embed_passages([longest.strip(), longer])
    assert cosines(vectors[:1], vectors[1:]) > 0.999


async def test_what_has_as_many_tokens_as_the_width_is_read_to_its_end(embedder: Embedder) -> None:
    words = ["word"] * embedder.width_tokens
    while embedder.count_tokens([" ".join([*words, "leave"])])[0] > embedder.width_tokens - 2:
        words.pop()
    texts = [" ".join([*words, end]) for end in ("leave", "pay")]
    vectors = await embedder.embed_passages(texts)
    assert (vectors[0] != vectors[1]).any()


async def test_many_may_ask_at_once(embedder: Embedder) -> None:
    asked = await asyncio.gather(*(embedder.embed_questions([text]) for text in TEXTS * 8))
    again = await embedder.embed_questions(TEXTS * 8)
    assert cosines(np.concatenate(asked), again).min() > 0.999


async def test_a_cancelled_run_leaves_the_embedder_usable(embedder: Embedder) -> None:
    running = asyncio.create_task(embedder.embed_passages(["leave " * 100] * 100))
    await asyncio.sleep(0.02)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await embedder.embed_questions(["leave"])).shape == (1, embedder.dimensions)


async def test_a_recipe_makes_the_same_embedder_again(
    loaded: tuple[Recipe, Path, OpenAIServer], embedder: Embedder
) -> None:
    recipe, models_dir, _ = loaded
    again = await asyncio.to_thread(open_embedder, recipe, models_dir, api_key=KEY, limits=LIMITS)
    await again.close()
    assert (again.name, again.dimensions, again.width_tokens) == (
        embedder.name,
        embedder.dimensions,
        embedder.width_tokens,
    )
