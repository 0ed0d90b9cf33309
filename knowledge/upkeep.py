"""What the database wants after it has grown: fresh statistics, and indexes of vectors.

Runs as the owner, after a sync, beside everything else: VACUUM and CREATE INDEX CONCURRENTLY block
neither questions nor indexing. Whatever fails here leaves searches exact and a little slower.
"""

import logging

import psycopg
from sqlalchemy import text

from knowledge.database import Database, conninfo
from knowledge.plan import Limits

logger = logging.getLogger(__name__)

TABLES = ("document", "chunk", "posting", "collection_size")
GROWN_SHARE = 0.1  # autovacuum waits for a fifth, and then for its turn
INDEX_FROM = Limits().exact_chunks
MOST_MEMORY_MB = 2048  # of a build; larger collections are built by hand (docs/database.md)

_COUNTS = text(
    "SELECT em.id, em.dimensions, count(e.chunk_id) FROM embedding_model em "
    "JOIN embedding e ON e.model_id = em.id GROUP BY em.id, em.dimensions ORDER BY em.id"
)
_GROWN = (
    "SELECT c.relname FROM pg_class c JOIN pg_stat_user_tables s ON s.relid = c.oid "
    "WHERE c.relnamespace = current_schema()::regnamespace "
    "AND (c.relname = ANY (%s) OR c.relname ~ '^embedding_[0-9]+$') "
    "AND s.n_ins_since_vacuum > 1000 + %s * greatest(c.reltuples, 0) ORDER BY 1"
)
_VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)"


async def keep_up(database: Database, *, index_from: int = INDEX_FROM) -> list[str]:
    """Refresh statistics that are out of date; build an index for each model of more vectors.

    Gives the names of what was vacuumed and built. While another process is at it, does nothing.
    """
    url = conninfo(database.url, None, database.search_path)
    async with database.indexer.connect() as indexer:  # the owner, under the policies, sees none
        models = [tuple(row) for row in await indexer.execute(_COUNTS)]
    try:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as owner:
            found = await owner.execute(
                "SELECT pg_try_advisory_lock(hashtextextended('lorewise.upkeep', 0))"
            )
            if await found.fetchone() != (True,):
                return []
            done = await _vacuum(owner)
            for model_id, dimensions, vectors in models:
                if vectors > index_from:
                    done += await _index(owner, model_id, dimensions, vectors)
            return done
    except psycopg.Error as error:
        logger.warning(
            "The database's upkeep failed (%s); searches stay exact, and slower.",
            " ".join(str(error).split()),
            extra={"action": "upkeep_failed"},
        )
        return []


async def _vacuum(owner: psycopg.AsyncConnection) -> list[str]:
    """Without it an index-only scan looks every row up, and the planner knows old sizes."""
    found = await owner.execute(_GROWN, [list(TABLES), GROWN_SHARE])
    tables = [str(row[0]) for row in await found.fetchall()]
    for table in tables:
        await owner.execute(f"VACUUM (ANALYZE, SKIP_LOCKED) {table}".encode())
    return tables


async def _index(
    owner: psycopg.AsyncConnection, model_id: int, dimensions: int, vectors: int
) -> list[str]:
    name = f"embedding_{model_id}_nearest"
    found = await owner.execute(_VALID, [name])
    valid = await found.fetchone()
    if valid == (True,):
        return []
    if valid is not None:  # a build that was cut off
        await owner.execute(f"DROP INDEX CONCURRENTLY {name}".encode())
    needed_mb = 64 + vectors * (2 * dimensions + 700) // 2**20
    await owner.execute(
        f"SET maintenance_work_mem TO '{min(needed_mb, MOST_MEMORY_MB)}MB'".encode()
    )
    statement = (
        f"CREATE INDEX CONCURRENTLY {name} ON embedding_{model_id} "
        f"USING hnsw ((vector::halfvec({dimensions})) halfvec_ip_ops)"
    )
    logger.info("Building %s over %d vectors.", name, vectors, extra={"action": "index_begun"})
    try:
        await owner.execute(statement.encode())
    except psycopg.errors.DiskFull:
        # A parallel build shares its memory in /dev/shm, of which a container has little.
        await owner.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}".encode())
        await owner.execute("SET max_parallel_maintenance_workers TO 0")
        await owner.execute(statement.encode())
    logger.info("%s is ready.", name, extra={"action": "index_built"})
    return [name]
