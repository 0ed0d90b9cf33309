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

-- temporary_named --
-- The documents that this run was told to be there: what is not among them may be gone.
CREATE TEMP TABLE IF NOT EXISTS named (key text PRIMARY KEY);

-- do_not_wait_for_the_disk --
-- Commit this transaction without waiting for its record to be on the disk.
SET LOCAL synchronous_commit TO off;

-- register_model --
-- The key of an embedding model, made with a partition of its own if it is new.
SELECT register_embedding_model(:name, :dimensions);

-- source_place --
-- How far the last run of a source came, and what its documents were made with.
SELECT cursor, recipe FROM source WHERE id = :source;

-- source_place_reached --
-- Note how far a run has come.
UPDATE source SET cursor = CAST(:cursor AS jsonb), recipe = :recipe WHERE id = :source;

-- source_synced --
-- Note the end of a run.
UPDATE source SET synced_at = now(), report = CAST(:report AS jsonb), error = NULL WHERE id = :source;

-- count_documents --
-- How many documents of a source are indexed.
SELECT count(*) FROM document WHERE source_id = :source;

-- stored_documents --
-- What the index knows of some documents of a source.
SELECT d.key, d.id, d.content_hash, d.acl_id, a.principals
FROM document d JOIN acl a ON a.id = d.acl_id WHERE d.source_id = :source AND d.key = ANY(:keys);

-- name_documents --
-- Note that documents are there.
INSERT INTO named SELECT unnest(CAST(:keys AS text[])) ON CONFLICT DO NOTHING;

-- failed_documents --
-- The documents that must be asked for again.
SELECT key FROM failed_document WHERE source_id = :source ORDER BY key;

-- note_failed --
-- Have a document asked for again.
INSERT INTO failed_document (source_id, key, reason, failed_at) VALUES (:source, :key, :reason, now())
ON CONFLICT (source_id, key) DO UPDATE SET reason = excluded.reason, failed_at = excluded.failed_at;

-- forget_failed --
-- Ask for no documents again but some.
DELETE FROM failed_document WHERE source_id = :source AND NOT key = ANY(:keys);

-- put_document --
-- The row of a document, new or in the place of its last version.
INSERT INTO document (
    source_id, key, title, url, language, summary, media_type, content_hash, acl_id, modified_at, indexed_at)
VALUES (:source, :key, :title, :url, :language, :summary, :media_type, :content_hash, :acl, :modified_at, now())
ON CONFLICT (source_id, key) DO UPDATE SET
    title = excluded.title, url = excluded.url, language = excluded.language, summary = excluded.summary,
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

-- delete_unnamed --
-- Remove documents that were not named, unless they stand where nobody could look.
DELETE FROM document d WHERE d.source_id = :source
AND NOT EXISTS (SELECT FROM named n WHERE n.key = d.key)
AND NOT EXISTS (SELECT FROM unnest(CAST(:unread AS text[])) u WHERE starts_with(d.key, u))
RETURNING d.id;

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
