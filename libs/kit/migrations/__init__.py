"""How does a schema come to be? What the contexts' Alembic revisions share: roles, row-level security, message tables."""
