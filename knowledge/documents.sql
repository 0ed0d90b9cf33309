-- temporary_chunk --
-- A place to copy chunks to: Postgres refuses COPY into tables under row level security.
CREATE TEMP TABLE IF NOT EXISTS incoming_chunk (
    position int, heading_path text[], page int, text text, tokens int, terms int, language text
) ON COMMIT DELETE ROWS;

-- temporary_embedding --
-- A place to copy vectors to.
CREATE TEMP TABLE IF NOT EXISTS incoming_embedding (
    model_id smallint, position int, vector halfvec
) ON COMMIT DELETE ROWS;

-- temporary_posting --
-- A place to copy postings to.
CREATE TEMP TABLE IF NOT EXISTS incoming_posting (
    term bigint, position int, frequency smallint, length int
) ON COMMIT DELETE ROWS;

-- do_not_wait_for_the_disk --
-- Commit this transaction without waiting for its record to be on the disk.
SET LOCAL synchronous_commit TO off;

-- register_model --
-- The key of an embedding model, made with a partition of its own if it is new.
SELECT register_embedding_model(:name, :dimensions);

-- source_cursor --
-- Where the last run of a source ended.
SELECT cursor FROM source WHERE id = :source;

-- source_synced --
-- Note the end of a run.
UPDATE source SET
    synced_at = now(), report = CAST(:report AS jsonb), error = NULL, cursor = CASE WHEN :keep THEN cursor ELSE CAST(:cursor AS jsonb) END
WHERE id = :source;

-- stored_documents --
-- What the index knows of a source.
SELECT key, id, content_hash, acl_id FROM document WHERE source_id = :source;

-- put_document --
-- The row of a document, new or in the place of its last version.
INSERT INTO document (
    source_id, key, title, url, language, media_type, content_hash, acl_id, modified_at, indexed_at)
VALUES (:source, :key, :title, :url, :language, :media_type, :content_hash, :acl, :modified_at, now())
ON CONFLICT (source_id, key) DO UPDATE SET
    title = excluded.title, url = excluded.url, language = excluded.language,
    media_type = excluded.media_type, content_hash = excluded.content_hash,
    acl_id = excluded.acl_id, modified_at = excluded.modified_at, indexed_at = excluded.indexed_at
RETURNING id;

-- delete_chunks --
-- Remove a document's chunks with their vectors and postings.
DELETE FROM chunk WHERE document_id = :document;

-- insert_chunks --
-- The copied chunks.
INSERT INTO chunk (document_id, position, heading_path, page, text, tokens, terms, language, acl_id)
SELECT :document, position, heading_path, page, text, tokens, terms, language, :acl
FROM incoming_chunk ORDER BY position;

-- insert_embeddings --
-- The copied vectors, each with its chunk's key.
INSERT INTO embedding (model_id, chunk_id, acl_id, vector)
SELECT i.model_id, c.id, :acl, i.vector
FROM incoming_embedding i JOIN chunk c ON c.document_id = :document AND c.position = i.position;

-- insert_postings --
-- The copied postings, each with its chunk's key.
INSERT INTO posting (term, acl_id, chunk_id, frequency, length)
SELECT i.term, :acl, c.id, i.frequency, i.length
FROM incoming_posting i JOIN chunk c ON c.document_id = :document AND c.position = i.position;

-- delete_documents --
-- Remove documents with all that hangs on them.
DELETE FROM document WHERE source_id = :source AND key = ANY(:keys) RETURNING id;

-- document_readers --
-- Give a document to other readers.
UPDATE document SET acl_id = :acl WHERE id = :document;

-- embedding_readers --
-- Give a document's vectors to other readers.
UPDATE embedding SET acl_id = :acl WHERE chunk_id IN (SELECT id FROM chunk WHERE document_id = :document);

-- posting_readers --
-- Give a document's postings to other readers.
UPDATE posting SET acl_id = :acl WHERE chunk_id IN (SELECT id FROM chunk WHERE document_id = :document);

-- chunk_readers --
-- Give a document's chunks to other readers.
UPDATE chunk SET acl_id = :acl WHERE document_id = :document;
