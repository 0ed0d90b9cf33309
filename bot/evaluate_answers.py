"""`lorewise evaluate answers` and `lorewise evaluate calibrate`."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from bot.console import Json, opened, out, print_json
from bot.console import settings as load_settings
from bot.evaluate import Form, Step, TextForm, evaluate_app, remembering, steps
from bot.sync import policy
from knowledge.assemble import (
    load_answerer,
    load_embedders,
    load_search,
    open_live_embedders,
)
from knowledge.calibration import Calibration, Calibrations
from knowledge.database import Database
from knowledge.embedding import Embedder
from knowledge.errors import EvaluationDataError, EvaluationError
from knowledge.evaluation.answers import Record, ask_all, figures, fingerprint, record_of
from knowledge.evaluation.calibrate import Curve, Sample, fit, judged, samples_of
from knowledge.evaluation.collection import CorpusDocument, read_corpus
from knowledge.evaluation.folds import hidden_readers, readers_of
from knowledge.evaluation.indexed import indexed_corpus
from knowledge.evaluation.questions import KnownQuestion, chosen, read_questions
from knowledge.search import Search
from knowledge.settings import KnowledgeSettings

__all__ = ["evaluate_app"]

Questions = Annotated[
    Path, typer.Argument(help="A .jsonl of {id, question, answer, documents, answerable}.")
]
Split = Annotated[str | None, typer.Option(help="Only questions of this split.")]
Limit = Annotated[int | None, typer.Option(min=1, help="So many questions only.")]
Seed = Annotated[int | None, typer.Option(help="Draw them at random, always the same ones.")]
OwnCorpus = Annotated[
    Path | None, typer.Option(help="Folder with corpus.jsonl; default: your index.")
]


@evaluate_app.command()
def answers(
    file: Questions,
    *,
    corpus: Annotated[Path, typer.Option(help="Folder with the documents, in corpus.jsonl.")],
    form: Form = TextForm.PLAIN,
    split: Split = None,
    limit: Limit = None,
    sample_seed: Seed = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Questions at a time.")] = 2,
    details: Annotated[
        Path | None,
        typer.Option(help="File for one JSON object an answer; a run that was cut goes on there."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Ask questions whose answers are known, and judge what the answerer says.

    Example: lorewise evaluate answers questions.jsonl --corpus ~/set --limit 50 --sample-seed 1
    """
    settings, _ = load_settings()
    documents = read_corpus(corpus)
    questions = chosen(
        read_questions(file, {document.id for document in documents}),
        split=split,
        limit=limit,
        seed=sample_seed,
    )
    records = asyncio.run(
        _answers(
            settings,
            documents,
            questions,
            form,
            concurrency=concurrency,
            details=details,
            quiet=as_json,
        )
    )
    found = figures(records)
    if as_json:
        print_json(found)
    else:
        _print_figures(found)


async def _answers(
    settings: KnowledgeSettings,
    documents: Sequence[CorpusDocument],
    questions: Sequence[KnownQuestion],
    form: TextForm,
    *,
    concurrency: int,
    details: Path | None,
    quiet: bool,
) -> list[Record]:
    with steps(quiet=quiet) as step:
        async with opened(settings) as database:
            embedders = remembering(settings, await load_embedders(settings))
            async with indexed_corpus(
                database,
                documents,
                policy(embedders),
                width_tokens=settings.chunk_width_tokens,
                media_type=form.media_type,
                progress=lambda at: step("Indexing", at.documents_done, at.documents_total),
            ) as indexed:
                answerer = await load_answerer(settings, indexed.database, embedders)
                run = _run(settings, indexed.chunks, embedders)
                try:
                    return await ask_all(
                        answerer,
                        indexed.database,
                        questions,
                        run=run,
                        known=_known(details, run),
                        concurrency=concurrency,
                        tell=lambda at: step("Asking", at.done, at.total),
                        keep=_keeper(details),
                    )
                finally:
                    await answerer.close()


def _run(settings: KnowledgeSettings, chunks: int, embedders: Iterable[Embedder]) -> str:
    """What answers depend on; records of another run are not taken up."""
    names = ("chat_model", "chat_base_url", "chunk_width_tokens", "passages", "prompt_width_tokens")
    return fingerprint(
        [chunks, *(e.name for e in embedders), *(getattr(settings, name) for name in names)]
    )


def _known(details: Path | None, run: str) -> dict[str, Record]:
    """The answers that an earlier run of the same kind has kept."""
    if details is None or not details.is_file():
        return {}
    found: dict[str, Record] = {}
    for line in details.read_text("utf-8").splitlines():
        try:
            record = record_of(json.loads(line))
        except ValueError:  # the line in which a run was cut
            continue
        if record and record.run == run:
            found[record.id] = record
    return found


def _keeper(details: Path | None) -> Callable[[Record], None] | None:
    if details is None:
        return None

    def keep(record: Record) -> None:
        try:
            with details.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record.as_json(), ensure_ascii=False) + "\n")
        except OSError as error:
            raise EvaluationDataError(f"{details} cannot be written: {error.strerror}.") from error

    return keep


def _print_figures(found: Mapping[str, Any]) -> None:
    table = Table("figure", "value")
    for name, value in found.items():
        table.add_row(name, _shown(value))
    out.print(table)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(each)}" for key, each in value.items())
    return "none" if value is None else str(value)


