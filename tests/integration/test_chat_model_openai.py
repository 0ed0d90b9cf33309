"""What a chat server can do wrong, and what the user is told."""

import asyncio
import socket
import time
from collections.abc import Iterator

import pytest

from knowledge.errors import (
    AnswerCutError,
    ChatServerBusyError,
    ChatServerRateLimitError,
    ChatServerRefusedError,
    ChatServerUnreachableError,
    GenerationError,
)
from knowledge.generation import ChatMessage
from knowledge.generation.openai import OpenAIChatModel
from tests.openai_server import KEY, OpenAIServer, serve

ASKED = [ChatMessage("user", "How many days of leave do I have?")]


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with serve() as running:
        yield running


async def read(chat: OpenAIChatModel, stop: tuple[str, ...] = ()) -> list[str]:
    try:
        return [text async for text in chat.stream(ASKED, max_new_tokens=40, stop=stop)]
    finally:
        await chat.close()


def chat(
    server: OpenAIServer, model: str, *, retries: int = 0, read_timeout_seconds: float = 30
) -> OpenAIChatModel:
    return OpenAIChatModel(
        model,
        server.url,
        api_key=KEY,
        retries=retries,
        read_timeout_seconds=read_timeout_seconds,
    )


@pytest.mark.parametrize(
    ("model", "expected", "advice"),
    [
        ("rate-limited", ChatServerRateLimitError, "quota"),
        ("overloaded", ChatServerBusyError, "replicas"),
        ("broken", GenerationError, "its log"),
        ("forbidden", ChatServerRefusedError, "LOREWISE_CHAT_API_KEY"),
        ("unknown", ChatServerRefusedError, "LOREWISE_CHAT_MODEL"),
        ("cut", AnswerCutError, "Ask again"),
        ("failing", AnswerCutError, "CUDA error"),
    ],
)
async def test_a_failure_says_what_to_do(
    server: OpenAIServer, model: str, expected: type[GenerationError], advice: str
) -> None:
    with pytest.raises(expected, match=advice) as raised:
        await read(chat(server, model))
    assert type(raised.value) is expected
    assert KEY not in str(raised.value)


async def test_a_wrong_key_is_named(server: OpenAIServer) -> None:
    wrong = OpenAIChatModel("good", server.url, api_key="sk-wrong", retries=0)
    with pytest.raises(ChatServerRefusedError, match="LOREWISE_CHAT_API_KEY"):
        await read(wrong)


async def test_nobody_listening_is_an_error_with_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
    with pytest.raises(ChatServerUnreachableError, match=rf"{url}.*LOREWISE_CHAT_BASE_URL"):
        await read(OpenAIChatModel("good", url, retries=0))


async def test_a_silent_server_is_given_up_after_the_read_time_out(server: OpenAIServer) -> None:
    started = time.monotonic()
    with pytest.raises(AnswerCutError):
        await read(chat(server, "silent", read_timeout_seconds=0.3))
    assert time.monotonic() - started < 3


async def test_a_short_overload_is_retried_before_the_first_text(server: OpenAIServer) -> None:
    assert "".join(await read(chat(server, "flaky", retries=2))).startswith("Every employee has")
    assert server.requests == 2


async def test_an_answer_that_has_begun_is_not_asked_for_again(server: OpenAIServer) -> None:
    with pytest.raises(AnswerCutError):
        await read(chat(server, "cut", retries=2))
    assert server.requests == 1


async def test_stop_strings_beyond_those_that_a_server_takes_still_stop(
    server: OpenAIServer,
) -> None:
    deltas = await read(chat(server, "good"), stop=("1", "2", "3", "4", "twenty"))
    assert "".join(deltas) == "Every employee has "
    assert server.bodies[0]["stop"] == ["1", "2", "3", "4"]


async def test_an_adapter_is_asked_for_by_its_name(server: OpenAIServer) -> None:
    tuned = OpenAIChatModel("base", server.url, api_key=KEY, adapter="adapter-7")
    assert await read(tuned)
    assert server.bodies[0]["model"] == "adapter-7"
    assert (tuned.name, tuned.adapter) == ("base", "adapter-7")


async def test_a_waiting_question_can_be_cancelled(server: OpenAIServer) -> None:
    slow = chat(server, "silent")
    waiting = asyncio.create_task(read(slow))
    while not server.streaming:
        await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    deadline = time.monotonic() + 5
    while server.streaming:
        assert time.monotonic() < deadline, "the server still generates"
        await asyncio.sleep(0.01)
