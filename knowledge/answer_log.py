"""The answer log: every question, what was answered from what, and how long it took."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text as sql

from knowledge.conversation import Answer, Question
from knowledge.database import Database
from knowledge.search import Hit

_QUESTION = sql(
    "INSERT INTO question (id, asked_at, asker, audience, text, language, place) "
    "VALUES (:id, :at, :asker, :audience, :text, :language, CAST(:place AS jsonb)) "
    "ON CONFLICT (id) DO NOTHING"  # a job that runs again asks the same question
)
_ANSWER = sql(
    "INSERT INTO answer (id, question_id, created_at, state, reason, text, model, adapter, "
    "signals, seconds) VALUES (:id, :question_id, :at, :state, :reason, :text, :model, :adapter, "
    "CAST(:signals AS jsonb), CAST(:seconds AS jsonb))"
)
_PASSAGE = sql(
    "INSERT INTO passage VALUES (:answer_id, :number, :chunk_id, :document_key, :title, :url, "
    ":heading_path, :page, :text, :score, :cited, :acl_id)"
)


@dataclass(frozen=True, slots=True)
class AnswerLog:
    """Writes the log."""

    database: Database

    async def ask(self, question: Question, language: str) -> None:
        """Note a question before anything is done about it."""
        async with self.database.app.begin() as connection:
            await connection.execute(
                _QUESTION,
                {
                    "id": question.id,
                    "at": datetime.now(UTC),
                    "asker": question.asker,
                    "audience": sorted(question.audience),
                    "text": question.text,
                    "language": language,
                    "place": json.dumps(dict(question.place)),
                },
            )

    async def finish(
        self, answer: Answer, hits: Sequence[Hit], cited: frozenset[int], signals: dict[str, Any]
    ) -> None:
        """Note a finished answer with its passages; `cited` are their numbers, from 1."""
        passages = [
            {
                "answer_id": answer.id,
                "number": number,
                "chunk_id": hit.chunk_id,
                "document_key": hit.document_key,
                "title": hit.title,
                "url": hit.url,
                "heading_path": list(hit.heading_path),
                "page": hit.page,
                "text": hit.text,
                "score": hit.score,
                "cited": number in cited,
                "acl_id": hit.acl_id,
            }
            for number, hit in enumerate(hits, 1)
        ]
        async with self.database.app.begin() as connection:
            await connection.execute(
                _ANSWER,
                {
                    "id": answer.id,
                    "question_id": answer.question_id,
                    "at": datetime.now(UTC),
                    "state": answer.state,
                    "reason": answer.reason,
                    "text": answer.text,
                    "model": answer.model,
                    "adapter": answer.adapter,
                    "signals": json.dumps(signals),
                    "seconds": json.dumps(asdict(answer.seconds)),
                },
            )
            if passages:
                await connection.execute(_PASSAGE, passages)
