"""Alembic's environment: one connection and its schema, handed over by knowledge.database."""

from alembic import context

attributes = context.config.attributes
context.configure(
    connection=attributes["connection"],
    version_table="migration",
    version_table_schema=attributes["schema"],
)
with context.begin_transaction():
    context.run_migrations()
