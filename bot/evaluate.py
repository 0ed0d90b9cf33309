"""`lorewise evaluate`: how well it finds, answers and abstains, on files in standard forms."""

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from bot.console import Json, err, opened, out, print_json
from bot.console import settings as load_settings
from bot.sync import policy
from knowledge.assemble import load_embedders, load_second_look
from knowledge.embedding import Embedder
from knowledge.errors import EvaluationDataError
from knowledge.evaluation.collection import Collection, read_collection
from knowledge.evaluation.retrieval import LEGS, RetrievalReport, details, evaluate_retrieval
from knowledge.evaluation.vectors import RememberingEmbedder
from knowledge.search import Weights
from knowledge.settings import KnowledgeSettings

evaluate_app = typer.Typer(
    help="How well it finds, answers and abstains.", no_args_is_help=True, rich_markup_mode=None
)


class TextForm(StrEnum):
    """How the texts of a corpus are read."""

    PLAIN = "plain"
    MARKDOWN = "markdown"

    @property
    def media_type(self) -> str:
        """Its media type."""
        return f"text/{self.value}"


Form = Annotated[TextForm, typer.Option("--form", help="How the corpus's texts are read.")]
Details = Annotated[
    Path | None,
    typer.Option("--details", help="File for one JSON object a question: what was found."),
]
Limit = Annotated[int | None, typer.Option(min=1, help="Ask the first so many questions only.")]


@evaluate_app.command()
def retrieval(
    folder: Annotated[Path, typer.Argument(help="A collection in BEIR's form.")],
    *,
    split: Annotated[str, typer.Option(help="Which qrels file.")] = "test",
    legs: Annotated[str, typer.Option(help="Rankings in use: lexical, dense.")] = "lexical,dense",
    weights: Annotated[str, typer.Option(help="Of the fusion: name=value, comma-separated.")] = "",
    form: Form = TextForm.PLAIN,
    limit: Limit = None,
    details_file: Details = None,
    as_json: Json = False,
) -> None:
    """Measure what the search finds for the questions of a collection, in a scratch schema.

    Example: lorewise evaluate retrieval ~/beir/scifact --legs lexical
    """
    settings, _ = load_settings()
    chosen, legs_in_use = _weights(weights), _names(legs)
    collection = _limited(read_collection(folder, split), limit)
    report = asyncio.run(
        _retrieval(settings, collection, chosen, legs_in_use, form.media_type, quiet=as_json)
    )
    if details_file:
        _write(details_file, details(report, collection))
    if as_json:
        print_json(report.as_json())
    else:
        _print_retrieval(report)


async def _retrieval(
    settings: KnowledgeSettings,
    collection: Collection,
    weights: Weights,
    legs: frozenset[str],
    media_type: str,
    *,
    quiet: bool,
) -> RetrievalReport:
    async with opened(settings) as database:
        embedders = remembering(settings, await load_embedders(settings))
        with steps(quiet=quiet) as step:
            return await evaluate_retrieval(
                database,
                collection,
                policy(embedders),
                width_tokens=settings.chunk_width_tokens,
                weights=weights,
                legs=legs,
                media_type=media_type,
                reranker=await load_second_look(settings),
                indexing=lambda at: step("Indexing", at.documents_done, at.documents_total),
                asking=lambda at: step("Asking", at.done, at.total),
            )


def remembering(
    settings: KnowledgeSettings, embedders: Iterable[Embedder]
) -> tuple[RememberingEmbedder, ...]:
    """The embedders with the vectors of earlier evaluations."""
    folder = settings.home / "evaluation"
    return tuple(RememberingEmbedder(embedder, folder) for embedder in embedders)


Step = Callable[[str, int, int], None]


@contextmanager
def steps(*, quiet: bool) -> Iterator[Step]:
    """A progress bar for each named step, on standard error."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, disable=quiet) as bar:
        tasks: dict[str, Any] = {}

        def step(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=total)
            bar.update(tasks[name], completed=done, total=total)

        yield step


def _names(value: str) -> frozenset[str]:
    names = frozenset(part.strip() for part in value.split(",") if part.strip())
    if not names or names - LEGS:
        raise typer.BadParameter("legs are lexical and dense", param_hint="--legs")
    return names


def _weights(value: str) -> Weights:
    """Read "lexical=0.5,b=0.6"."""
    known = {field.name: type(getattr(Weights(), field.name)) for field in fields(Weights)}
    given: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in value.split(","))):
        name, _, number = part.partition("=")
        try:
            given[name] = known[name](number)
        except (KeyError, ValueError) as error:
            raise typer.BadParameter(
                f"{part!r} is not name=value; names are {', '.join(known)}",
                param_hint="--weights",
            ) from error
    return replace(Weights(), **given)


def _limited(collection: Collection, limit: int | None) -> Collection:
    ids = list(collection.questions)[:limit]
    return replace(collection, questions={id_: collection.questions[id_] for id_ in ids})


def _write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    try:
        with path.open("w", encoding="utf-8") as file:
            for row in rows:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
    except OSError as error:
        raise EvaluationDataError(f"{path} cannot be written: {error.strerror}.") from error


def _print_retrieval(report: RetrievalReport) -> None:
    table = Table("metric", "value")
    for name, value in report.metrics.items():
        table.add_row(name, f"{value:.4f}")
    out.print(table)
    seconds = report.seconds
    out.print(
        f"{report.questions} questions over {report.documents} documents ({report.chunks} chunks), "
        f"indexed in {seconds['index']:.1f} s; a search: {seconds['search_p50'] * 1000:.0f} ms "
        f"(p95 {seconds['search_p95'] * 1000:.0f} ms)"
    )
    for key, reason in report.left_out:
        out.print(f"  left out {key}: {reason}", markup=False)
