ALTER TABLE source
    ADD COLUMN schedule text NOT NULL DEFAULT '', -- cron; never; empty: as LOREWISE_REINDEX_CRON says
    ADD COLUMN recipe text, -- what the cursor's documents were made with; another one: all is told again
    ADD COLUMN report jsonb, -- the counts of the last run that came to its end
    ADD COLUMN error text; -- why the last run did not; null when it did

-- Documents that failed, of sources that tell only what has changed: the next run asks for them by name.
CREATE TABLE failed_document (
    source_id int NOT NULL REFERENCES source ON DELETE CASCADE,
    key text NOT NULL,
    reason text NOT NULL,
    failed_at timestamptz NOT NULL,
    PRIMARY KEY (source_id, key) -- a document is asked for once, however often it failed
);
GRANT SELECT, INSERT, UPDATE, DELETE ON failed_document TO lorewise_indexer;
