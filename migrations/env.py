"""Alembic's environment: one connection, handed over by knowledge.database.migrate."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, version_table="migration", version_table_schema="lorewise")
with context.begin_transaction():
    context.run_migrations()
