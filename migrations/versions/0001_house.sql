-- Runs as the owner, with search_path lorewise, queue, public. The roles lorewise_app and
-- lorewise_indexer exist already (knowledge/roles.sql).

-- Where documents come from.
CREATE TABLE source (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE, -- an administrator names a source by it
    kind text NOT NULL,
    location text NOT NULL,
    principals text[] NOT NULL, -- who may read its documents, where the source itself doesn't say
    options jsonb NOT NULL,
    cursor jsonb,
    created_at timestamptz NOT NULL,
    synced_at timestamptz
);

-- A distinct set of readers. Rows are never changed, so that a key stands for one set for ever.
CREATE TABLE acl (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    principals text[] NOT NULL UNIQUE -- sorted; one row a set
);
CREATE TABLE acl_principal (
    principal text NOT NULL,
    acl_id int NOT NULL REFERENCES acl ON DELETE CASCADE,
    PRIMARY KEY (principal, acl_id) -- the policies find a reader's keys by one index scan
);
CREATE INDEX acl_principal_acl_id ON acl_principal (acl_id); -- deleting an ACL scans nothing

CREATE TABLE document (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_id int NOT NULL REFERENCES source ON DELETE CASCADE,
    key text NOT NULL,
    title text NOT NULL,
    url text,
    language text NOT NULL, -- ISO 639-1, "und" where unknown
    media_type text NOT NULL,
    content_hash text NOT NULL, -- of bytes and chunking, so that a change of either is seen
    acl_id int NOT NULL REFERENCES acl,
    modified_at timestamptz,
    indexed_at timestamptz NOT NULL,
    UNIQUE (source_id, key) -- a document is in the index once
);
CREATE INDEX document_acl_id ON document (acl_id); -- the policy's path

CREATE TABLE chunk (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    document_id bigint NOT NULL REFERENCES document ON DELETE CASCADE,
    position int NOT NULL,
    heading_path text[] NOT NULL,
    page int,
    text text NOT NULL,
    tokens int NOT NULL, -- of the embedder
    terms int NOT NULL, -- BM25's document length
    language text NOT NULL,
    acl_id int NOT NULL REFERENCES acl, -- the document's; repeated so that the policy needs no join
    UNIQUE (document_id, position) -- chunks have one order
);
CREATE INDEX chunk_acl_id ON chunk (acl_id); -- the policy's path

-- The vectors' models; the name is immutable, a new model is built beside the old one.
CREATE TABLE embedding_model (
    id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    dimensions int NOT NULL,
    created_at timestamptz NOT NULL
);

-- Narrow on purpose: an exact scan reads vectors and nothing else. One partition a model.
CREATE TABLE embedding (
    model_id smallint NOT NULL REFERENCES embedding_model,
    chunk_id bigint NOT NULL REFERENCES chunk ON DELETE CASCADE,
    acl_id int NOT NULL,
    vector halfvec NOT NULL,
    PRIMARY KEY (model_id, chunk_id) -- one vector a chunk and model
) PARTITION BY LIST (model_id);
CREATE INDEX embedding_acl_id ON embedding (acl_id); -- a reader of few documents scans only those
CREATE INDEX embedding_chunk_id ON embedding (chunk_id); -- deleting a chunk scans nothing

-- A term's key, the same for chunks and for questions: 64 bits of its lexeme, seeded with the text search
-- configuration that made the lexeme.
CREATE FUNCTION term_key(configuration text, lexeme text) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT hashtextextended(lexeme, hashtextextended(configuration, 0))
$$;

-- BM25's inverted index.
CREATE TABLE posting (
    term bigint NOT NULL,
    acl_id int NOT NULL,
    chunk_id bigint NOT NULL REFERENCES chunk ON DELETE CASCADE,
    frequency smallint NOT NULL,
    length int NOT NULL -- the chunk's terms, repeated so that ranking needs no join
);
-- Ranking is index-only: `=` on bigint is leakproof, so the index works under the policy too.
CREATE INDEX posting_term ON posting (term, acl_id) INCLUDE (chunk_id, frequency, length);
CREATE INDEX posting_chunk_id ON posting (chunk_id); -- deleting a chunk scans nothing

-- BM25's collection figures for each ACL: a reader's own are the sum over what the reader may see.
CREATE TABLE collection_size (
    acl_id int NOT NULL REFERENCES acl,
    language text NOT NULL, -- a question is split by the rules of each language in use
    chunks bigint NOT NULL,
    terms bigint NOT NULL,
    PRIMARY KEY (acl_id, language) -- one row a group
);

