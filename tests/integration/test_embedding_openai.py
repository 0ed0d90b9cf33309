"""What an embedding server can do wrong, and what is made of it."""

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import numpy as np
import pytest

from knowledge.embedding import OpenAIEmbedder, Recipe, ServerLimits
from knowledge.embedding.openai import open_openai_embedder
from knowledge.errors import (
    EmbeddingError,
    EmbeddingServerBusyError,
    EmbeddingServerRefusedError,
    EmbeddingServerUnreachableError,
    EmbeddingVectorsError,
)
from tests.openai_server import DIMENSIONS, KEY, MOST_INPUTS, OpenAIServer, hashed, serve

OPENED: list[OpenAIEmbedder] = []
TEXTS = ["Twenty-five days of leave.", "The kitchen is cleaned on Friday.", "Laptops last."]


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with serve() as running:
        yield running


@pytest.fixture(autouse=True)
async def opened() -> AsyncIterator[None]:
    """Closes what a test has opened."""
    yield
    while OPENED:
        await OPENED.pop().close()


def embedder(
    server: OpenAIServer, model: str = "good", *, key: str = KEY, retries: int = 0, **recipe: Any
) -> OpenAIEmbedder:
    limits = ServerLimits(inputs=MOST_INPUTS, tokens=2000, concurrency=2, retries=retries)
    recipe.setdefault("dimensions", DIMENSIONS)
    dimensions = recipe["dimensions"]
    OPENED.append(
        OpenAIEmbedder(Recipe(model, server.url, **recipe), dimensions, api_key=key, limits=limits)
    )
    return OPENED[-1]


@pytest.mark.parametrize(
    ("model", "expected", "advice"),
    [
        ("rate-limited", EmbeddingServerBusyError, "quota"),
        ("overloaded", EmbeddingServerBusyError, "Wait"),
        ("broken", EmbeddingError, "its log"),
        ("forbidden", EmbeddingServerRefusedError, "LOREWISE_EMBEDDING_API_KEY"),
        ("unknown", EmbeddingServerRefusedError, "LOREWISE_EMBEDDING_MODEL"),
        ("too-few", EmbeddingVectorsError, "2 vectors.*for 3 texts"),
        ("twice-the-same", EmbeddingVectorsError, r"3 vectors, numbered \[0, 1, 0\]"),
        ("another-length", EmbeddingVectorsError, "47, 48 numbers instead of 48"),
        ("not-a-number", EmbeddingVectorsError, "without a direction"),
        ("zero", EmbeddingVectorsError, "without a direction"),
        ("not-base64", EmbeddingError, "base64"),
    ],
)
async def test_a_failure_says_what_to_do(
    server: OpenAIServer, model: str, expected: type[EmbeddingError], advice: str
) -> None:
    with pytest.raises(expected, match=advice) as raised:
        await embedder(server, model).embed_passages(TEXTS)
    assert type(raised.value) is expected
    assert KEY not in str(raised.value)
    assert server.requests == 1


async def test_a_wrong_key_is_named(server: OpenAIServer) -> None:
    with pytest.raises(EmbeddingServerRefusedError, match="LOREWISE_EMBEDDING_API_KEY"):
        await embedder(server, key="sk-wrong").embed_questions(TEXTS)


async def test_nobody_listening_is_an_error_with_the_address(server: OpenAIServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        server.url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
    with pytest.raises(EmbeddingServerUnreachableError, match=rf"{server.url}.*BASE_URL"):
        await embedder(server).embed_questions(TEXTS)


@pytest.mark.parametrize("model", ["good", "shuffled", "floats-only"])
async def test_every_form_of_an_answer_gives_the_same_vectors(
    server: OpenAIServer, model: str
) -> None:
    vectors = await embedder(server, model).embed_passages(TEXTS)
    expected = np.array([hashed(text, DIMENSIONS) for text in TEXTS])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors, expected, atol=1e-6)


async def test_a_server_that_knows_floats_only_is_asked_for_them_from_then_on(
    server: OpenAIServer,
) -> None:
    one = embedder(server, "floats-only")
    await one.embed_passages(TEXTS)
    await one.embed_passages(TEXTS)
    asked = [body["encoding_format"] for body in server.bodies]
    assert asked == ["base64", "float", "float"]


