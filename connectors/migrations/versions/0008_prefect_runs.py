"""Which flow run of Prefect a submitted run is for

Revision: 0008
Follows: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("submitted_run") as table:
        table.add_column(sa.Column("flow_run_id", sa.String(), nullable=True))
        table.create_index(op.f("ix_submitted_run_flow_run_id"), ["flow_run_id"])


def downgrade() -> None:
    with op.batch_alter_table("submitted_run") as table:
        table.drop_index(op.f("ix_submitted_run_flow_run_id"))
        table.drop_column("flow_run_id")
