"""Runs that other runs called."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run", sa.Column("parent", sa.String(), nullable=True))
    op.create_index("run_by_parent", "run", ["parent"])


def downgrade() -> None:
    op.drop_index("run_by_parent", table_name="run")
    op.drop_column("run", "parent")