-- The answer log.
CREATE TABLE question (
    id uuid PRIMARY KEY,
    asked_at timestamptz NOT NULL,
    asker text NOT NULL,
    audience text[] NOT NULL,
    text text NOT NULL,
    language text NOT NULL,
    place jsonb NOT NULL -- where it was asked: team, channel, thread, message
);
CREATE TABLE answer (
    id uuid PRIMARY KEY,
    question_id uuid NOT NULL REFERENCES question ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('answered', 'quoted', 'verified', 'abstained', 'stopped', 'failed')),
    reason text, -- of an abstention or a failure
    text text NOT NULL,
    model text,
    adapter text,
    signals jsonb NOT NULL, -- what the decision to answer was made from
    seconds jsonb NOT NULL -- search, first_token, total
);
CREATE INDEX answer_question_id ON answer (question_id); -- a question's answers without a scan
CREATE TABLE passage (
    answer_id uuid NOT NULL REFERENCES answer ON DELETE CASCADE,
    number smallint NOT NULL,
    chunk_id bigint, -- no reference: the log outlives a re-indexed chunk
    document_key text NOT NULL,
    title text NOT NULL,
    url text,
    heading_path text[] NOT NULL,
    page int,
    text text NOT NULL,
    score real NOT NULL,
    cited boolean NOT NULL,
    acl_id int NOT NULL,
    PRIMARY KEY (answer_id, number)
);

-- Approved answers, matched by meaning before anything is generated.
CREATE TABLE verified_answer (
    id uuid PRIMARY KEY,
    question text NOT NULL,
    answer text NOT NULL,
    approver text NOT NULL,
    approved_at timestamptz NOT NULL,
    sources jsonb NOT NULL, -- [{title, url}]
    acl_id int NOT NULL REFERENCES acl,
    embedding_model text NOT NULL,
    vector halfvec NOT NULL
);
CREATE INDEX verified_answer_acl_id ON verified_answer (acl_id); -- the policy's path

-- Votes: one a person and answer, the last counts. A vote taken back keeps its row with 0,
-- so that an older event that arrives late cannot bring it back.
CREATE TABLE feedback (
    answer_id uuid NOT NULL REFERENCES answer ON DELETE CASCADE,
    voter text NOT NULL,
    vote smallint NOT NULL CHECK (vote IN (-1, 0, 1)),
    origin text NOT NULL CHECK (origin IN ('button', 'reaction')),
    reaction text, -- the emoji's name
    voted_at timestamptz NOT NULL, -- Slack's clock, not ours
    PRIMARY KEY (answer_id, voter)
);

-- The durable door: a payload is here, committed, before Slack is told that we have it.
CREATE TABLE inbox_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL UNIQUE, -- a second delivery changes nothing
    kind text NOT NULL,
    payload jsonb NOT NULL,
    received_at timestamptz NOT NULL,
    finished_at timestamptz,
    outcome text
);
CREATE INDEX inbox_event_unfinished ON inbox_event (received_at) WHERE finished_at IS NULL; -- what a start must look after

-- Which Slack message shows which answer: a reaction carries the message's ts only.
CREATE TABLE slack_message (
    team text NOT NULL,
    channel text NOT NULL,
    ts text NOT NULL,
    thread_ts text,
    question_id uuid NOT NULL REFERENCES question ON DELETE CASCADE,
    answer_id uuid, -- null while the answer is being written
    inbox_event_id bigint REFERENCES inbox_event ON DELETE SET NULL,
    state text NOT NULL CHECK (state IN ('streaming', 'final')),
    PRIMARY KEY (team, channel, ts) -- a message shows one answer
);
CREATE INDEX slack_message_question_id ON slack_message (question_id); -- a question's messages without a scan
CREATE INDEX slack_message_thread ON slack_message (team, channel, thread_ts); -- is a reply a follow-up: asked before the acknowledgement

-- The clock's ticks: any number of replicas, one run a due time.
CREATE TABLE due_task (
    task text NOT NULL,
    due_at timestamptz NOT NULL,
    queued_at timestamptz NOT NULL,
    PRIMARY KEY (task, due_at) -- the second replica's tick changes nothing
);

-- Collection figures follow the chunks, whoever changes them and however. It runs as the owner,
-- as a cascaded delete does anyway.
CREATE FUNCTION count_chunks() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP IN ('DELETE', 'UPDATE') THEN
        UPDATE collection_size c SET chunks = c.chunks - o.chunks, terms = c.terms - o.terms
        FROM (SELECT acl_id, language, count(*) AS chunks, sum(terms) AS terms
              FROM old_chunk GROUP BY 1, 2 ORDER BY 1, 2) o
        WHERE c.acl_id = o.acl_id AND c.language = o.language;
    END IF;
    IF TG_OP IN ('INSERT', 'UPDATE') THEN
        INSERT INTO collection_size AS c (acl_id, language, chunks, terms)
        SELECT acl_id, language, count(*), sum(terms) FROM new_chunk GROUP BY 1, 2 ORDER BY 1, 2
        ON CONFLICT (acl_id, language)
        DO UPDATE SET chunks = c.chunks + excluded.chunks, terms = c.terms + excluded.terms;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER chunk_inserted AFTER INSERT ON chunk
    REFERENCING NEW TABLE AS new_chunk FOR EACH STATEMENT EXECUTE FUNCTION count_chunks();
