"""Embedding rate and quality against fp32 SentenceTransformer.encode of the same model.

python -m tests.benchmarks.bench_embedding [BEIR_FOLDER] [--model NAME] [--chunks N]

Without BEIR_FOLDER: the sample knowledge, and no nDCG. Both sides embed the same chunks, cut as the
pipeline cuts them, in turns; the baseline is the library with its own defaults (float32, batches of
32 sorted by length). Rates are told by the clock and by the processor's time: the latter also holds
on a machine that others use. nDCG@10 is of dense retrieval alone, exact, over the whole collection
(which takes minutes), each side with its own vectors.
Aim: 2.5 times the rate, nDCG@10 within 1 %.
"""

import argparse
import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from knowledge.chunking import embedding_text
from knowledge.cutting import Embedders, cut_document
from knowledge.embedding import BUNDLED_EMBEDDERS, SentenceEmbedder, Vectors, load_embedder
from knowledge.errors import ParsingError
from knowledge.evaluation.collection import Collection, CorpusSource, read_collection
from knowledge.evaluation.retrieval import metrics
from knowledge.models import resolve_model
from knowledge.parsing import parse
from knowledge.settings import KnowledgeSettings
from knowledge.sources import FolderSource, SourceDocument
from knowledge.sources.source import Source

SAMPLE = Path(__file__).resolve().parents[2] / "bot" / "sample" / "knowledge"
WIDTH_TOKENS = 220
ROUNDS = 3
DEPTH = 100
AIM = 2.5

Embed = Callable[[Sequence[str]], Vectors]


async def chunk_texts(source: Source, embedders: Embedders) -> tuple[list[str], list[str]]:
    """What the pipeline would embed, and the key of the document of each."""
    texts: list[str] = []
    keys: list[str] = []
    async for change in source.changes(None):
        if isinstance(change, SourceDocument):
            try:
                parsed = parse(await change.load(), change.key, change.media_type)
            except ParsingError:
                continue
            for chunk in cut_document(parsed, embedders, WIDTH_TOKENS).chunks:
                texts.append(embedding_text(chunk))
                keys.append(change.key)
    return texts, keys


def timed(embed: Embed, texts: Sequence[str]) -> tuple[float, float, Vectors]:
    """Seconds by the clock and of the processor, and what came out."""
    clock, processor = time.perf_counter(), time.process_time()
    vectors = embed(texts)
    return time.perf_counter() - clock, time.process_time() - processor, vectors


def rates(sides: dict[str, Embed], texts: Sequence[str]) -> dict[str, tuple[float, float]]:
    """The best of some rounds, in turns: what else the machine does only makes one slower."""
    best = {name: (float("inf"), float("inf")) for name in sides}
    for _ in range(ROUNDS):
        for name, embed in sides.items():
            clock, processor, _ = timed(embed, texts)
            best[name] = (min(best[name][0], clock), min(best[name][1], processor))
    return {name: (len(texts) / a, len(texts) / b) for name, (a, b) in best.items()}


def ndcg(collection: Collection, keys: Sequence[str], passages: Vectors, asked: Vectors) -> float:
    """nDCG@10 of documents by their best chunk, by trec_eval's measures."""
    rankings: dict[str, list[str]] = {}
    for question, row in zip(collection.questions, asked @ passages.T, strict=True):
        order = np.argsort(-row, kind="stable")[:DEPTH]
        rankings[question] = list(dict.fromkeys(keys[place] for place in order))
    return metrics(collection.qrels, rankings)["ndcg@10"]


async def main() -> None:
    """Read the command line."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("collection", nargs="?", type=Path)
    options.add_argument("--model", default="all-MiniLM-L6-v2")
    options.add_argument("--chunks", type=int, default=128, help="in each round")
    options.add_argument("--models-dir", type=Path, default=KnowledgeSettings().models_folder)
    given = options.parse_args()
    logging.disable(logging.WARNING)
    ours: SentenceEmbedder = await asyncio.to_thread(load_embedder, given.model, given.models_dir)
    path = resolve_model(given.model, given.models_dir, BUNDLED_EMBEDDERS).path
    exact = SentenceTransformer(
        str(path), device="cpu", local_files_only=True, model_kwargs={"dtype": torch.float32}
    )
    collection = read_collection(given.collection) if given.collection else None
    source: Source = FolderSource(str(SAMPLE))
    if collection is not None:
        source = CorpusSource(str(given.collection), collection.documents)
    texts, keys = await chunk_texts(source, [(ours, lambda _: True)])
    sample = texts[:: max(1, len(texts) // given.chunks)][: given.chunks]
    sides = {"fp32 encode": bare(exact), ours.name: embedding(ours)}
    await compare(sides, sample)
    if collection is not None:
        questions = list(collection.questions.values())
        asked = exact.encode_query(questions, normalize_embeddings=True, show_progress_bar=False)
        first, second = [await asyncio.to_thread(embed, texts) for embed in sides.values()]
        base = ndcg(collection, keys, first, asked)
        got = ndcg(collection, keys, second, await ours.embed_questions(questions))
        print(f"nDCG@10, dense alone, {len(texts)} chunks: fp32 {base:.4f}, ours {got:.4f}")
        print(f"difference {got / base - 1:+.2%}")
    await ours.close()


def bare(model: SentenceTransformer) -> Embed:
    """The library with its defaults."""

    def embed(texts: Sequence[str]) -> Vectors:
        vectors: Vectors = model.encode_document(
            list(texts), normalize_embeddings=True, show_progress_bar=False
        )
        return vectors

    return embed


def embedding(embedder: SentenceEmbedder) -> Embed:
    """Ours, as the pipeline calls it."""
    return lambda texts: asyncio.run(embedder.embed_passages(texts))


async def compare(sides: dict[str, Embed], texts: Sequence[str]) -> None:
    """Print the rates of both sides, and how near their vectors are."""
    for embed in sides.values():
        await asyncio.to_thread(embed, texts[:8])  # the first calls allocate
    found = await asyncio.to_thread(rates, sides, texts)
    for name, (clock, processor) in found.items():
        print(f"{name:26} {clock:6.1f} chunks/s by the clock, {processor:5.1f} a processor second")
    (base_clock, base_processor), (clock, processor) = found.values()
    print(
        f"ratio by the clock {clock / base_clock:.2f}, by the processor "
        f"{processor / base_processor:.2f} (aim {AIM})"
    )
    first, second = [await asyncio.to_thread(embed, texts) for embed in sides.values()]
    print(f"cosine to fp32: {(first * second).sum(axis=1).min():.5f} at least")


if __name__ == "__main__":
    asyncio.run(main())
