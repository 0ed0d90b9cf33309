"""What every chat model does: one suite for the model in this process and the one behind a server.

The oracle of the local model is `model.generate` of transformers; of the server, its own answer.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from knowledge.errors import GenerationError, PromptTooLongError
from knowledge.generation import ChatMessage, ChatModel, load_chat_model
from knowledge.generation.local import LocalChatModel
from tests.openai_server import ANSWER, KEY, serve

pytestmark = pytest.mark.models

ASKED = [
    ChatMessage("system", "You answer briefly."),
    ChatMessage("user", "Tell me in a few sentences why employees take holidays."),
]
UNICODE = [ChatMessage("user", "Repeat after me: «مرحبا 你好 🎉 año»")]


@dataclass(frozen=True)
class Subject:
    """A chat model with what the suite must know of it."""

    chat: ChatModel
    active: Callable[[], int]
    expected: Callable[[list[ChatMessage], int], str]


def generate(chat: LocalChatModel, messages: list[ChatMessage], tokens: int) -> str:
    model, prompt = chat._generator._model, torch.tensor([chat._prompt(messages)])
    with torch.inference_mode():
        out = model.generate(  # type: ignore[operator]
            prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=tokens, do_sample=False
        )
    return str(chat._tokenizer.decode(out[0, prompt.shape[1] :], skip_special_tokens=True))


@pytest.fixture(scope="module")
def local(models_dir: Path) -> Iterator[LocalChatModel]:
    loaded = load_chat_model("SmolLM2-135M-Instruct", models_dir)
    assert isinstance(loaded, LocalChatModel)
    yield loaded
    loaded._generator.close()


@pytest.fixture(params=["local", "openai"])
async def subject(request: pytest.FixtureRequest, models_dir: Path) -> AsyncIterator[Subject]:
    if request.param == "local":
        local: LocalChatModel = request.getfixturevalue("local")
        yield Subject(
            local,
            lambda: local.active,
            lambda messages, tokens: generate(local, messages, tokens),
        )
        return
    with serve() as server:
        remote = load_chat_model("good", models_dir, base_url=server.url, api_key=KEY)
        yield Subject(
            remote, lambda: server.streaming, lambda _, tokens: " ".join(ANSWER.split(" ")[:tokens])
        )
        await remote.close()


async def read(chat: ChatModel, messages: list[ChatMessage], tokens: int = 24) -> str:
    return "".join([text async for text in chat.stream(messages, max_new_tokens=tokens)])


async def until_idle(subject: Subject, seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while subject.active():
        assert time.monotonic() < deadline, "the place was not freed"
        await asyncio.sleep(0.01)


async def test_the_deltas_are_together_the_whole_greedy_answer(subject: Subject) -> None:
    deltas = [text async for text in subject.chat.stream(ASKED, max_new_tokens=24)]
    assert len(deltas) > 5
    assert all(deltas)
    assert "".join(deltas) == subject.expected(ASKED, 24)


async def test_an_answer_ends_at_max_new_tokens(subject: Subject) -> None:
    short, longer = await read(subject.chat, ASKED, 3), await read(subject.chat, ASKED, 12)
    assert short
    assert longer.startswith(short)
    assert len(longer) > len(short)


async def test_a_stop_string_ends_the_answer_and_is_not_part_of_it(subject: Subject) -> None:
    whole = subject.expected(ASKED, 24)
    stop = whole[20:26]  # across tokens, as it happens
    stream = subject.chat.stream(ASKED, max_new_tokens=24, stop=["not there", stop])
    assert "".join([text async for text in stream]) == whole[: whole.index(stop)]
    await until_idle(subject)


async def test_characters_arrive_whole(subject: Subject) -> None:
    deltas = [text async for text in subject.chat.stream(UNICODE, max_new_tokens=40)]
    assert not any("�" in text for text in deltas)
    whole = subject.expected(UNICODE, 40).rstrip("�")
    assert "".join(deltas) == whole
    assert any(ord(letter) > 127 for letter in whole)


async def test_leaving_a_stream_frees_its_place(subject: Subject) -> None:
    async with aclosing(subject.chat.stream(ASKED, max_new_tokens=900)) as stream:
        async for _ in stream:
            assert subject.active() == 1
            break
    await until_idle(subject)


async def test_cancelling_the_reader_frees_its_place(subject: Subject) -> None:
    begun = asyncio.Event()

    async def ask() -> None:
        async for _ in subject.chat.stream(ASKED, max_new_tokens=900):
            begun.set()

    reader = asyncio.create_task(ask())
    await begun.wait()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    await until_idle(subject)


async def test_many_questions_at_once_are_all_answered(subject: Subject) -> None:
    asked = [[ChatMessage("user", f"What is {n} plus {n}?")] for n in range(10)]
    answers = await asyncio.gather(*(read(subject.chat, one, 8) for one in asked))
    assert all(answers)
    await until_idle(subject)


async def test_a_prompt_that_is_too_long_is_refused_with_the_numbers(subject: Subject) -> None:
    too_long = [ChatMessage("user", "leave " * 9000)]
    with pytest.raises(PromptTooLongError, match=r"\d{4}.*fewer or shorter passages"):
        await read(subject.chat, too_long)
    assert await read(subject.chat, ASKED, 3)


async def test_tokens_are_counted_about_right(subject: Subject) -> None:
    few = subject.chat.count_tokens([ChatMessage("user", "How many days of leave do I have?")])
    many = subject.chat.count_tokens([ChatMessage("user", "How many days of leave? " * 50)])
    assert 8 <= few <= 40
    assert 250 <= many <= 400


@pytest.mark.parametrize("place", ["local", "openai"])
async def test_a_closed_model_answers_with_an_error(place: str, models_dir: Path) -> None:
    with serve() as server:
        chat = load_chat_model(
            "good" if place == "openai" else "SmolLM2-135M-Instruct",
            models_dir,
            base_url=server.url if place == "openai" else None,
            api_key=KEY,
        )
        assert await read(chat, ASKED, 2)
        await chat.close()
        with pytest.raises(GenerationError, match="closed"):
            await read(chat, ASKED)
