"""The house: knowledge, feedback, the inbox and the queue.

Revision ID: 0001
Revises:
"""

from pathlib import Path

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table, policy and grant, and the queue in a schema of its own.

    An evaluation's scratch schema (knowledge/evaluation/scratch.py) has no queue.
    """
    op.execute(Path(__file__).with_suffix(".sql").read_text())
    if op.get_bind().exec_driver_sql("SELECT current_schema()").scalar_one() != "lorewise":
        return
    op.execute("SET LOCAL search_path TO queue, public")
    op.execute(SchemaManager.get_schema())
    op.execute(Path(__file__).with_name("0001_queue_rights.sql").read_text())
    op.execute("SET LOCAL search_path TO lorewise, queue, public")


def downgrade() -> None:
    """There is no way back from the first migration: restore a backup instead."""
    raise NotImplementedError("restore a backup to go back before the first migration")
