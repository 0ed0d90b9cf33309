"""The training package's tables as they are declared."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from knowledge.tables import Base


class Feedback(Base):
    """One person's vote on one answer: 1 up, -1 down, 0 taken back."""

    __tablename__ = "feedback"
    answer_id: Mapped[UUID] = mapped_column(
        ForeignKey("answer.id", ondelete="CASCADE"), primary_key=True
    )
    voter: Mapped[str] = mapped_column(primary_key=True)
    vote: Mapped[int] = mapped_column(SmallInteger)
    origin: Mapped[str]
    reaction: Mapped[str | None]
    voted_at: Mapped[datetime]
    __table_args__ = (
        CheckConstraint("vote IN (-1, 0, 1)", name="feedback_vote_check"),
        CheckConstraint("origin IN ('button', 'reaction')", name="feedback_origin_check"),
    )
