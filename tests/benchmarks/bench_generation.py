"""Generation speed on this machine: our port beside bare `model.generate`, in one run.

    python -m tests.benchmarks.bench_generation [--questions 8] [--tokens 64] [--rounds 3]

Prompts of about 700 tokens with distinct passages, greedy, every answer exactly as long as asked
(no end token), so that both sides do the same work. The best of the rounds is printed for each.
"""

import argparse
import asyncio
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from knowledge.generation.chat import ChatMessage
from knowledge.generation.local import LocalChatModel, load_local_chat_model

TEXT = """An employee asks the manager to approve leave before the contract month. The office
policy on travel requires an expense report with a receipt within two weeks. A laptop account
password belongs to the project team. Parental days, sick days and the notice period follow the
salary form."""
WORDS = TEXT.lower().replace(".", "").replace(",", "").split()


def question(seed: int, words: int = 560) -> list[ChatMessage]:
    """A question with passages of its own: a prompt of about 700 tokens."""
    chance = random.Random(seed)
    sentences = [
        " ".join(chance.choices(WORDS, k=12)).capitalize() + "." for _ in range(words // 12)
    ]
    return [
        ChatMessage("system", "Answer from the passages only."),
        ChatMessage("user", f"{' '.join(sentences)}\n\nQuestion: what does rule {seed} say?"),
    ]


def bare(chat: LocalChatModel, messages: list[ChatMessage], tokens: int) -> float:
    """Seconds that `model.generate` takes for one answer."""
    model: Any = chat._generator._model
    prompt = torch.tensor([chat._prompt(messages)])
    started = time.perf_counter()
    with torch.inference_mode():
        out = model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=tokens,
            min_new_tokens=tokens,
            do_sample=False,
        )
    assert out.shape[1] == prompt.shape[1] + tokens
    return time.perf_counter() - started


async def ours(
    chat: LocalChatModel, messages: list[ChatMessage], tokens: int
) -> tuple[float, float]:
    """Seconds to the first text and to the last."""
    started = time.perf_counter()
    first = 0.0
    async for _ in chat.stream(messages, max_new_tokens=tokens):
        first = first or time.perf_counter() - started
    return first, time.perf_counter() - started


async def compare(chat: LocalChatModel, questions: int, tokens: int, rounds: int) -> None:
    chat._generator._end_tokens = frozenset()
    asked = [question(seed) for seed in range(questions)]
    print(f"{chat.name}, {chat.count_tokens(asked[0])} tokens read, {tokens} generated")
    await ours(chat, asked[0], 8)
    alone, one, first, sequential, together, last_first = [], [], [], [], [], []
    for _ in range(rounds):
        alone.append(await asyncio.to_thread(bare, chat, asked[0], tokens))
        to_first, total = await ours(chat, asked[0], tokens)
        first.append(to_first)
        one.append(total)
        started = time.perf_counter()
        for messages in asked:
            await ours(chat, messages, tokens)
        sequential.append(time.perf_counter() - started)
        started = time.perf_counter()
        times = await asyncio.gather(*(ours(chat, messages, tokens) for messages in asked))
        together.append(time.perf_counter() - started)
        last_first.append(max(to_first for to_first, _ in times))
    done = questions * tokens
    print(f"one question: bare {tokens / min(alone):.1f} tok/s, ours {tokens / min(one):.1f} tok/s")
    print(f"  ratio {min(alone) / min(one):.2f} (wanted: at least 0.95)")
    print(f"  first text after {min(first):.2f} s")
    print(f"{questions} questions, one after the other: {done / min(sequential):.1f} tok/s")
    print(f"{questions} questions at once: {done / min(together):.1f} tok/s")
    print(f"  ratio {min(sequential) / min(together):.2f} (wanted: at least 4)")
    print(f"  the last of them has its first text after {min(last_first):.2f} s")
    decoding = min(one) - min(first)
    bound = questions * (min(first) + decoding) / (questions * min(first) + decoding / questions)
    print(f"  reading the prompts bounds that ratio: {bound:.2f} if decoding were free in a batch")


async def whole(chat: LocalChatModel, questions: int, tokens: int, rounds: int) -> None:
    """Compare, and end the model's thread: Python must not end before it."""
    try:
        await compare(chat, questions, tokens, rounds)
    finally:
        await chat.close()


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="SmolLM2-135M-Instruct")
    parser.add_argument("--questions", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--models-dir", type=Path, default=Path(tempfile.gettempdir()) / "lorewise-models"
    )
    given = parser.parse_args()
    chat = load_local_chat_model(given.model, given.models_dir)
    asyncio.run(whole(chat, given.questions, given.tokens, given.rounds))


if __name__ == "__main__":
    main()
