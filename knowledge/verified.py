"""Approved answers, found by meaning before anything is generated."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

from pgvector import HalfVector
from sqlalchemy import text as sql
from sqlalchemy.ext.asyncio import AsyncConnection

from knowledge.database import Database
from knowledge.embedding import Embedder
from knowledge.relevance import scale_of
from knowledge.statements import read_statements
from knowledge.wording import FUNCTION_WORDS, terms

_NEAREST = sql(read_statements(Path(__file__).with_name("verified.sql"))["nearest"])

SAME_MEANING = 0.85
"""Relevance between two questions from which they may mean the same. Meaning alone does not tell
"sick leave" from "parental leave": their content words must be the same too."""


@dataclass(frozen=True, slots=True)
class Source:
    """A document that an approved answer stands on."""

    title: str
    url: str | None


@dataclass(frozen=True, slots=True)
class Verified:
    """An approved answer."""

    id: UUID
    question: str
    answer: str
    approver: str
    approved_at: datetime
    sources: tuple[Source, ...]


class VerifiedAnswers:
    """The approved answers of one database."""

    def __init__(self, database: Database, embedder: Embedder) -> None:
        """`embedder` should read all languages that are asked in."""
        self._database = database
        self._embedder = embedder

    async def find(
        self, question: str, language: str, principals: frozenset[str]
    ) -> Verified | None:
        """The approved answer to a question of the same meaning, or None."""
        async with self._database.acting_as(principals) as connection:
            if not await _any(connection):
                return None  # nothing approved yet: spare the embedding
        [vector] = await self._embedder.embed_questions([question])
        async with self._database.acting_as(principals) as connection:
            rows = await connection.execute(
                _NEAREST, {"vector": HalfVector(vector).to_text(), "model": self._embedder.name}
            )
            found = rows.all()
        scale = scale_of(self._embedder.name)
        for row in found:
            if self._same(question, row.question, language, scale.relevance(row.cosine)):
                sources = tuple(Source(item["title"], item["url"]) for item in row.sources)
                return Verified(
                    row.id, row.question, row.answer, row.approver, row.approved_at, sources
                )
        return None

    def _same(self, asked: str, approved: str, language: str, relevance: float) -> bool:
        if relevance < SAME_MEANING:
            return False
        first, second = terms(asked, language), terms(approved, language)
        return (
            first.negated == second.negated
            and first.stems - FUNCTION_WORDS == second.stems - FUNCTION_WORDS
        )

    async def approve(
        self,
        question: str,
        answer: str,
        *,
        approver: str,
        acl_id: int,
        sources: Sequence[Source] = (),
    ) -> UUID:
        """Store an approved answer under the ACL of its sources; it serves the next asker."""
        [vector] = await self._embedder.embed_questions([question])
        key = uuid4()
        async with self._database.indexer.begin() as connection:
            await connection.execute(
                sql(
                    "INSERT INTO verified_answer VALUES (:id, :question, :answer, :approver, :at, "
                    "CAST(:sources AS jsonb), :acl_id, :model, CAST(:vector AS halfvec))"
                ),
                {
                    "id": key,
                    "question": question,
                    "answer": answer,
                    "approver": approver,
                    "at": datetime.now(UTC),
                    "sources": json.dumps([{"title": s.title, "url": s.url} for s in sources]),
                    "acl_id": acl_id,
                    "model": self._embedder.name,
                    "vector": HalfVector(vector).to_text(),
                },
            )
        return key


async def _any(connection: AsyncConnection) -> bool:
    rows = await connection.execute(sql("SELECT EXISTS (SELECT FROM verified_answer)"))
    return bool(rows.scalar_one())
