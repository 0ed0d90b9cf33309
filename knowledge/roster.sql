-- models --
-- Every model, those that questions are asked with first.
SELECT id, name, dimensions, role, next_role, recipe, retired_at FROM embedding_model
ORDER BY role, next_role, id;

-- register --
-- The key of a model, made with a partition of its own if it is new.
SELECT register_embedding_model(:name, :dimensions);

-- take --
-- Ask questions with a model from now on; for a database that has no model in this role.
UPDATE embedding_model SET role = :role, recipe = CAST(:recipe AS jsonb), retired_at = NULL
WHERE id = :model AND NOT EXISTS (SELECT FROM embedding_model WHERE role IS NOT NULL AND role = :role);

-- give_up --
-- Build no longer what is not wanted any more; its vectors are dropped later.
UPDATE embedding_model SET
    next_role = NULL, retired_at = CASE WHEN role IS NULL THEN now() END
WHERE next_role IS NOT NULL AND NOT (name = ANY(:names));

-- clear --
-- Make room for other roles of the same models.
UPDATE embedding_model SET next_role = NULL WHERE next_role IS NOT NULL;

-- build --
-- Begin to build a model, or go on.
UPDATE embedding_model SET next_role = :role, recipe = CAST(:recipe AS jsonb), retired_at = NULL
WHERE id = :model;

-- wanting --
-- Chunks that have no vector of a model, of one language or of all.
SELECT count(*) FROM chunk c
WHERE (CAST(:language AS text) IS NULL OR c.language = :language)
  AND NOT EXISTS (SELECT FROM embedding e WHERE e.model_id = :model AND e.chunk_id = c.id);

-- next_chunks --
-- Some of them, with what is embedded.
SELECT c.id, c.document_id, d.title, c.heading_path, c.page, c.position, c.text, c.tokens
FROM chunk c JOIN document d ON d.id = c.document_id
WHERE c.id > :after AND (CAST(:language AS text) IS NULL OR c.language = :language)
  AND NOT EXISTS (SELECT FROM embedding e WHERE e.model_id = :model AND e.chunk_id = c.id)
ORDER BY c.id LIMIT :limit;

-- hold_documents --
-- Keep documents as they are until the commit; those that are being written now come later.
SELECT id FROM document WHERE id = ANY(:documents) FOR SHARE SKIP LOCKED;

-- add_vectors --
-- Write vectors under the readers that their chunks have now. Run after hold_documents.
INSERT INTO embedding (model_id, chunk_id, acl_id, vector)
SELECT :model, c.id, c.acl_id, CAST(given.vector AS halfvec)
FROM unnest(CAST(:chunks AS bigint[]), CAST(:vectors AS text[])) AS given (id, vector)
JOIN chunk c ON c.id = given.id AND c.document_id = ANY(:documents)
ON CONFLICT DO NOTHING;

-- other_approved --
-- Approved answers whose question has another model's vector.
SELECT id, question FROM verified_answer WHERE embedding_model <> :name;

-- approve_anew --
-- Give an approved answer the vector of another model.
UPDATE verified_answer SET embedding_model = :name, vector = CAST(:vector AS halfvec) WHERE id = :id;

-- nobody_indexes --
-- Whether no sync runs; none begins before the commit.
SELECT pg_try_advisory_xact_lock(hashtextextended('lorewise.models', 0));

-- keep_approved --
-- Nothing is approved before the commit.
LOCK TABLE verified_answer IN SHARE ROW EXCLUSIVE MODE;

-- retire --
-- Stop asking with the models that have no place among the new ones.
UPDATE embedding_model SET
    role = NULL, retired_at = CASE WHEN next_role IS NULL THEN now() END
WHERE role IS NOT NULL;

-- promote --
-- Ask with the new ones.
UPDATE embedding_model SET role = next_role, next_role = NULL WHERE next_role IS NOT NULL;

-- retired --
-- Models that nobody should be asking with any more.
SELECT id, name FROM embedding_model
WHERE role IS NULL AND next_role IS NULL AND retired_at < now() - make_interval(secs => :seconds);

-- drop --
-- Drop a model with its vectors.
SELECT drop_embedding_model(CAST(:model AS smallint));
