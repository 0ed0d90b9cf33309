"""A chat model behind any OpenAI-compatible server: vLLM, TGI, llama.cpp, Ollama, Azure, OpenAI."""

import logging
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Any

import openai
from pydantic import SecretStr

from knowledge.errors import (
    AnswerCutError,
    ChatServerBusyError,
    ChatServerRateLimitError,
    ChatServerRefusedError,
    ChatServerUnreachableError,
    GenerationError,
    PromptTooLongError,
)
from knowledge.generation.chat import ChatMessage
from knowledge.generation.text import StopStrings

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionChunk

logger = logging.getLogger(__name__)

MAX_SERVER_STOPS = 4  # OpenAI's limit; the others are found on our side
BYTES_PER_TOKEN = 4
TOKENS_PER_MESSAGE = 4  # what a chat template adds around a message
# How servers word it: OpenAI and vLLM, llama.cpp, TGI, Azure.
TOO_LONG = ("context_length", "context length", "context size", "too long", "must be <=")

BAD_KEY = (ChatServerRefusedError, "refuses our key. Set LOREWISE_CHAT_API_KEY to a valid one.")
OVERLOADED = (
    ChatServerBusyError,
    "is overloaded. Ask again in a minute, or give it more replicas.",
)
OTHER_REFUSAL = (ChatServerRefusedError, "refuses the request. Check that it serves {model}.")
OTHER_FAILURE = (GenerationError, "failed. Look into its log, then ask again.")
STATUS: dict[int, tuple[type[GenerationError], str]] = {
    401: BAD_KEY,
    403: BAD_KEY,
    404: (
        ChatServerRefusedError,
        "does not know the model {model}. Check LOREWISE_CHAT_MODEL and LOREWISE_CHAT_BASE_URL.",
    ),
    429: (
        ChatServerRateLimitError,
        "takes no more of our requests for now. Ask again in a minute, or raise the key's quota.",
    ),
    502: OVERLOADED,
    503: OVERLOADED,
    504: OVERLOADED,
    529: OVERLOADED,
}


class OpenAIChatModel:
    """A ChatModel that asks a server; the adapter is chosen by the model's name there."""

    def __init__(
        self,
        model: str,
        base_url: str,
        *,
        api_key: SecretStr | str | None = None,
        adapter: str | None = None,
        connect_timeout_seconds: float = 5.0,
        read_timeout_seconds: float = 60.0,
        retries: int = 2,
    ) -> None:
        """`read_timeout_seconds` is the longest silence; retries end with the first text."""
        key = api_key.get_secret_value() if isinstance(api_key, SecretStr) else api_key
        self.name = model
        self.adapter = adapter
        self._base_url = base_url
        self._client = openai.AsyncOpenAI(
            base_url=base_url,
            api_key=key or "none",  # a local server asks for none, the client insists on one
            max_retries=retries,
            timeout=openai.Timeout(read_timeout_seconds, connect=connect_timeout_seconds),
        )

    def count_tokens(self, messages: Sequence[ChatMessage]) -> int:
        """About: a token for every four UTF-8 bytes, and four a message.

        The server's tokenizer is not known here. English comes out some 10 % high; scripts of
        two or three bytes a character come out higher with today's tokenizers.
        """
        return sum(
            -(-len(one.content.encode()) // BYTES_PER_TOKEN) + TOKENS_PER_MESSAGE
            for one in messages
        )

    async def stream(
        self,
        messages: Sequence[ChatMessage],
        *,
        max_new_tokens: int = 256,
        stop: Sequence[str] = (),
    ) -> AsyncGenerator[str, None]:
        """See ChatModel. Raises the GenerationError that says what the server's answer means."""
        chunks = await self._open(messages, max_new_tokens, stop)
        stopper = StopStrings(stop)
        finished = False
        try:
            async for chunk in chunks:
                text, finished = _read(chunk, finished)
                text = stopper.add(text)
                if text:
                    yield text
                if stopper.stopped:
                    return
        except (openai.APIError, ValueError) as error:
            raise self._cut(f"{type(error).__name__}: {error}") from error
        finally:
            await chunks.close()  # the server sees it and stops generating
        if not finished:
            raise self._cut("the stream ended early")
        rest = stopper.rest()
        if rest:
            yield rest

    async def close(self) -> None:
        """See ChatModel."""
        await self._client.close()

    async def _open(
        self, messages: Sequence[ChatMessage], max_new_tokens: int, stop: Sequence[str]
    ) -> "openai.AsyncStream[ChatCompletionChunk]":
        turns: Any = [{"role": one.role, "content": one.content} for one in messages]
        try:
            return await self._client.chat.completions.create(
                model=self.adapter or self.name,
                messages=turns,
                max_tokens=max_new_tokens,
                temperature=0,
                stop=list(stop[:MAX_SERVER_STOPS]) or openai.omit,
                stream=True,
            )
        except openai.APIError as error:
            raise self._explained(error) from error
        except RuntimeError as error:  # the HTTP client has been closed
            raise GenerationError(
                f"The connection to the chat server {self._base_url} is closed. Restart Lorewise."
            ) from error

    def _explained(self, error: openai.APIError) -> GenerationError:
        if isinstance(error, openai.APIStatusError):
            return self._status(error)
        if isinstance(error, openai.APIConnectionError):
            return ChatServerUnreachableError(
                f"The chat server {self._base_url} does not answer ({type(error).__name__}). "
                f"Check that it runs, LOREWISE_CHAT_BASE_URL, and the network."
            )
        return GenerationError(f"The chat server {self._base_url} failed: {error.message}")

    def _status(self, error: openai.APIStatusError) -> GenerationError:
        status, place = error.status_code, f"The chat server {self._base_url}"
        if status == 413 or (status in {400, 422} and _is_too_long(error)):
            return PromptTooLongError(
                f"{place} says that the prompt is too long for {self.name}: {error.message} "
                f"Give it fewer or shorter passages, or choose a model with a wider context."
            )
        kind, meaning = STATUS.get(status, OTHER_REFUSAL if status < 500 else OTHER_FAILURE)
        model = self.adapter or self.name
        return kind(f"{place} {meaning.format(model=model)} ({status}: {error.message})")

    def _cut(self, reason: str) -> AnswerCutError:
        return AnswerCutError(
            f"The answer of the chat server {self._base_url} broke off ({reason}). Ask again; if "
            f"it happens often, look into the server's log and the proxies in between."
        )


def _read(chunk: "ChatCompletionChunk", finished: bool) -> tuple[str, bool]:
    """The chunk's text, and whether the server has said that the answer is whole."""
    if not chunk.choices:  # usage, or a keep-alive
        return "", finished
    choice = chunk.choices[0]
    return choice.delta.content or "", finished or choice.finish_reason is not None


def _is_too_long(error: openai.APIStatusError) -> bool:
    worded = f"{error.code} {error.message}".lower()
    return any(words in worded for words in TOO_LONG)
