"""Marks that rows of a table were saved

Revision: 0018
Follows: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "table_mark",
        sa.Column("table_name", sa.String(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("writer", sa.String(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("table_name", "slot", name=op.f("pk_table_mark")),
    )
    # What told of saved rows before: of those of one view alone.
    op.execute("DELETE FROM view_state WHERE owner = 'rows:'")


def downgrade() -> None:
    op.drop_table("table_mark")
