"""The migrations and the declared tables describe one schema."""

from typing import Any

import psycopg
from sqlalchemy import URL, NullPool, create_engine

import bot.tables  # noqa: F401 - declares its tables
import training.tables  # noqa: F401
from knowledge.embedded import EmbeddedServer
from knowledge.tables import Base

COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       a.attidentity::text, pg_get_expr(d.adbin, d.adrelid)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0
  AND c.relname <> 'migration'
"""
CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = current_schema()::regnamespace AND conrelid <> 0
  AND conrelid::regclass::text <> 'migration'
"""
INDEXES = """
SELECT tablename, indexname, replace(indexdef, current_schema() || '.', '') FROM pg_indexes
WHERE schemaname = current_schema() AND tablename <> 'migration'
"""
PARTITIONED = """
SELECT partrelid::regclass::text, pg_get_partkeydef(partrelid) FROM pg_partitioned_table
"""


def snapshot(url: URL) -> dict[str, set[tuple[Any, ...]]]:
    options = "-c search_path=lorewise,public"
    with psycopg.connect(url.render_as_string(False), options=options) as connection:
        return {
            name: {tuple(row) for row in connection.execute(query.encode())}
            for name, query in (
                ("columns", COLUMNS),
                ("constraints", CONSTRAINTS),
                ("indexes", INDEXES),
                ("partitioned", PARTITIONED),
            )
        }


def test_all_migrations_lead_to_the_tables_as_declared(
    postgres: EmbeddedServer, database_url: URL
) -> None:
    with psycopg.connect(postgres.url("postgres", "postgres"), autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS declared WITH (FORCE)")
        admin.execute("CREATE DATABASE declared")
    with psycopg.connect(postgres.url("postgres", "declared"), autocommit=True) as admin:
        admin.execute("CREATE EXTENSION vector")
        admin.execute("CREATE SCHEMA lorewise")
    declared = URL.create(
        "postgresql", "postgres", database="declared", query=dict(database_url.query)
    )
    engine = create_engine(
        declared.set(drivername="postgresql+psycopg"),
        connect_args={"options": "-c search_path=lorewise,public"},
        poolclass=NullPool,
    )
    Base.metadata.create_all(engine)
    migrated, by_tables = snapshot(database_url), snapshot(declared)
    for part, rows in migrated.items():
        assert rows - by_tables[part] == set(), f"{part}: only in the migrations"
        assert by_tables[part] - rows == set(), f"{part}: only in the declared tables"


UNGUARDED = """
SELECT c.relname FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'acl_id'
WHERE c.relnamespace = 'lorewise'::regnamespace AND c.relkind IN ('r', 'p')
  AND c.relname NOT IN ('acl_principal', 'passage')
  AND NOT (c.relrowsecurity AND c.relforcerowsecurity
           AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'readers'))
"""


def test_every_table_with_an_acl_forces_row_level_security(database_url: URL) -> None:
    with psycopg.connect(database_url.render_as_string(False)) as connection:
        assert connection.execute(UNGUARDED.encode()).fetchall() == []
