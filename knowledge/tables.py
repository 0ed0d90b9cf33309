"""The knowledge package's tables as they are declared; the migrations lead to the same schema.

Reasons stand in the migrations, beside the SQL, and so does what SQLAlchemy cannot say:
policies, grants, triggers, functions.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import (
    REAL,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """All of Lorewise's tables share one metadata, as they share one database."""

    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own declaration
        int: BigInteger(),
        str: Text(),
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB(),
        list[dict[str, Any]]: JSONB(),
        Sequence[str]: ARRAY(Text()),
        UUID: Uuid(),
    }


class Source(Base):
    """Where documents come from."""

    __tablename__ = "source"
    id: Mapped[int] = mapped_column(Integer, Identity(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    location: Mapped[str]
    principals: Mapped[Sequence[str]]
    options: Mapped[dict[str, Any]]
    cursor: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]
    synced_at: Mapped[datetime | None]
    schedule: Mapped[str] = mapped_column(server_default="")
    recipe: Mapped[str | None]
    report: Mapped[dict[str, Any] | None]
    error: Mapped[str | None]


class FailedDocument(Base):
    """A document that the next run must ask for again."""

    __tablename__ = "failed_document"
    source_id: Mapped[int] = mapped_column(
        Integer, ForeignKey("source.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    key: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str]
    failed_at: Mapped[datetime]


class Acl(Base):
    """A distinct set of readers."""

    __tablename__ = "acl"
    id: Mapped[int] = mapped_column(Integer, Identity(always=True), primary_key=True)
    principals: Mapped[Sequence[str]] = mapped_column(unique=True)


class AclPrincipal(Base):
    """A reader of an ACL."""

    __tablename__ = "acl_principal"
    principal: Mapped[str] = mapped_column(primary_key=True)
    acl_id: Mapped[int] = mapped_column(
        Integer, ForeignKey("acl.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    __table_args__ = (Index("acl_principal_acl_id", "acl_id"),)


class Document(Base):
    """One document of a source."""

    __tablename__ = "document"
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    source_id: Mapped[int] = mapped_column(Integer, ForeignKey("source.id", ondelete="CASCADE"))
    key: Mapped[str]
    title: Mapped[str]
    url: Mapped[str | None]
    language: Mapped[str]
    media_type: Mapped[str]
    content_hash: Mapped[str]
    acl_id: Mapped[int] = mapped_column(Integer, ForeignKey("acl.id"))
    modified_at: Mapped[datetime | None]
    indexed_at: Mapped[datetime]
    summary: Mapped[str] = mapped_column(server_default="")
    __table_args__ = (
        UniqueConstraint("source_id", "key"),
        Index("document_acl_id", "acl_id"),
    )


class Chunk(Base):
    """A piece of a document that fits the embedder."""

    __tablename__ = "chunk"
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("document.id", ondelete="CASCADE"))
    position: Mapped[int] = mapped_column(Integer)
    heading_path: Mapped[Sequence[str]]
    page: Mapped[int | None] = mapped_column(Integer)
    text: Mapped[str]
    tokens: Mapped[int] = mapped_column(Integer)
    terms: Mapped[int] = mapped_column(Integer)
    language: Mapped[str]
    acl_id: Mapped[int] = mapped_column(Integer, ForeignKey("acl.id"))
    __table_args__ = (
        UniqueConstraint("document_id", "position"),
        Index("chunk_acl_id", "acl_id"),
    )


class EmbeddingModel(Base):
    """A model whose vectors stand in a partition of `embedding`."""

    __tablename__ = "embedding_model"
    id: Mapped[int] = mapped_column(SmallInteger, Identity(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    dimensions: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime]
    role: Mapped[str | None]
    next_role: Mapped[str | None]
    recipe: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    retired_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint("role IN ('english', 'every')", name="embedding_model_role_check"),
        CheckConstraint(
            "next_role IN ('english', 'every')", name="embedding_model_next_role_check"
        ),
        Index("embedding_model_role", "role", unique=True),
        Index("embedding_model_next_role", "next_role", unique=True),
    )


class Embedding(Base):
    """A chunk's vector by one model."""

    __tablename__ = "embedding"
    model_id: Mapped[int] = mapped_column(
        SmallInteger, ForeignKey("embedding_model.id"), primary_key=True, autoincrement=False
    )
    chunk_id: Mapped[int] = mapped_column(
        ForeignKey("chunk.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    acl_id: Mapped[int] = mapped_column(Integer)
    vector: Mapped[Any] = mapped_column(HALFVEC())
    __table_args__ = (
        Index("embedding_acl_id", "acl_id"),
        Index("embedding_chunk_id", "chunk_id"),
        {"postgresql_partition_by": "LIST (model_id)"},
    )


# A term of a chunk. A table without a key has no class.
posting = Table(
    "posting",
    Base.metadata,
    Column("term", BigInteger, nullable=False),
    Column("acl_id", Integer, nullable=False),
    Column("chunk_id", BigInteger, ForeignKey("chunk.id", ondelete="CASCADE"), nullable=False),
    Column("frequency", SmallInteger, nullable=False),
    Column("length", Integer, nullable=False),
    Index("posting_term", "term", "acl_id", postgresql_include=["chunk_id", "frequency", "length"]),
    Index("posting_chunk_id", "chunk_id"),
    Index("posting_sample", "term", "acl_id", postgresql_where=text("chunk_id % 16 = 0")),
)


class CollectionSize(Base):
    """BM25's collection figures of one ACL and language."""

    __tablename__ = "collection_size"
    acl_id: Mapped[int] = mapped_column(
        Integer, ForeignKey("acl.id"), primary_key=True, autoincrement=False
    )
    language: Mapped[str] = mapped_column(primary_key=True)
    chunks: Mapped[int]
    terms: Mapped[int]


class QuestionRow(Base):
    """A question as it was asked."""

    __tablename__ = "question"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    asked_at: Mapped[datetime]
    asker: Mapped[str]
    audience: Mapped[Sequence[str]]
    text: Mapped[str]
    language: Mapped[str]
    place: Mapped[dict[str, Any]]


class AnswerRow(Base):
    """An answer, or the reason why there is none."""

    __tablename__ = "answer"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    question_id: Mapped[UUID] = mapped_column(ForeignKey("question.id", ondelete="CASCADE"))
    created_at: Mapped[datetime]
    state: Mapped[str]
    reason: Mapped[str | None]
    text: Mapped[str]
    model: Mapped[str | None]
    adapter: Mapped[str | None]
    signals: Mapped[dict[str, Any]]
    seconds: Mapped[dict[str, Any]]
    __table_args__ = (
        CheckConstraint(
            "state IN ('answered', 'quoted', 'verified', 'abstained', 'stopped', 'failed')",
            name="answer_state_check",
        ),
        Index("answer_question_id", "question_id"),
    )


class PassageRow(Base):
    """A passage that was shown to the model."""

    __tablename__ = "passage"
    answer_id: Mapped[UUID] = mapped_column(
        ForeignKey("answer.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    chunk_id: Mapped[int | None]
    document_key: Mapped[str]
    title: Mapped[str]
    url: Mapped[str | None]
    heading_path: Mapped[Sequence[str]]
    page: Mapped[int | None] = mapped_column(Integer)
    text: Mapped[str]
    score: Mapped[float] = mapped_column(REAL)
    cited: Mapped[bool]
    acl_id: Mapped[int] = mapped_column(Integer)


class VerifiedAnswer(Base):
    """An approved answer, matched by meaning before anything is generated."""

    __tablename__ = "verified_answer"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    question: Mapped[str]
    answer: Mapped[str]
    approver: Mapped[str]
    approved_at: Mapped[datetime]
    sources: Mapped[list[dict[str, Any]]]
    acl_id: Mapped[int] = mapped_column(Integer, ForeignKey("acl.id"))
    embedding_model: Mapped[str]
    vector: Mapped[Any] = mapped_column(HALFVEC())
    __table_args__ = (Index("verified_answer_acl_id", "acl_id"),)


class CalibrationRow(Base):
    """The fitted decision to answer of one set of embedders."""

    __tablename__ = "calibration"
    models: Mapped[Sequence[str]] = mapped_column(primary_key=True)
    fitted_at: Mapped[datetime]
    model: Mapped[dict[str, Any]]
    threshold: Mapped[float] = mapped_column(Double)
    data_hash: Mapped[str]
    figures: Mapped[dict[str, Any]]
