"""Votes on answers: one a person and answer, and the last by Slack's clock counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

Vote = Literal[-1, 0, 1]
Origin = Literal["button", "reaction"]

# An event that arrives late, or a second time, is not newer than what is there: it changes nothing.
_RECORD = text("""
    INSERT INTO feedback (answer_id, voter, vote, origin, reaction, voted_at)
    SELECT id, :voter, :vote, :origin, :reaction, :voted_at FROM answer WHERE id = :answer_id
    ON CONFLICT (answer_id, voter) DO UPDATE
    SET vote = excluded.vote, origin = excluded.origin, reaction = excluded.reaction,
        voted_at = excluded.voted_at
    WHERE feedback.voted_at < excluded.voted_at
    RETURNING vote
""")
_LAST = text("""
    SELECT vote, origin, reaction, voted_at FROM feedback
    WHERE answer_id = :answer_id AND voter = :voter
""")
# What the vote was when the event happened still holds; what is older than it comes too late.
_CONFIRM = text("""
    UPDATE feedback SET voted_at = :voted_at
    WHERE answer_id = :answer_id AND voter = :voter AND voted_at < :voted_at
""")
_TALLY = text("""
    SELECT count(*) FILTER (WHERE vote = 1), count(*) FILTER (WHERE vote = -1) FROM feedback
    WHERE (CAST(:answer_id AS uuid) IS NULL OR answer_id = :answer_id)
        AND (CAST(:since AS timestamptz) IS NULL OR voted_at >= :since)
""")
_RATED = text("""
    SELECT a.id AS answer_id, q.text AS question, a.text AS answer, a.state, a.model, a.adapter,
        f.voter, f.vote, f.origin, f.reaction, f.voted_at
    FROM feedback f JOIN answer a ON a.id = f.answer_id JOIN question q ON q.id = a.question_id
    WHERE (CAST(:answer_id AS uuid) IS NULL OR a.id = :answer_id)
        AND (:with_taken_back OR f.vote <> 0)
    ORDER BY f.voted_at DESC, a.id, f.voter
    LIMIT :limit
""")
_PASSAGES = text("""
    SELECT answer_id, number, document_key, title, url, text, cited FROM passage
    WHERE answer_id = ANY (:answer_ids) ORDER BY answer_id, number
""")


@dataclass(frozen=True, slots=True)
class LastVote:
    """What a person last said about an answer."""

    vote: Vote
    origin: Origin
    reaction: str | None
    voted_at: datetime


@dataclass(frozen=True, slots=True)
class Tally:
    """How many votes count, up and down."""

    up: int
    down: int


@dataclass(frozen=True, slots=True)
class RatedPassage:
    """A passage that the model saw for a rated answer."""

    number: int
    document_key: str
    title: str
    url: str | None
    text: str
    cited: bool


@dataclass(frozen=True, slots=True)
class Rated:
    """A vote with everything that it is about."""

    answer_id: UUID
    question: str
    answer: str
    state: str
    model: str | None
    adapter: str | None
    voter: str
    vote: Vote
    origin: Origin
    reaction: str | None
    voted_at: datetime
    passages: tuple[RatedPassage, ...]


async def record_vote(
    connection: AsyncConnection,
    answer_id: UUID,
    voter: str,
    vote: Vote,
    *,
    origin: Origin,
    reaction: str | None,
    voted_at: datetime,
) -> bool:
    """Record a vote (0: taken back); False where nothing changed: an older or a repeated event,
    or no such answer. `voter` is a principal, `voted_at` Slack's time."""
    result = await connection.execute(
        _RECORD,
        {
            "answer_id": answer_id,
            "voter": voter,
            "vote": vote,
            "origin": origin,
            "reaction": reaction,
            "voted_at": voted_at,
        },
    )
    return result.first() is not None


async def last_vote(connection: AsyncConnection, answer_id: UUID, voter: str) -> LastVote | None:
    """What the person last said about the answer, taken back or not; None if nothing."""
    result = await connection.execute(_LAST, {"answer_id": answer_id, "voter": voter})
    row = result.first()
    return LastVote(*row) if row else None


async def confirm_vote(
    connection: AsyncConnection, answer_id: UUID, voter: str, *, at: datetime
) -> None:
    """The vote was still the same at that time, so an older event no longer changes it."""
    values = {"answer_id": answer_id, "voter": voter, "voted_at": at}
    await connection.execute(_CONFIRM, values)


async def tally(
    connection: AsyncConnection, answer_id: UUID | None = None, *, since: datetime | None = None
) -> Tally:
    """The votes that count, of one answer or of all."""
    result = await connection.execute(_TALLY, {"answer_id": answer_id, "since": since})
    up, down = result.one()
    return Tally(up, down)


async def rated(
    connection: AsyncConnection,
    answer_id: UUID | None = None,
    *,
    with_taken_back: bool = False,
    limit: int = 100,
) -> Sequence[Rated]:
    """The votes on one answer or on all, newest first, each with answer, model and passages."""
    result = await connection.execute(
        _RATED, {"answer_id": answer_id, "with_taken_back": with_taken_back, "limit": limit}
    )
    rows = result.mappings().all()
    passages = await _passages(connection, list({row["answer_id"] for row in rows}))
    return [Rated(**row, passages=tuple(passages.get(row["answer_id"], ()))) for row in rows]


async def _passages(
    connection: AsyncConnection, answer_ids: list[UUID]
) -> dict[UUID, list[RatedPassage]]:
    found: dict[UUID, list[RatedPassage]] = {}
    for row in await connection.execute(_PASSAGES, {"answer_ids": answer_ids}):
        found.setdefault(row[0], []).append(RatedPassage(*row[1:]))
    return found