CREATE TRIGGER chunk_deleted AFTER DELETE ON chunk
    REFERENCING OLD TABLE AS old_chunk FOR EACH STATEMENT EXECUTE FUNCTION count_chunks();
CREATE TRIGGER chunk_updated AFTER UPDATE ON chunk
    REFERENCING OLD TABLE AS old_chunk NEW TABLE AS new_chunk
    FOR EACH STATEMENT EXECUTE FUNCTION count_chunks();

-- Registers a model and gives it a partition. The caller need not own the table.
CREATE FUNCTION register_embedding_model(model_name text, model_dimensions int) RETURNS smallint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    model embedding_model%ROWTYPE;
BEGIN
    LOCK TABLE embedding_model IN SHARE ROW EXCLUSIVE MODE; -- two indexers register it once
    SELECT * INTO model FROM embedding_model WHERE name = model_name;
    IF model.id IS NULL THEN
        INSERT INTO embedding_model (name, dimensions, created_at)
        VALUES (model_name, model_dimensions, now()) RETURNING * INTO model;
        EXECUTE format('CREATE TABLE embedding_%s PARTITION OF embedding FOR VALUES IN (%s)', model.id, model.id);
        EXECUTE format('ALTER TABLE embedding_%s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', model.id);
        -- Wider vectors would be moved out of the row, and each of them fetched by a look-up.
        EXECUTE format('ALTER TABLE embedding_%s ALTER COLUMN vector SET STORAGE PLAIN', model.id);
    ELSIF model.dimensions <> model_dimensions THEN
        RAISE EXCEPTION 'model % has % dimensions, not %', model_name, model.dimensions, model_dimensions;
    END IF;
    RETURN model.id;
END $$;
REVOKE ALL ON FUNCTION register_embedding_model FROM PUBLIC;

-- The keys of the ACLs that the acting principals may read. Without a setting: none.
CREATE FUNCTION readable_acls() RETURNS SETOF int LANGUAGE sql STABLE PARALLEL SAFE
SET search_path FROM CURRENT AS $$
    SELECT DISTINCT acl_id FROM acl_principal
    WHERE principal = ANY (
        COALESCE(string_to_array(NULLIF(current_setting('lorewise.principals', true), ''), E'\x1f'), '{}'))
$$;

-- Every table with an ACL: the app sees what its principals may read, the indexer sees all.
ALTER TABLE document ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE chunk ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE embedding ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE posting ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE collection_size ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE verified_answer ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY readers ON document FOR SELECT TO lorewise_app USING (acl_id IN (SELECT readable_acls()));
CREATE POLICY readers ON chunk FOR SELECT TO lorewise_app USING (acl_id IN (SELECT readable_acls()));
CREATE POLICY readers ON embedding FOR SELECT TO lorewise_app USING (acl_id IN (SELECT readable_acls()));
CREATE POLICY readers ON posting FOR SELECT TO lorewise_app USING (acl_id IN (SELECT readable_acls()));
CREATE POLICY readers ON collection_size FOR SELECT TO lorewise_app USING (acl_id IN (SELECT readable_acls()));
CREATE POLICY readers ON verified_answer FOR SELECT TO lorewise_app USING (acl_id IN (SELECT readable_acls()));
CREATE POLICY indexer ON document TO lorewise_indexer USING (true) WITH CHECK (true);
CREATE POLICY indexer ON chunk TO lorewise_indexer USING (true) WITH CHECK (true);
CREATE POLICY indexer ON embedding TO lorewise_indexer USING (true) WITH CHECK (true);
CREATE POLICY indexer ON posting TO lorewise_indexer USING (true) WITH CHECK (true);
CREATE POLICY counter ON collection_size TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY indexer ON verified_answer TO lorewise_indexer USING (true) WITH CHECK (true);

GRANT SELECT ON source, acl, acl_principal, document, chunk, embedding, posting, collection_size,
    embedding_model, verified_answer TO lorewise_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON question, answer, passage, feedback, inbox_event, slack_message,
    due_task TO lorewise_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON source, acl, acl_principal, document, chunk, embedding, posting,
    verified_answer TO lorewise_indexer;
GRANT SELECT ON embedding_model TO lorewise_indexer;
GRANT EXECUTE ON FUNCTION register_embedding_model TO lorewise_indexer;
REVOKE ALL ON FUNCTION count_chunks FROM PUBLIC;
