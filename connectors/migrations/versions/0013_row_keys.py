"""Rows that are named by a key

Revision: 0013
Follows: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("table_row", sa.Column("key", sa.String(), nullable=True))
    op.create_index("table_row_by_key", "table_row", ["table_name", "key"], unique=True)


def downgrade() -> None:
    op.drop_index("table_row_by_key", table_name="table_row")
    op.drop_column("table_row", "key")
