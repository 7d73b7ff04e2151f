"""Paused runs: whether somebody wants a submitted run to rest

Revision: 0019
Follows: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("submitted_run") as table:
        table.add_column(sa.Column("pause_asked", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    with op.batch_alter_table("submitted_run") as table:
        table.drop_column("pause_asked")
