"""A second, closer look at the best hits: a cross-encoder reads question and passage together.

Optional, since none is bundled: a company with a GPU, or with patience, names one. At most
`CANDIDATES` hits are looked at again; more than about fifty make the result worse
(arXiv:2411.11767), and each costs a run of the model.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from knowledge.errors import ModelNotFoundError
from knowledge.hardware import best_device, best_dtype, give_way
from knowledge.models import hide_progress_bars, resolve_model

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

CANDIDATES = 30
_BATCH = {"cpu": 8, "cuda": 64}


class Reranker(Protocol):
    """Says how well passages answer a question."""

    name: str

    async def scores(self, question: str, passages: Sequence[str]) -> NDArray[np.float32]:
        """A score for each passage, higher is better: (len(passages),)."""
        ...


def load_reranker(model: str, models_dir: Path) -> "CrossEncoderReranker":
    """Load a sentence-transformers cross-encoder by path or hub name.

    Takes seconds: call it off the event loop. Raises ModelNotFoundError.
    """
    from sentence_transformers import CrossEncoder

    folder = resolve_model(model, models_dir, {})
    hide_progress_bars()
    device = best_device()
    try:
        loaded = CrossEncoder(
            str(folder.path),
            device=device,
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"dtype": best_dtype(device), "use_safetensors": True},
        )
    except (OSError, ValueError, ImportError) as error:
        raise ModelNotFoundError(
            f"The folder {folder.path} of the reranking model {model} cannot be loaded: {error} "
            "Set LOREWISE_RERANK_MODEL to a sentence-transformers cross-encoder with safetensors."
        ) from error
    if loaded.config.num_labels != 1:
        raise ModelNotFoundError(
            f"The model {model} tells {loaded.config.num_labels} classes apart and gives no score: "
            "set LOREWISE_RERANK_MODEL to a cross-encoder that was trained to rank."
        )
    return CrossEncoderReranker(loaded, folder.name, _BATCH.get(device, 16))


class CrossEncoderReranker:
    """A Reranker over a cross-encoder; made by `load_reranker`. One question at a time."""

    def __init__(self, model: "CrossEncoder", name: str, batch: int) -> None:
        self.name = name
        self._model, self._batch = model, batch
        self._thread = ThreadPoolExecutor(1, f"rerank-{name}", initializer=give_way)

    async def scores(self, question: str, passages: Sequence[str]) -> NDArray[np.float32]:
        """See Reranker."""
        if not passages:
            return np.empty(0, np.float32)
        pairs = [(question, passage) for passage in passages]
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._predict, pairs)

    async def close(self) -> None:
        """Stop the thread, after the work that it has begun."""
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)

    def _predict(self, pairs: list[tuple[str, str]]) -> NDArray[np.float32]:
        found = self._model.predict(pairs, batch_size=self._batch, show_progress_bar=False)
        return np.asarray(found, np.float32)
