"""Which embedding models questions are asked with, and which are being built beside them.

Revision ID: 0005
Revises: 0004
"""

from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and the function."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())


def downgrade() -> None:
    """There is no way back: restore a backup instead."""
    raise NotImplementedError("restore a backup to go back")
