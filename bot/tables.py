"""The bot package's tables as they are declared."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from knowledge.tables import Base


class InboxEvent(Base):
    """A payload that Slack was told we have."""

    __tablename__ = "inbox_event"
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    payload: Mapped[dict[str, Any]]
    received_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    __table_args__ = (
        Index(
            "inbox_event_unfinished", "received_at", postgresql_where=text("finished_at IS NULL")
        ),
        Index(
            "inbox_event_history",
            text("(payload ->> 'channel')"),
            text("(payload ->> 'root')"),
            "received_at",
            postgresql_where=text("kind = 'history'"),
        ),
    )


class SlackMessage(Base):
    """Which Slack message shows which answer."""

    __tablename__ = "slack_message"
    team: Mapped[str] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    ts: Mapped[str] = mapped_column(primary_key=True)
    thread_ts: Mapped[str | None]
    question_id: Mapped[UUID] = mapped_column(ForeignKey("question.id", ondelete="CASCADE"))
    answer_id: Mapped[UUID | None]
    inbox_event_id: Mapped[int | None] = mapped_column(
        ForeignKey("inbox_event.id", ondelete="SET NULL")
    )
    state: Mapped[str]
    __table_args__ = (
        CheckConstraint("state IN ('streaming', 'final')", name="slack_message_state_check"),
        Index("slack_message_question_id", "question_id"),
        Index("slack_message_thread", "team", "channel", "thread_ts"),
    )


class SlackChannel(Base):
    """A channel whose history is a source."""

    __tablename__ = "slack_channel"
    channel: Mapped[str] = mapped_column(primary_key=True)
    bots: Mapped[bool]
    listed_at: Mapped[datetime]


class DueTask(Base):
    """A tick of the clock."""

    __tablename__ = "due_task"
    task: Mapped[str] = mapped_column(primary_key=True)
    due_at: Mapped[datetime] = mapped_column(primary_key=True)
    queued_at: Mapped[datetime]
