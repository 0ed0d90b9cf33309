-- Which models questions are asked with, and which are being built beside them.
ALTER TABLE embedding_model
    ADD COLUMN role text CHECK (role IN ('english', 'every')), -- questions are asked with it
    ADD COLUMN next_role text CHECK (next_role IN ('english', 'every')), -- its vectors are being built
    ADD COLUMN recipe jsonb NOT NULL DEFAULT '{}', -- how to load it again, without keys
    ADD COLUMN retired_at timestamptz; -- its vectors stay a while, for who still asks with it
CREATE UNIQUE INDEX embedding_model_role ON embedding_model (role); -- a role has one model
CREATE UNIQUE INDEX embedding_model_next_role ON embedding_model (next_role); -- and one successor
GRANT UPDATE (role, next_role, recipe, retired_at) ON embedding_model TO lorewise_indexer;

-- Drops a model that no question is asked with, and its vectors with their partition.
CREATE FUNCTION drop_embedding_model(model smallint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM FROM embedding_model m
    WHERE m.id = model AND m.role IS NULL AND m.next_role IS NULL FOR UPDATE;
    IF FOUND THEN
        EXECUTE format('DROP TABLE IF EXISTS embedding_%s', model);
        DELETE FROM embedding_model m WHERE m.id = model;
    END IF;
END $$;
REVOKE ALL ON FUNCTION drop_embedding_model FROM PUBLIC;
GRANT EXECUTE ON FUNCTION drop_embedding_model TO lorewise_indexer;
