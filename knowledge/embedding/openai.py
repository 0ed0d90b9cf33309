"""An embedder behind any OpenAI-compatible server: OpenAI, Azure, Jina, TEI, vLLM, Ollama.

Retries with growing pauses, and Retry-After, are the client library's; what is too long, in the
wrong order or of the wrong size is looked after here.
"""

import asyncio
import base64
import binascii
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import openai
from pydantic import SecretStr

from knowledge.embedding.embedder import Vectors
from knowledge.embedding.estimate import count_all, cut_to_tokens, estimate_tokens
from knowledge.embedding.recipe import Recipe
from knowledge.errors import (
    EmbeddingError,
    EmbeddingServerBusyError,
    EmbeddingServerRefusedError,
    EmbeddingServerUnreachableError,
    EmbeddingVectorsError,
)

if TYPE_CHECKING:
    from openai.types import CreateEmbeddingResponse

logger = logging.getLogger(__name__)

_SPECIAL_TOKENS = 2  # that a tokenizer puts around a text
_NOTHING = "."  # stands for an empty text, which OpenAI refuses
_HIGH = 2
_CUTS = 6  # of a text that the server finds too long: to a fifth of its length
_CUT_SHARE = 0.75
_QUESTION_RETRIES = 2  # an asker waits
# How servers word it: OpenAI, vLLM, TEI, Jina, llama.cpp, Ollama.
_TOO_LONG = ("context length", "context_length", "too long", "maximum input", "must have less than",
             "too large", "input length", "tokens in total")  # fmt: skip
_TOO_MANY = (
    "batch size",
    "too many inputs",
    "max_client_batch_size",
    "array too long",
    "per request",
)

_BAD_KEY = (EmbeddingServerRefusedError, "refuses our key. Set LOREWISE_EMBEDDING_API_KEY.")
_BUSY = (
    EmbeddingServerBusyError,
    "takes no more for now. Wait, lower LOREWISE_EMBEDDING_CONCURRENCY, or raise the key's quota.",
)
_UNKNOWN = (
    EmbeddingServerRefusedError,
    "does not know {model}. Check LOREWISE_EMBEDDING_MODEL and LOREWISE_EMBEDDING_BASE_URL.",
)
_STATUS: dict[int, tuple[type[EmbeddingError], str]] = {
    401: _BAD_KEY,
    403: _BAD_KEY,
    404: _UNKNOWN,
    429: _BUSY,
    502: _BUSY,
    503: _BUSY,
    504: _BUSY,
    529: _BUSY,
}


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """How much a server is asked for at once. 32 inputs is TEI's limit, 2048 OpenAI's."""

    inputs: int = 32
    tokens: int = 50_000
    """Of all inputs of a request, estimated."""
    concurrency: int = 4
    timeout_seconds: float = 60.0
    connect_timeout_seconds: float = 5.0
    retries: int = 5


def open_openai_embedder(
    recipe: Recipe,
    *,
    api_key: SecretStr | str | None = None,
    limits: ServerLimits | None = None,
) -> "OpenAIEmbedder":
    """An embedder of that server. Where `dimensions` are not told, one text is embedded to see.

    Blocks: call it off the event loop. Raises EmbeddingError.
    """
    limits = limits or ServerLimits()
    if recipe.dimensions:
        return OpenAIEmbedder(recipe, recipe.dimensions, api_key=api_key, limits=limits)

    async def seen() -> int:
        probe = OpenAIEmbedder(recipe, None, api_key=api_key, limits=limits)
        try:
            await probe.embed_passages(["How long is a vector?"])
            return probe.dimensions
        finally:
            await probe.close()

    return OpenAIEmbedder(recipe, asyncio.run(seen()), api_key=api_key, limits=limits)


