"""Shares of a model's requests, and what a shadow answered otherwise

Revision: 0007
Follows: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("model", sa.Column("traffic", sa.JSON(), nullable=True))
    op.create_table(
        "shadow_difference",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("model_name", sa.String(), nullable=False),
        sa.Column("live_version", sa.String(), nullable=False),
        sa.Column("shadow_version", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("input", sa.JSON(), nullable=True),
        sa.Column("expected", sa.JSON(), nullable=True),
        sa.Column("found", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_name"], ["model.name"], name=op.f("fk_shadow_difference_model_name_model"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shadow_difference")),
    )
    op.create_index(op.f("ix_shadow_difference_model_name"), "shadow_difference", ["model_name"])


def downgrade() -> None:
    op.drop_table("shadow_difference")
    op.drop_column("model", "traffic")