@evaluate_app.command()
def calibrate(
    file: Questions,
    *,
    corpus: OwnCorpus = None,
    form: Form = TextForm.PLAIN,
    split: Split = None,
    test_split: Annotated[
        str | None, typer.Option(help="Report also what it does with these questions.")
    ] = None,
    limit: Limit = None,
    sample_seed: Seed = None,
    false_refusals: Annotated[
        float, typer.Option(min=0.0, max=0.9, help="Share of answerable questions to refuse.")
    ] = 0.10,
    hide: Annotated[
        bool,
        typer.Option("--hide", help="Ask each question also with its documents hidden."),
    ] = False,
    store: Annotated[
        bool, typer.Option("--store/--no-store", help="Keep it with the index, to decide by.")
    ] = True,
    output: Annotated[Path | None, typer.Option(help="File to write the calibration to.")] = None,
    details: Annotated[
        Path | None, typer.Option(help="File for one JSON object a question: its signals.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Fit the decision to answer on questions of which it is known whether they have an answer.

    Example: lorewise evaluate calibrate questions.jsonl --false-refusals 0.10
    """
    settings, _ = load_settings()
    documents = read_corpus(corpus) if corpus else None
    if hide and documents is None:
        raise typer.BadParameter("hiding needs a --corpus", param_hint="--hide")
    ids = None if documents is None else {document.id for document in documents}
    questions = read_questions(file, ids)
    fitting = chosen(questions, split=split, limit=limit, seed=sample_seed)
    testing = chosen(questions, split=test_split) if test_split else []
    if {each.id for each in fitting} & {each.id for each in testing}:
        raise typer.BadParameter("it holds questions that are fitted on", param_hint="--test-split")
    calibration, curve, tested, samples = asyncio.run(
        _calibrate(
            settings,
            documents,
            fitting,
            testing,
            form,
            false_refusals=false_refusals,
            hide=hide,
            store=store,
            quiet=as_json,
        )
    )
    if output:
        _write(output, json.dumps(calibration.as_json(), indent=1))
    if details:
        _write(details, "\n".join(json.dumps(asdict(sample)) for sample in samples))
    if as_json:
        print_json({**calibration.as_json(), "test": tested})
    else:
        _print_calibration(calibration, curve, tested, stored=store)


async def _calibrate(
    settings: KnowledgeSettings,
    documents: Sequence[CorpusDocument] | None,
    fitting: Sequence[KnownQuestion],
    testing: Sequence[KnownQuestion],
    form: TextForm,
    *,
    false_refusals: float,
    hide: bool,
    store: bool,
    quiet: bool,
) -> tuple[Calibration, Curve, dict[str, Any] | None, list[Sample]]:
    with steps(quiet=quiet) as step:
        async with opened(settings) as database:
            embedders = await _embedders(settings, database, live=documents is None)
            asked = _asked(settings, database, documents, embedders, form=form, step=step)
            async with asked as search:

                async def ask(questions: Sequence[KnownQuestion], name: str) -> list[Sample]:
                    return await samples_of(
                        search,
                        questions,
                        passages=settings.passages,
                        tell=lambda at: step(name, at.done, at.total),
                        hidden=hidden_readers(questions) if hide else None,
                    )

                samples = await ask(fitting, "Asking")
                tests = await ask(testing, "Testing") if testing else []
            calibration, curve = await asyncio.to_thread(
                fit,
                samples,
                [embedder.name for embedder in embedders],
                false_refusals=false_refusals,
            )
            if store:
                await Calibrations(database).store(calibration)
            tested = judged(calibration, tests) if tests else None
            return calibration, curve, tested, samples


async def _embedders(
    settings: KnowledgeSettings, database: Database, *, live: bool
) -> Sequence[Embedder]:
    """Those that your index is asked with, or for a corpus those of the settings."""
    if live:
        return remembering(settings, await open_live_embedders(settings, database))
    return remembering(settings, await load_embedders(settings))


@asynccontextmanager
async def _asked(
    settings: KnowledgeSettings,
    database: Database,
    documents: Sequence[CorpusDocument] | None,
    embedders: Sequence[Embedder],
    *,
    form: TextForm,
    step: Step,
) -> AsyncIterator[Search]:
    """The search that is asked: over your index, or over a corpus in a scratch schema."""
    if documents is None:
        yield await load_search(settings, database, embedders)
        return
    async with indexed_corpus(
        database,
        documents,
        policy(embedders),
        width_tokens=settings.chunk_width_tokens,
        media_type=form.media_type,
        readers=readers_of,
        progress=lambda at: step("Indexing", at.documents_done, at.documents_total),
    ) as indexed:
        yield await load_search(settings, indexed.database, embedders)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text + "\n", "utf-8")
    except OSError as error:
        raise EvaluationError(f"{path} cannot be written: {error.strerror}.") from error


def _print_calibration(
    calibration: Calibration, curve: Curve, tested: Mapping[str, Any] | None, *, stored: bool
) -> None:
    weights = Table("signal", "mean", "coefficient")
    ordered = sorted(calibration.weights.items(), key=lambda item: -abs(item[1].coefficient))
    for name, weight in ordered:
        weights.add_row(name, f"{weight.mean:.3f}", f"{weight.coefficient:+.3f}")
    out.print(weights)
    out.print(_plot(curve), markup=False)
    found = calibration.figures
    out.print(
        f"{found['answerable']} answerable questions, {found['unanswerable']} others; "
        f"cross-validated AUC {curve.auc:.3f}"
    )
    for rate, refused in curve.refused.items():
        out.print(f"  {rate:.0%} false refusals: {refused:.0%} of the others refused")
    if tested:
        out.print(
            f"test: {tested['refused']} of {tested['unanswerable']} others refused, "
            f"{tested['false_refusal']} of {tested['answerable']} answerable ones"
        )
    out.print("It decides from now on." if stored else "It was not stored; the one before decides.")


def _plot(curve: Curve) -> str:
    """Right over false refusals, as bars of characters."""
    rows = [
        f"{false:5.0%} false |{'█' * round(refused * 50):<50}| {refused:.0%} refused"
        for false, refused in curve.points[:11]
    ]
    return "\n".join(rows)