class OpenAIEmbedder:
    """An Embedder that asks a server."""

    def __init__(
        self,
        recipe: Recipe,
        dimensions: int | None,
        *,
        api_key: SecretStr | str | None = None,
        limits: ServerLimits,
    ) -> None:
        """`dimensions` of None: the first answer says."""
        key = api_key.get_secret_value() if isinstance(api_key, SecretStr) else api_key
        self.name = f"{recipe.model}@{dimensions}{recipe.mark}"
        self.dimensions = dimensions or 0
        prompt = recipe.passage_prompt or ""
        self.width_tokens = recipe.width_tokens - estimate_tokens(prompt)
        self._recipe = recipe
        self._limits = limits
        self._encoding = "base64"  # a third of the bytes; some servers know floats only
        self._passages = asyncio.Semaphore(limits.concurrency)  # questions need not wait
        self._client = openai.AsyncOpenAI(
            base_url=recipe.base_url,
            api_key=key or "none",  # a local server asks for none, the client insists on one
            max_retries=limits.retries,
            timeout=openai.Timeout(limits.timeout_seconds, connect=limits.connect_timeout_seconds),
        )

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """See Embedder. An estimate: the server's tokenizer is not known here."""
        return count_all(texts)

    async def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """See Embedder."""
        recipe = self._recipe
        ready = self._ready(texts, recipe.passage_prompt)

        async def embed(batch: Sequence[str]) -> Vectors:
            async with self._passages:
                return await self._embed(batch, recipe.passage_options, self._limits.retries)

        return await self._together([embed(batch) for batch in self._batches(ready)])

    async def embed_questions(self, texts: Sequence[str]) -> Vectors:
        """See Embedder. They overtake passages, and are tried less often: somebody waits."""
        recipe = self._recipe
        retries = min(_QUESTION_RETRIES, self._limits.retries)
        ready = self._ready(texts, recipe.query_prompt)
        return await self._together(
            [self._embed(one, recipe.query_options, retries) for one in self._batches(ready)]
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _together(self, work: Sequence[Any]) -> Vectors:
        if not work:
            return np.empty((0, self.dimensions), np.float32)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one) for one in work]
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from failed  # the others are the same, or follow from it
        return np.concatenate([task.result() for task in tasks])

    def _ready(self, texts: Sequence[str], prompt: str | None) -> list[str]:
        """The texts under their prompt, within the width."""
        # The estimate is up to twice too high; what the server finds too long, it says.
        room = _HIGH * self.width_tokens - _SPECIAL_TOKENS
        cut = [cut_to_tokens(text, room) for text in texts]
        told = sum(len(one) < len(text) for one, text in zip(cut, texts, strict=True))
        if told:
            self._tell_cut(told)
        return [f"{prompt or ''}{text}" if text.strip() else _NOTHING for text in cut]

    def _tell_cut(self, count: int) -> None:
        logger.warning(
            "%d texts are longer than %s reads and were cut at the end; "
            "lower LOREWISE_CHUNK_WIDTH_TOKENS or raise LOREWISE_EMBEDDING_WIDTH_TOKENS.",
            count,
            self._recipe.model,
            extra={"action": "passage_cut", "texts": count},
        )

    def _batches(self, texts: Sequence[str]) -> Iterator[list[str]]:
        """As many texts as one request may hold."""
        batch: list[str] = []
        size = 0
        for text in texts:
            tokens = estimate_tokens(text) + _SPECIAL_TOKENS
            full = len(batch) == self._limits.inputs or size + tokens > self._limits.tokens
            if batch and full:
                yield batch
                batch, size = [], 0
            batch.append(text)
            size += tokens
        if batch:
            yield batch

    async def _embed(
        self, texts: Sequence[str], options: Mapping[str, Any], retries: int, cuts: int = 0
    ) -> Vectors:
        """One request; in halves where it is too much, shortened where one text is too long."""
        try:
            return self._checked(await self._ask(texts, options, retries), len(texts))
        except openai.APIStatusError as error:
            if self._encoding == "base64" and _words(error, ("encoding_format", "base64")):
                self._encoding = "float"
                return await self._embed(texts, options, retries, cuts)
            if not _is_too_much(error) or (len(texts) == 1 and cuts == _CUTS):
                raise self._status(error) from error
        except openai.APIConnectionError as error:
            raise EmbeddingServerUnreachableError(
                f"The embedding server {self._recipe.base_url} does not answer "
                f"({type(error).__name__}). Check that it runs, LOREWISE_EMBEDDING_BASE_URL, and "
                f"the network."
            ) from error
        except (openai.APIError, ValueError, RuntimeError) as error:
            raise EmbeddingError(
                f"The embedding server {self._recipe.base_url} failed "
                f"({type(error).__name__}: {error}). Look into its log."
            ) from error
        if len(texts) == 1:
            self._tell_cut(1)
            shorter = texts[0][: max(1, int(len(texts[0]) * _CUT_SHARE))]
            return await self._embed([shorter], options, retries, cuts + 1)
        middle = len(texts) // 2
        first = await self._embed(texts[:middle], options, retries)
        return np.concatenate([first, await self._embed(texts[middle:], options, retries)])

    async def _ask(
        self, texts: Sequence[str], options: Mapping[str, Any], retries: int
    ) -> "CreateEmbeddingResponse":
        encoding: Any = self._encoding
        return await self._client.with_options(max_retries=retries).embeddings.create(
            model=self._recipe.model,
            input=list(texts),
            dimensions=self._recipe.dimensions or openai.omit,
            encoding_format=encoding,
            extra_body=dict(options) or None,
        )

    def _checked(self, response: "CreateEmbeddingResponse", count: int) -> Vectors:
        """The vectors in the order of the texts, of length one."""
        items = response.data or []
        order: list[int] = [getattr(item, "index", -1) for item in items]
        if sorted(order) != list(range(count)):
            raise self._wrong(f"{len(items)} vectors, numbered {order[:5]} …, for {count} texts")
        rows = [_decoded(item.embedding) for item in items]
        lengths = {len(row) for row in rows}
        if lengths != {self.dimensions or len(rows[0])}:
            raise self._wrong(
                f"vectors of {', '.join(map(str, sorted(lengths)))} numbers instead of "
                f"{self.dimensions}"
            )
        vectors = np.empty((count, len(rows[0])), np.float32)
        vectors[order] = rows
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(norms).all() or not norms.all():
            raise self._wrong("a vector without a direction (zero, or not a number)")
        self.dimensions = self.dimensions or vectors.shape[1]
        found: Vectors = vectors / norms
        return found

    def _wrong(self, what: str) -> EmbeddingVectorsError:
        return EmbeddingVectorsError(
            f"The embedding server {self._recipe.base_url} gave {what}. Check that "
            f"LOREWISE_EMBEDDING_MODEL ({self._recipe.model}) is an embedding model, and "
            f"LOREWISE_EMBEDDING_DIMENSIONS."
        )

    def _status(self, error: openai.APIStatusError) -> EmbeddingError:
        refused = (EmbeddingServerRefusedError, "refuses the request. Look at the reason.")
        failed = (EmbeddingError, "failed. Look into its log, then try again.")
        otherwise = refused if error.status_code < 500 else failed
        kind, meaning = _STATUS.get(error.status_code, otherwise)
        return kind(
            f"The embedding server {self._recipe.base_url} "
            f"{meaning.format(model=self._recipe.model)} ({error.status_code}: {error.message})"
        )


def _decoded(embedding: object) -> Vectors:
    """A vector as it came: base64 of little-endian float32, or a list of numbers."""
    if isinstance(embedding, str):
        try:
            return np.frombuffer(base64.b64decode(embedding, validate=True), "<f4")
        except binascii.Error as error:
            raise ValueError(f"a vector is not base64: {error}") from error
    return np.asarray(embedding, np.float32)


def _is_too_much(error: openai.APIStatusError) -> bool:
    if error.status_code == 413:
        return True
    return error.status_code in {400, 422} and _words(error, _TOO_LONG + _TOO_MANY)


def _words(error: openai.APIStatusError, words: Sequence[str]) -> bool:
    worded = f"{error.code} {error.message}".lower()
    return error.status_code < 500 and any(one in worded for one in words)
