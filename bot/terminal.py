"""What the command line shows: progress, hits, answers, votes."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from bot.sync import Indexed
from bot.texts import Texts
from knowledge.conversation import Answer, Citation, Event, Finished, Reason, Sentence
from knowledge.index import Progress as IndexProgress
from knowledge.rebuild import Rebuilt
from knowledge.search import Hit
from training.feedback import Rated

_ABSTAINED: Mapping[Reason, Callable[[Texts], str]] = {
    "no_evidence": lambda texts: texts.get("abstained_no_evidence"),
    "nothing_readable": lambda texts: texts.get("abstained_nothing_readable"),
    "model_failed": lambda texts: texts.get("abstained_model_failed"),
    "model_unreachable": lambda texts: texts.get("abstained_model_unreachable"),
}
Show = Callable[[str, IndexProgress], None]


@contextmanager
def index_progress(console: Console) -> Iterator[Show]:
    """A progress bar with rate and remaining time, one line a source."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[chunks]} chunks, {task.fields[rate]}/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        tasks: dict[str, Any] = {}

        def show(source: str, progress: IndexProgress) -> None:
            if source not in tasks:
                tasks[source] = bar.add_task(source, total=None, chunks=0, rate="0")
            bar.update(
                tasks[source],
                completed=progress.documents_done,
                total=progress.documents_total,
                chunks=progress.chunks,
                rate=f"{progress.chunks_per_second:.0f}",
            )

        yield show


def print_rebuilt(console: Console, rebuilt: Rebuilt) -> None:
    """What new embedding models have cost, and that they are in use."""
    console.print(
        f"Questions are asked with {' and '.join(rebuilt.models)} from now on: {rebuilt.chunks} "
        f"vectors were built in {rebuilt.seconds:.0f} s."
    )
    if rebuilt.longer:
        console.print(
            f"{rebuilt.longer} chunks may be longer than the model reads; their ends are then left "
            "out. To avoid it, lower LOREWISE_CHUNK_WIDTH_TOKENS and index again."
        )


def print_report(console: Console, indexed: Indexed) -> None:
    """A run's counts, and every document that failed or was skipped, with the reason."""
    report = indexed.report
    console.print(
        f"{indexed.source}: {report.seen} seen, {report.added} added, {report.changed} changed, "
        f"{report.unchanged} unchanged, {report.removed} removed, {len(report.failed)} failed, "
        f"{len(report.skipped)} skipped; {report.chunks} chunks in {report.seconds:.1f} s"
    )
    for kind, rows in (("failed", report.failed), ("skipped", report.skipped)):
        for key, reason in rows:
            console.print(f"  {kind} {key}: {reason}", markup=False)


def counts_as_json(indexed: Indexed) -> Mapping[str, Any]:
    """A run's counts and seconds, and what failed or was skipped, by name."""
    report = indexed.report
    named = [
        [{"document": key, "reason": reason} for key, reason in rows]
        for rows in (report.failed, report.skipped)
    ]
    return {
        "source": indexed.source,
        "seen": report.seen,
        "added": report.added,
        "changed": report.changed,
        "unchanged": report.unchanged,
        "removed": report.removed,
        "failed": len(report.failed),
        "skipped": len(report.skipped),
        "failures": named[0],
        "skips": named[1],
        "chunks": report.chunks,
        "seconds": report.seconds,
    }


def found_as_json(hit: Hit) -> Mapping[str, Any]:
    """A hit in the form that the design promises."""
    return {
        "rank": hit.rank,
        "document": hit.document_key,
        "title": hit.title,
        "url": hit.url,
        "chunk": hit.chunk_id,
        "page": hit.page,
        "heading_path": hit.heading_path,
        "score": hit.score,
        "text": hit.text,
    }


def print_hits(console: Console, hits: Sequence[Hit]) -> None:
    """The hits, each with its place and the beginning of its text."""
    if not hits:
        console.print("Nothing was found. Is anything indexed? lorewise sources list")
    for hit in hits:
        page = f", page {hit.page}" if hit.page else ""
        where = hit.full_title
        console.print(f"{hit.rank}. {where} ({hit.document_key}{page})", style="bold", markup=False)
        console.print("   " + " ".join(hit.text.split())[:300], markup=False)


def answer_as_json(answer: Answer) -> Mapping[str, Any]:
    """An answer in the form that the design promises."""
    return {
        "answer": answer.text or None,
        "citations": [_citation_as_json(citation) for citation in answer.citations],
        "nearest": [_citation_as_json(citation) for citation in answer.nearest],
        "state": answer.state,
        "abstained": answer.abstained,
        "reason": answer.reason,
        "verified": asdict(answer.verification) if answer.verification else None,
        "language": answer.language,
        "model": answer.model,
        "adapter": answer.adapter,
        "seconds": asdict(answer.seconds),
    }


def _citation_as_json(citation: Citation) -> Mapping[str, Any]:
    return {
        "n": citation.number,
        "document": citation.document_key,
        "title": citation.title,
        "url": citation.url,
        "page": citation.page,
        "quote": citation.quote,
    }


async def print_answer(console: Console, events: AsyncIterator[Event], *, quiet: bool) -> Answer:
    """Print an answer as it is written; the finished answer is returned."""
    answer: Answer | None = None
    async for event in events:
        if isinstance(event, Sentence) and not quiet:
            marks = "".join(f" [{number}]" for number in event.citations)
            sys.stdout.write(("\n" if event.starts_paragraph else "") + event.text + marks + " ")
            sys.stdout.flush()
        if isinstance(event, Finished):
            answer = event.answer
    if answer is None:
        raise RuntimeError("an answer ended without its last event")
    if not quiet:
        _print_end(console, answer)
    return answer


def _print_end(console: Console, answer: Answer) -> None:
    texts = Texts.of(answer.language)
    if answer.abstained and answer.reason:
        console.print(_ABSTAINED[answer.reason](texts))
    if answer.citations or answer.nearest:
        console.print()
    for citation in answer.citations or answer.nearest:
        page = f", {texts.get('page', page=citation.page)}" if citation.page else ""
        where = " > ".join([citation.title, *citation.heading_path])
        link = f"  {citation.url}" if citation.url else f"  ({citation.document_key})"
        console.print(f"  {citation.number}. {where}{page}{link}", markup=False)
    seconds = answer.seconds
    console.print(f"  {answer.state} in {seconds.total:.1f} s", style="dim")


def print_votes(console: Console, votes: Sequence[Rated]) -> None:
    """The latest votes."""
    table = Table("when", "voter", "vote", "question", "answer", "model")
    for vote in votes:
        table.add_row(
            vote.voted_at.isoformat(" ", "minutes"),
            vote.voter,
            "up" if vote.vote > 0 else "down",
            vote.question[:60],
            vote.answer[:80],
            vote.model or "",
        )
    console.print(table)
