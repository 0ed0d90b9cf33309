"""Indexing rate against bare SentenceTransformer.encode on the same chunks, in one run.

python -m tests.benchmarks.bench_index [FOLDER] [--models-dir DIR]

Without FOLDER, four copies of the sample knowledge: about 1,300 chunks.

The whole pipeline (reading, cutting, languages, embedding, terms, writing) into a fresh embedded
Postgres, with all-MiniLM-L6-v2 alone, so that both sides do the same embedding: same texts, same
weights, same dtype, same batch size. The bare side runs before and after, for machines in use.
Aim: at least 0.9 of the bare rate.
"""

import argparse
import asyncio
import logging
import shutil
import tempfile
import time
from pathlib import Path

from sentence_transformers import SentenceTransformer

from knowledge.chunking import Chunk, embedding_text
from knowledge.cutting import Embedders, cut_document
from knowledge.database import open_database
from knowledge.embedding import BATCH_PASSAGES, BUNDLED_EMBEDDERS, SentenceEmbedder, load_embedder
from knowledge.errors import ParsingError
from knowledge.hardware import best_device, best_dtype
from knowledge.index import Report, sync
from knowledge.models import resolve_model
from knowledge.parsing import parse
from knowledge.settings import KnowledgeSettings
from knowledge.sources import FolderSource, SourceDocument
from knowledge.sources.registered import register_source

SAMPLE = Path(__file__).resolve().parents[2] / "bot" / "sample" / "knowledge"
MODEL = "all-MiniLM-L6-v2"
WIDTH_TOKENS = 220
AIM = 0.9


async def chunk_texts(folder: Path, embedders: Embedders) -> list[str]:
    """What the pipeline will embed."""
    chunks: list[Chunk] = []
    async for change in FolderSource(str(folder)).changes(None):
        if isinstance(change, SourceDocument):
            try:
                parsed = parse(await change.load(), change.key, change.media_type)
            except ParsingError:
                continue
            chunks += cut_document(parsed, embedders, WIDTH_TOKENS).chunks
    return [embedding_text(chunk) for chunk in chunks]


def bare_rate(model: SentenceTransformer, texts: list[str]) -> float:
    """Chunks a second of the library alone."""
    began = time.perf_counter()
    model.encode(texts, batch_size=BATCH_PASSAGES[best_device()], show_progress_bar=False)
    return len(texts) / (time.perf_counter() - began)


async def index(folder: Path, embedders: Embedders) -> Report:
    """The whole pipeline into a fresh server."""
    with tempfile.TemporaryDirectory(prefix="lorewise-bench-") as home:
        Path(home).chmod(0o755)
        database = await open_database(KnowledgeSettings(home=Path(home)), migrate_first=True)
        registered = await register_source(
            database, name="bench", kind="folder", location=str(folder), principals=["everyone"]
        )
        report = await sync(
            registered, FolderSource(str(folder)), database, embedders, width_tokens=WIDTH_TOKENS
        )
        await database.close()
    return report


async def main() -> None:
    """Read the command line."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", nargs="?", type=Path)
    options.add_argument("--models-dir", type=Path, default=KnowledgeSettings().models_folder)
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="lorewise-bench-") as copies:
        folder = given.folder or four_copies(Path(copies))
        await measure(folder, given.models_dir)


def four_copies(folder: Path) -> Path:
    """Enough that starting up does not decide."""
    for number in range(4):
        shutil.copytree(SAMPLE, folder / str(number))
    return folder


async def measure(folder: Path, models_dir: Path) -> None:
    """Bare, whole, bare."""
    logging.disable(logging.WARNING)

    embedder: SentenceEmbedder = await asyncio.to_thread(load_embedder, MODEL, models_dir)
    device = best_device()
    bare = SentenceTransformer(
        str(resolve_model(MODEL, models_dir, BUNDLED_EMBEDDERS).path),
        device=device,
        local_files_only=True,
        model_kwargs={"dtype": best_dtype(device)},
    )
    embedders: Embedders = [(embedder, lambda _language: True)]
    texts = await chunk_texts(folder, embedders)
    bare_rate(bare, texts[:16])  # the first calls allocate
    await embedder.embed_passages(texts[:16])
    before = bare_rate(bare, texts)
    report = await index(folder, embedders)
    after = bare_rate(bare, texts)
    if report.chunks != len(texts):
        raise SystemExit(f"{report.chunks} chunks were written, {len(texts)} were expected.")
    rate, alone = report.chunks / report.seconds, (before + after) / 2
    print(f"{report.added} documents, {report.chunks} chunks in {report.seconds:.1f} s")
    print(f"whole pipeline     {rate:6.1f} chunks/s")
    print(f"bare encode        {alone:6.1f} chunks/s (before {before:.1f}, after {after:.1f})")
    print(f"ratio              {rate / alone:6.2f} (aim {AIM})")
    await embedder.close()


if __name__ == "__main__":
    asyncio.run(main())
