"""The chat model port: messages in, text out as it is generated."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class ChatModel(Protocol):
    """A language model that answers a conversation. Many may ask at once."""

    name: str
    adapter: str | None

    def count_tokens(self, messages: Sequence[ChatMessage]) -> int:
        """The number of tokens of the prompt that these messages become."""
        ...

    def stream(
        self,
        messages: Sequence[ChatMessage],
        *,
        max_new_tokens: int = 256,
        stop: Sequence[str] = (),
    ) -> AsyncGenerator[str, None]:
        """Text deltas, up to the first of `stop` (which is left out), greedy.

        Closing the generator, or cancelling the task that reads it, stops generation and frees
        its place; leave a loop early only under `contextlib.aclosing`. Raises GenerationError.
        """
        ...

    async def close(self) -> None:
        """End what is running with GenerationError and give the resources back."""
        ...