@pytest.mark.parametrize("model", ["flaky", "half-body"])
async def test_a_short_failure_is_tried_again(server: OpenAIServer, model: str) -> None:
    vectors = await embedder(server, model, retries=2).embed_passages(TEXTS)
    assert vectors.shape == (3, DIMENSIONS)
    assert server.requests == 2


async def test_a_rate_limit_is_waited_for_as_long_as_the_server_says(server: OpenAIServer) -> None:
    began = time.monotonic()
    await embedder(server, "once-limited", retries=2).embed_passages(TEXTS)
    assert 0.9 < time.monotonic() - began < 5
    assert server.requests == 2


async def test_retries_have_an_end(server: OpenAIServer) -> None:
    with pytest.raises(EmbeddingServerBusyError):
        await embedder(server, "overloaded", retries=1).embed_passages(TEXTS)
    assert server.requests == 2


async def test_requests_keep_to_the_limits_and_few_run_at_once(server: OpenAIServer) -> None:
    texts = [f"leave {number} " * (number % 90 + 1) for number in range(100)]
    vectors = await embedder(server).embed_passages(texts)
    assert vectors.shape == (100, DIMENSIONS)
    assert max(len(body["input"]) for body in server.bodies) == MOST_INPUTS
    assert server.most_embedding == 2
    assert [text for body in server.bodies for text in body["input"]]


async def test_more_than_the_server_takes_is_halved_until_it_does(server: OpenAIServer) -> None:
    limits = ServerLimits(inputs=50, tokens=50_000, retries=0)
    OPENED.append(
        OpenAIEmbedder(Recipe("good", server.url), DIMENSIONS, api_key=KEY, limits=limits)
    )
    greedy = OPENED[-1]
    texts = ["leave " * 300] * 3 + ["pay"] * 40
    vectors = await greedy.embed_passages(texts)
    assert vectors.shape == (43, DIMENSIONS)
    assert (vectors[:3] == vectors[0]).all()
    assert (vectors[3:] == vectors[3]).all()


async def test_a_text_that_the_server_counts_as_too_long_is_cut_and_it_is_told(
    server: OpenAIServer, caplog: pytest.LogCaptureFixture
) -> None:
    wide = embedder(server, width_tokens=8000)
    with caplog.at_level(logging.WARNING):
        vectors = await wide.embed_passages(["pay", "leave " * 700])
    assert vectors.shape == (2, DIMENSIONS)
    assert "cut" in caplog.text
    assert not vectors.T[vectors[1] == 0].any() or (vectors[0] != vectors[1]).any()


async def test_prompts_options_and_dimensions_are_sent(server: OpenAIServer) -> None:
    one = embedder(
        server,
        dimensions=16,
        query_prompt="query: ",
        passage_prompt="passage: ",
        query_options={"task": "retrieval.query"},
        passage_options={"task": "retrieval.passage"},
    )
    assert (await one.embed_passages(["leave"])).shape == (1, 16)
    assert (await one.embed_questions(["leave"])).shape == (1, 16)
    passage, question = server.bodies
    assert (passage["input"], passage["task"]) == (["passage: leave"], "retrieval.passage")
    assert (question["input"], question["task"]) == (["query: leave"], "retrieval.query")
    assert passage["dimensions"] == question["dimensions"] == 16


async def test_without_dimensions_one_text_is_embedded_to_see(server: OpenAIServer) -> None:
    recipe = Recipe("good", server.url)
    seen = await asyncio.to_thread(open_openai_embedder, recipe, api_key=KEY)
    OPENED.append(seen)
    assert (seen.name, seen.dimensions) == (f"good@{DIMENSIONS}", DIMENSIONS)
    assert "dimensions" not in server.bodies[0]


def test_the_name_changes_with_what_makes_other_vectors_of_passages(server: OpenAIServer) -> None:
    plain, prompted, asked = (
        embedder(server).name,
        embedder(server, passage_prompt="passage: ").name,
        embedder(server, query_prompt="query: ").name,
    )
    assert plain == asked != prompted


async def test_a_question_overtakes_the_passages_of_a_long_indexing_run(
    server: OpenAIServer,
) -> None:
    one = embedder(server)
    indexing = asyncio.create_task(one.embed_passages(["leave"] * MOST_INPUTS * 60))
    await asyncio.sleep(0.05)
    await one.embed_questions(TEXTS)
    assert not indexing.done()
    await indexing
