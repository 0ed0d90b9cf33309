"""Continuous batching: one thread, one model, many questions at different places.

Each turn of the loop reads one piece of one joining prompt, then generates one token for every
running row. So a new question is answered beside the running ones, and an old one is held up by
one piece of prompt at most. Transformers has a continuous batching of its own; on a CPU it
took nearly three times as long as its plain `generate` (docs/LOG.md).

A row's greedy text is the same as alone, up to rounding: a batch of another size takes other
matrix kernels, sums in another order, and where two tokens are equally likely to within
bfloat16's three digits, the other one may win.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from knowledge.errors import GenerationError, OutOfMemoryError
from knowledge.generation.slots import SlotCache
from knowledge.generation.text import Detokenizer, StopStrings
from knowledge.hardware import give_way

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel
    from transformers.cache_utils import DynamicCache

logger = logging.getLogger(__name__)

PROMPT_PIECE_TOKENS = 1024
Event = str | GenerationError | None  # a text delta, the error, or the end


@dataclass(slots=True, eq=False)
class Request:
    """One question on its way; `emit` is called in the generation thread."""

    prompt: list[int]
    max_new_tokens: int
    emit: Callable[[Event], None]
    detokenizer: Detokenizer
    stop: StopStrings
    cancelled: bool = False
    done: bool = False
    read: int = 0
    produced: list[int] = field(default_factory=list)
    cache: "DynamicCache | None" = None


class BatchGenerator:
    """Owns the generation thread and everything that runs in it."""

    def __init__(
        self,
        model: "PreTrainedModel",
        *,
        name: str,
        end_tokens: Sequence[int],
        max_rows: int,
        repetition_penalty: float = 1.0,
    ) -> None:
        self._model = model
        self._name = name
        self._end_tokens = frozenset(end_tokens)
        self._max_rows = max_rows
        self._repetition_penalty = repetition_penalty
        self._open: set[Request] = set()
        self._waiting: deque[Request] = deque()
        self._joining: Request | None = None
        self._rows: list[Request] = []
        self._slots = SlotCache(max_rows, model.device)
        self._closing = False
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=f"generate-{name}", daemon=True)
        self._thread.start()

    @property
    def active(self) -> int:
        """How many questions wait or run."""
        return len(self._open)

    def submit(self, request: Request) -> None:
        """Take a question; its events come through `request.emit`."""
        with self._wake:
            if self._closing:
                raise GenerationError(f"The chat model {self._name} is closed. Restart Lorewise.")
            self._open.add(request)
            self._waiting.append(request)
            self._wake.notify()

    def close(self) -> None:
        """End every question with an error and stop the thread; returns when it has stopped."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        import torch

        give_way()
        with torch.inference_mode():
            while self._wait():
                try:
                    self._read_prompt()
                    self._generate()
                except Exception as error:  # the edge of the thread: it must live on
                    logger.exception(
                        "A step of the chat model failed.",
                        extra={"action": "generation_failed", "model": self._name},
                    )
                    self._fail_running(_explained(error, self._name))
        closed = GenerationError(f"The chat model {self._name} was closed. Ask again.")
        self._fail_running(closed)
        while self._waiting:
            self._finish(self._waiting.popleft(), closed)

    def _wait(self) -> bool:
        """Sleep until there is work; False when closing."""
        with self._wake:
            while not (self._closing or self.active):
                self._wake.wait()
            self._drop_cancelled()
            if self._joining is None and self._waiting and len(self._rows) < self._max_rows:
                self._joining = self._waiting.popleft()
            return not self._closing

    def _drop_cancelled(self) -> None:
        self._open = {one for one in self._open if not one.cancelled}
        self._waiting = deque(one for one in self._waiting if not one.cancelled)
        if self._joining and self._joining.cancelled:
            self._joining = None
        for row in reversed(range(len(self._rows))):
            if self._rows[row].cancelled:
                self._leave(row)

    def _read_prompt(self) -> None:
        """Read the next piece of the joining prompt; after the last one the row joins."""
        request = self._joining
        if request is None:
            return
        try:
            logits = self._read_piece(request)
        except Exception as error:  # it is this prompt's alone: the others go on
            logger.exception(
                "A prompt could not be read.",
                extra={"action": "generation_failed", "model": self._name},
            )
            self._joining = None
            self._finish(request, _explained(error, self._name))
            return
        if logits is None:
            return
        self._joining = None
        self._take(request, self._choose(logits, [request])[0])
        if not request.done and request.cache is not None:
            self._slots.join(request.cache)
            request.cache = None
            self._rows.append(request)

    def _read_piece(self, request: Request) -> "torch.Tensor | None":
        """The logits (1, vocabulary) of the first token, or None while the prompt goes on."""
        import torch
        from transformers.cache_utils import DynamicCache

        if request.cache is None:
            request.cache = DynamicCache()
        piece = request.prompt[request.read : request.read + PROMPT_PIECE_TOKENS]
        out = self._model(
            input_ids=torch.tensor([piece], device=self._model.device),
            past_key_values=request.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        request.read += len(piece)
        logits: torch.Tensor = out.logits[:, -1]
        return logits if request.read == len(request.prompt) else None

    def _generate(self) -> None:
        """One token for every running row."""
        import torch

        if not self._rows:
            return
        device = self._model.device
        positions, mask = self._slots.begin_step(self._model.dtype)
        out = self._model(
            input_ids=torch.tensor([[row.produced[-1]] for row in self._rows], device=device),
            attention_mask=mask,
            position_ids=positions,
            past_key_values=self._slots,
            use_cache=True,
            logits_to_keep=1,
        )
        self._slots.end_step()
        chosen = self._choose(out.logits[:, -1], self._rows)
        for row in reversed(range(len(self._rows))):  # from the end: leaving moves the last row
            self._take(self._rows[row], chosen[row])
            if self._rows[row].done:
                self._leave(row)

    def _choose(self, logits: "torch.Tensor", requests: Sequence[Request]) -> list[int]:
        """The likeliest token of each row."""
        if self._repetition_penalty != 1.0:
            for row, request in enumerate(requests):
                self._penalise(logits[row], request.produced)
        chosen: list[int] = logits.argmax(dim=-1).tolist()
        return chosen

    def _penalise(self, logits: "torch.Tensor", produced: list[int]) -> None:
        """Make what the answer has said less likely; quoting the prompt stays free of charge."""
        seen = list(set(produced))
        scores = logits[seen]
        penalty = self._repetition_penalty
        logits[seen] = scores.where(scores < 0, scores / penalty).where(
            scores >= 0, scores * penalty
        )

    def _take(self, request: Request, token: int) -> None:
        """Add a token to a row's text, and end the row where it ends."""
        request.produced.append(token)
        if token not in self._end_tokens:
            text = request.stop.add(request.detokenizer.add(token))
            if text:
                request.emit(text)
            if not request.stop.stopped and len(request.produced) < request.max_new_tokens:
                return
        rest = request.stop.rest()
        if rest:
            request.emit(rest)
        self._finish(request, None)

    def _finish(self, request: Request, event: Event) -> None:
        """Tell the waiter how it ended."""
        request.done = True
        request.cache = None
        self._open.discard(request)
        request.emit(event)

    def _leave(self, row: int) -> None:
        last = self._rows.pop()
        if row < len(self._rows):
            self._rows[row] = last
        self._slots.leave(row)

    def _fail_running(self, error: GenerationError) -> None:
        failed, self._rows = self._rows, []
        if self._joining:
            failed.append(self._joining)
            self._joining = None
        self._slots = SlotCache(self._max_rows, self._model.device)
        for request in failed:
            self._finish(request, error)


def _explained(error: Exception, name: str) -> GenerationError:
    import torch

    out_of_memory: tuple[Any, ...] = (torch.OutOfMemoryError, MemoryError)
    if isinstance(error, out_of_memory) or "can't allocate memory" in str(error):
        return OutOfMemoryError(
            f"The chat model {name} ran out of memory. Give it fewer passages or fewer questions "
            f"at once, a smaller model, or NF4 quantisation."
        )
    return GenerationError(f"The chat model {name} failed: {type(error).__name__}: {error}")
