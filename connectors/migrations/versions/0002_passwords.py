"""Passwords, invitations and scopes of keys

Revision: 0002
Follows: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "password",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_password_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_password")),
    )
    op.create_table(
        "sign_in_failures",
        sa.Column("of", sa.String(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("of", name=op.f("pk_sign_in_failures")),
    )
    op.add_column("login_link", sa.Column("purpose", sa.String(), nullable=False, server_default="login"))
    op.add_column("api_key", sa.Column("scopes", sa.JSON(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("api_key") as batch:
        batch.drop_column("scopes")
    with op.batch_alter_table("login_link") as batch:
        batch.drop_column("purpose")
    op.drop_table("sign_in_failures")
    op.drop_table("password")
