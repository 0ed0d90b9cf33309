"""The batching loop against transformers' own `generate`, on a small random model in float32.

In float32 rounding decides nothing here, so the tokens must be the very same.
"""

import queue
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoConfig, AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from knowledge.errors import GenerationError, OutOfMemoryError
from knowledge.generation.batch import BatchGenerator, Event, Request
from knowledge.generation.text import Detokenizer, StopStrings

VOCABULARY = 97
END = 96


class Waiter:
    """One request, and what comes out of it."""

    def __init__(self, prompt: list[int], tokens: int, stop: tuple[str, ...] = ()) -> None:
        self.events: queue.Queue[Event] = queue.Queue()
        self.request = Request(
            prompt=prompt,
            max_new_tokens=tokens,
            emit=self.events.put,
            detokenizer=Detokenizer(lambda ids: "".join(f"<{one}>" for one in ids)),
            stop=StopStrings(stop),
        )

    def tokens(self) -> list[int]:
        text = ""
        while (event := self.events.get(timeout=30)) is not None:
            if isinstance(event, GenerationError):
                raise event
            text += event
        return [int(one) for one in text.strip("<>").split("><") if one]


@pytest.fixture(scope="module")
def model() -> LlamaForCausalLM:
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=96,
        intermediate_size=128,
        num_hidden_layers=3,
        num_attention_heads=6,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=4096,
        initializer_range=0.3,  # random weights of the usual size answer one token for ever
        eos_token_id=END,
        pad_token_id=0,
    )
    return LlamaForCausalLM(config).train(False)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def generator(model: LlamaForCausalLM) -> Iterator[BatchGenerator]:
    running = BatchGenerator(model, name="tiny", end_tokens=[END], max_rows=4)
    yield running
    running.close()


def alone(model: Any, prompt: list[int], tokens: int) -> list[int]:
    with torch.inference_mode():
        out = model.generate(torch.tensor([prompt]), max_new_tokens=tokens, do_sample=False)
    produced: list[int] = out[0, len(prompt) :].tolist()
    return [one for one in produced if one != END]


questions = st.lists(
    st.tuples(
        st.lists(st.integers(1, VOCABULARY - 2), min_size=1, max_size=400),
        st.integers(1, 40),
        st.floats(0, 0.02),
    ),
    min_size=1,
    max_size=9,
)


@settings(max_examples=15, deadline=None)
@given(asked=questions)
def test_each_question_gets_the_tokens_that_it_would_get_alone(
    model: LlamaForCausalLM,
    generator: BatchGenerator,
    asked: list[tuple[list[int], int, float]],
) -> None:
    waiters = []
    for prompt, tokens, pause in asked:
        waiters.append(Waiter(prompt, tokens))
        generator.submit(waiters[-1].request)
        time.sleep(pause)
    for waiter, (prompt, tokens, _) in zip(waiters, asked, strict=True):
        assert waiter.tokens() == alone(model, prompt, tokens)
    assert generator.active == 0


@pytest.mark.parametrize("kind", ["phi3", "mistral", "qwen3", "gemma2"])
def test_other_families_of_models_are_served_as_well(kind: str) -> None:
    torch.manual_seed(3)
    config = AutoConfig.for_model(
        kind,
        vocab_size=VOCABULARY,
        hidden_size=96,
        intermediate_size=128,
        num_hidden_layers=4,
        num_attention_heads=6,
        num_key_value_heads=2,
        head_dim=16,
        sliding_window=512,
        initializer_range=0.3,
        bos_token_id=1,
        eos_token_id=END,
        pad_token_id=0,
    )
    other = AutoModelForCausalLM.from_config(config).train(False)  # type: ignore[no-untyped-call]
    running = BatchGenerator(other, name=kind, end_tokens=[END], max_rows=4)
    prompts = [[5, 6, 7], [8] * 40 + [9], [10, 11] * 100]
    waiters = [Waiter(prompt, 25) for prompt in prompts]
    for waiter in waiters:
        running.submit(waiter.request)
    answers = [waiter.tokens() for waiter in waiters]
    running.close()
    assert answers == [alone(other, prompt, 25) for prompt in prompts]


def test_a_prompt_of_several_pieces_is_read_beside_running_answers(
    model: LlamaForCausalLM, generator: BatchGenerator
) -> None:
    long = [1 + (n * 31) % (VOCABULARY - 3) for n in range(2500)]
    short = Waiter([5, 6, 7], 300)
    waiter = Waiter(long, 20)
    generator.submit(short.request)
    generator.submit(waiter.request)
    assert waiter.tokens() == alone(model, long, 20)
    assert short.tokens() == alone(model, [5, 6, 7], 300)


def test_a_row_that_is_cancelled_does_not_disturb_the_others(
    model: LlamaForCausalLM, generator: BatchGenerator
) -> None:
    waiters = [Waiter([n + 1, n + 2, n + 3] * (n + 1), 400) for n in range(6)]
    for waiter in waiters:
        generator.submit(waiter.request)
    waiters[0].events.get(timeout=30)
    for cancelled in (0, 3, 5):  # running, running, still waiting
        waiters[cancelled].request.cancelled = True
    for kept in (1, 2, 4):
        prompt = waiters[kept].request.prompt
        assert waiters[kept].tokens() == alone(model, prompt, 400)
    deadline = time.monotonic() + 5
    while generator.active:
        assert time.monotonic() < deadline


def test_a_repetition_penalty_forbids_what_was_said(model: LlamaForCausalLM) -> None:
    strict = BatchGenerator(
        model, name="tiny", end_tokens=[END], max_rows=2, repetition_penalty=1e9
    )
    waiter = Waiter([3, 1, 4], 30)
    strict.submit(waiter.request)
    tokens = waiter.tokens()
    strict.close()
    assert len(tokens) == len(set(tokens)) > 5


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (RuntimeError("kernel failed"), GenerationError),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), OutOfMemoryError),
        (torch.OutOfMemoryError("CUDA out of memory"), OutOfMemoryError),
    ],
)
@pytest.mark.parametrize("step", [0, 3])
def test_a_failing_step_reaches_every_waiter_and_the_next_question_is_answered(
    model: LlamaForCausalLM, raised: Exception, expected: type[GenerationError], step: int
) -> None:
    calls = 0

    def fail(*_: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == step + 1:
            raise raised

    running = BatchGenerator(model, name="tiny", end_tokens=[END], max_rows=4)
    hook = model.register_forward_pre_hook(fail)
    try:
        failing = Waiter([1, 2, 3], 50)
        running.submit(failing.request)
        with pytest.raises(expected, match="tiny"):
            failing.tokens()
        after = Waiter([4, 5], 10)
        running.submit(after.request)
        assert after.tokens() == alone(model, [4, 5], 10)
    finally:
        hook.remove()
        running.close()


def test_closing_ends_every_question_and_the_thread(model: LlamaForCausalLM) -> None:
    running = BatchGenerator(model, name="closing", end_tokens=[], max_rows=2)
    waiters = [Waiter([1 + n], 4000) for n in range(5)]
    for waiter in waiters:
        running.submit(waiter.request)
    running.close()
    for waiter in waiters:
        with pytest.raises(GenerationError, match="closed"):
            waiter.tokens()
    assert "generate-closing" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(GenerationError, match="closed"):
        running.submit(Waiter([1], 1).request)
