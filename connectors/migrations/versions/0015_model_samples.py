"""Samples of what models are asked and answer, and what is kept of them

Revision: 0015
Follows: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("model", sa.Column("monitor", sa.JSON(), nullable=True))
    op.create_table(
        "model_sample",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("model_name", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("inputs", sa.JSON(), nullable=True),
        sa.Column("outputs", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(
            ["model_name"], ["model.name"], name=op.f("fk_model_sample_model_name"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_sample")),
    )
    op.create_index("model_sample_by_model", "model_sample", ["model_name", "id"])


def downgrade() -> None:
    op.drop_table("model_sample")
    op.drop_column("model", "monitor")
