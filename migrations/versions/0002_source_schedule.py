"""Each source's own schedule, what its last run did, and which documents to ask for again.

Revision ID: 0002
Revises: 0001
"""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and the table."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())


def downgrade() -> None:
    """There is no way back: restore a backup instead."""
    raise NotImplementedError("restore a backup to go back")
