"""Drafts of views, their changes and who is editing; where a version came from.

Revision: 0003
Follows: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, default in (("source", "api"), ("note", ""), ("created_by_name", "")):
        op.add_column("view_version", sa.Column(name, sa.String(), nullable=False, server_default=default))
    op.create_table(
        "view_draft",
        sa.Column("view_slug", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("base", sa.Integer(), nullable=True),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("updated_by", sa.String(), nullable=True),
        sa.Column("updated_by_name", sa.String(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["view_slug"], ["view.slug"], name=op.f("fk_view_draft_view_slug"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("view_slug", name=op.f("pk_view_draft")),
    )
    op.create_table(
        "view_change",
        sa.Column("view_slug", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("operations", sa.JSON(), nullable=False),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=True),
        sa.Column("created_by_name", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["view_slug"], ["view.slug"], name=op.f("fk_view_change_view_slug"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("view_slug", "revision", name=op.f("pk_view_change")),
    )
    op.create_table(
        "view_editor",
        sa.Column("view_slug", sa.String(), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("selected", sa.String(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["view_slug"], ["view.slug"], name=op.f("fk_view_editor_view_slug"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("view_slug", "client", name=op.f("pk_view_editor")),
    )


def downgrade() -> None:
    for table in ("view_editor", "view_change", "view_draft"):
        op.drop_table(table)
    with op.batch_alter_table("view_version") as version:
        for name in ("created_by_name", "note", "source"):
            version.drop_column(name)
