-- Statements of knowledge/postings.py and knowledge/search.py; all run under row level security.

-- terms_of_texts --
-- The terms of many texts with their frequencies: words by Postgres's parsers, pairs as given.
SELECT given.number - 1 AS number, term_key(given.configuration, word.lexeme) AS term,
       cardinality(word.positions) AS frequency
FROM unnest(CAST(:words AS text[]), CAST(:configurations AS text[]))
     WITH ORDINALITY AS given (words, configuration, number)
CROSS JOIN LATERAL unnest(to_tsvector(given.configuration::regconfig, given.words)) AS word
UNION ALL
SELECT given.number, term_key((CAST(:configurations AS text[]))[given.number + 1], given.pair), count(*)
FROM unnest(CAST(:pair_numbers AS int[]), CAST(:pairs AS text[])) AS given (number, pair)
GROUP BY 1, 2

-- search --
-- The best chunks for a question: a dense ranking and BM25, fused by their scores.
-- {words} and {meaning} are filled in by knowledge/plan.py with one of the parts below.
WITH reader AS MATERIALIZED (
    -- Beside the policies an explicit predicate: an array that the indexes on acl_id can use.
    SELECT ARRAY(SELECT readable_acls()) AS acls
), collection AS MATERIALIZED (
    -- What this reader sees, by configuration: hidden documents change no figure.
    SELECT coalesce(known.configuration, 'simple') AS configuration,
           sum(s.chunks)::float8 AS chunks, sum(s.terms)::float8 / sum(s.chunks)::float8 AS average_length
    FROM collection_size s
    LEFT JOIN unnest(CAST(:languages AS text[]), CAST(:configurations AS text[]))
         AS known (language, configuration) ON known.language = s.language
    WHERE s.acl_id = ANY ((SELECT acls FROM reader)::int[]) AND s.chunks > 0
    GROUP BY 1
), size AS MATERIALIZED (
    SELECT coalesce(sum(chunks), 0) AS chunks FROM collection
), concept AS MATERIALIZED (
    -- The question's own words. Of an unsure language: by the rules of most of what there is.
    SELECT (row_number() OVER ())::int AS number, word.positions, NULL AS pair
    FROM unnest(to_tsvector(coalesce(
        CAST(:own_configuration AS text),
        (SELECT configuration FROM collection ORDER BY chunks DESC, configuration LIMIT 1),
        'simple')::regconfig, :words)) AS word
    UNION ALL
    SELECT -number::int, NULL, pair
    FROM unnest(CAST(:pairs AS text[])) WITH ORDINALITY AS given (pair, number)
), asked AS MATERIALIZED (
    -- Each word by the rules of every language in use; a stop word of the question's is none in any.
    SELECT concept.number, c.average_length, term_key(c.configuration, word.lexeme) AS term
    FROM collection c
    CROSS JOIN LATERAL unnest(to_tsvector(c.configuration::regconfig, :words)) AS word
    JOIN concept ON concept.positions && word.positions
    UNION
    SELECT concept.number, c.average_length, term_key(c.configuration, concept.pair)
    FROM collection c JOIN concept ON concept.pair IS NOT NULL
), {words}, lexical AS MATERIALIZED (
    SELECT chunk_id, bm25, row_number() OVER (ORDER BY bm25 DESC, chunk_id) AS rank
    FROM (SELECT chunk_id, bm25 FROM scored ORDER BY bm25 DESC, chunk_id LIMIT {depth}) AS best
), model AS MATERIALIZED (
    -- A model that has no vectors here falls out: its ranking is missing, not the answer.
    SELECT em.id AS model_id, em.name, CAST(vector AS halfvec) AS vector, weight, language, number
    FROM unnest(CAST(:models AS text[]), CAST(:vectors AS text[]), CAST(:weights AS float8[]),
                CAST(:model_languages AS text[]))
         WITH ORDINALITY AS given (name, vector, weight, language, number)
    JOIN embedding_model em USING (name)
), dense AS MATERIALIZED (
    {meaning}
), leg AS MATERIALIZED (
    -- Scores of a ranking, from 0 (its last place that counts) to 1 (its best): how far one chunk is
    -- before the next says more than its place does. A ranking of words that is not full ends at 0.
    SELECT chunk_id, 'lexical' AS name, rank, NULL::float8 AS weight, bm25,
           coalesce((bm25 - floor) / nullif(top - floor, 0), 1) AS points FROM (
        SELECT chunk_id, rank, bm25, max(bm25) OVER () AS top,
               CASE WHEN count(*) OVER () < {depth} THEN 0 ELSE min(bm25) OVER () END AS floor
        FROM lexical
    ) AS words
    UNION ALL
    SELECT chunk_id, name, rank, weight, NULL,
           coalesce((cosine - floor) / nullif(top - floor, 0), 1) FROM (
        SELECT chunk_id, model.name, rank, dense.weight, cosine, max(cosine) OVER one AS top,
               min(cosine) OVER one AS floor
        FROM dense JOIN model USING (number) WINDOW one AS (PARTITION BY number)
    ) AS meaning
), ranked AS MATERIALIZED (
    SELECT chunk_id, coalesce(max(points) FILTER (WHERE weight IS NULL), 0) AS words,
           coalesce(max(bm25), 0) AS bm25, coalesce(sum(weight * points), 0) AS meaning,
           jsonb_object_agg(name, rank) AS ranks
    FROM leg GROUP BY chunk_id
), weighed AS MATERIALIZED (
    -- The rankings that could have known the chunk: one in another language has few words of the
    -- question's, and those count for as much of it as they are; nor has it a vector of a model that
    -- reads English only. Without it such chunks drown.
    SELECT r.chunk_id, r.ranks, r.words, r.meaning,
           CAST(:lexical_weight AS float8) * CASE
               WHEN c.language IN (:language, 'und') OR :language = 'und' THEN 1
               ELSE coalesce(r.bm25 / nullif((SELECT sum(idf) FROM rarity), 0), 0)
           END AS words_weight,
           (SELECT coalesce(sum(weight), 0) FROM model
            WHERE model.language IS NULL OR model.language = c.language) AS meaning_weight
    FROM ranked r CROSS JOIN LATERAL (
        -- One look-up a chunk: joined, the planner would read all chunks.
        SELECT language FROM chunk
        WHERE id = r.chunk_id AND (acl_id IN (SELECT unnest(acls) FROM reader)) IS TRUE OFFSET 0
    ) AS c
), fused AS MATERIALIZED (
    SELECT chunk_id, ranks, coalesce((words_weight * words + meaning)
               / nullif(words_weight + meaning_weight, 0), 0) AS score
    FROM weighed ORDER BY score DESC, chunk_id LIMIT :k
), worded AS MATERIALIZED (
    -- The words of the hits; also of those that were found by their meaning.
    SELECT f.chunk_id, sum(r.idf) AS covered,
           sum(r.idf * p.frequency / (p.frequency + CAST(:k1 AS float8)
               * (1 - CAST(:b AS float8) + CAST(:b AS float8) * p.length / a.average_length)) ORDER BY number) AS bm25
    FROM fused f CROSS JOIN LATERAL (
        SELECT term, frequency, length FROM posting
        WHERE chunk_id = f.chunk_id AND term = ANY (ARRAY(SELECT term FROM asked))
          AND (acl_id IN (SELECT unnest(acls) FROM reader)) IS TRUE OFFSET 0
    ) AS p
    JOIN asked a USING (term) JOIN rarity r USING (number)
    GROUP BY f.chunk_id
), hit AS (
    SELECT f.chunk_id, f.score, f.ranks, s.bm25, s.covered, c.document_id, d.key, d.title, d.url,
           c.heading_path, c.page, c.position, c.text, c.language, c.acl_id, d.summary, d.modified_at,
           (SELECT -(e.vector <#> model.vector) FROM model
            JOIN embedding e ON e.model_id = model.model_id AND e.chunk_id = f.chunk_id
            ORDER BY model.number LIMIT 1) AS cosine
    FROM fused f
    CROSS JOIN LATERAL (
        SELECT * FROM chunk
        WHERE id = f.chunk_id AND (acl_id IN (SELECT unnest(acls) FROM reader)) IS TRUE OFFSET 0
    ) AS c
    CROSS JOIN LATERAL (
        SELECT * FROM document
        WHERE id = c.document_id AND (acl_id IN (SELECT unnest(acls) FROM reader)) IS TRUE OFFSET 0
    ) AS d
    LEFT JOIN worded s ON s.chunk_id = f.chunk_id
), signal AS (
    SELECT (SELECT chunks FROM size)::bigint AS visible_chunks,
           (SELECT sum(idf) FROM rarity) AS asked_idf,
           (SELECT sum(idf) FROM rarity WHERE frequency = 0) AS unknown_idf,
           (SELECT max(bm25) FROM lexical WHERE rank = 1) AS top_bm25,
           (SELECT max(bm25) FROM lexical WHERE rank = 2) AS second_bm25,
           ARRAY(SELECT name FROM model ORDER BY number) AS models,
           ARRAY(SELECT max(cosine) FROM dense RIGHT JOIN model USING (number)
                 GROUP BY number ORDER BY number) AS top_cosines,
           ARRAY(SELECT count(dense.chunk_id) FROM dense RIGHT JOIN model USING (number)
                 GROUP BY number ORDER BY number) AS nearest
)
SELECT signal.*, hit.* FROM signal LEFT JOIN hit ON true
ORDER BY hit.score DESC NULLS LAST, hit.chunk_id

-- visible_languages --
-- The languages of what this reader may see, with their numbers of chunks.
SELECT language, sum(chunks)::bigint AS chunks FROM collection_size
WHERE acl_id = ANY (ARRAY(SELECT readable_acls())) AND chunks > 0 GROUP BY language

-- every_posting --
-- Part of a search: BM25 over all postings of the question's words, for a reader of few documents.
matched AS MATERIALIZED (
    -- OFFSET 0 keeps one index scan a term: with old statistics the planner would scan every posting.
    SELECT asked.number, p.chunk_id,
           p.frequency / (p.frequency + CAST(:k1 AS float8)
               * (1 - CAST(:b AS float8) + CAST(:b AS float8) * p.length / asked.average_length)) AS saturation
    FROM asked CROSS JOIN LATERAL (
        SELECT chunk_id, frequency, length FROM posting
        WHERE term = asked.term AND acl_id = ANY ((SELECT acls FROM reader)::int[]) OFFSET 0
    ) AS p
), rarity AS MATERIALIZED (
    SELECT number, frequency, ln(1 + (size.chunks - frequency + 0.5) / (frequency + 0.5)) AS idf
    FROM size CROSS JOIN (
        SELECT concept.number, least(coalesce(m.chunks, 0), (SELECT chunks FROM size)) AS frequency
        FROM concept LEFT JOIN (SELECT number, count(*) AS chunks FROM matched GROUP BY number) m
        USING (number)
    ) AS counted
), scored AS MATERIALIZED (
    SELECT m.chunk_id, sum(r.idf * m.saturation) AS bm25
    FROM matched m JOIN rarity r USING (number) GROUP BY m.chunk_id
)

-- rarest_postings --
-- Part of a search: BM25 of the chunks that have the question's rarer words, for a reader of many documents.
counted AS MATERIALIZED (
    -- How many visible chunks have a word, told from a sixteenth of them (the index posting_sample).
    SELECT asked.number, sum(s.chunks) AS sampled
    FROM asked CROSS JOIN LATERAL (
        SELECT count(*) AS chunks FROM posting
        WHERE term = asked.term AND acl_id = ANY ((SELECT acls FROM reader)::int[]) AND chunk_id % 16 = 0
    ) AS s
    GROUP BY asked.number
), upto AS MATERIALIZED (
    SELECT number, sampled, 16 * (sum(sampled) OVER rarest_first) AS postings,
           16 * (sum(sampled) OVER rarest_first - sampled) AS rarer_postings
    FROM counted WINDOW rarest_first AS (ORDER BY sampled, number)
), word AS MATERIALIZED (
    -- Rarest first up to a budget; beyond it only while there are hardly any chunks to rank.
    SELECT number, sampled, postings <= :postings OR rarer_postings < :fewest_postings AS is_read FROM upto
), matched AS MATERIALIZED (
    SELECT asked.number, p.chunk_id,
           p.frequency / (p.frequency + CAST(:k1 AS float8)
               * (1 - CAST(:b AS float8) + CAST(:b AS float8) * p.length / asked.average_length)) AS saturation
    FROM asked JOIN word USING (number) CROSS JOIN LATERAL (
        SELECT chunk_id, frequency, length FROM posting
        WHERE term = asked.term AND acl_id = ANY ((SELECT acls FROM reader)::int[]) LIMIT :most_postings
    ) AS p
    WHERE word.is_read
), rarity AS MATERIALIZED (
    SELECT number, frequency, ln(1 + (size.chunks - frequency + 0.5) / (frequency + 0.5)) AS idf
    FROM size CROSS JOIN (
        SELECT concept.number, least((SELECT chunks FROM size),
               greatest(coalesce(m.chunks, 0), CASE WHEN w.is_read AND m.chunks < :most_postings THEN 0
                                                    ELSE 16 * w.sampled END)) AS frequency
        FROM concept LEFT JOIN word w USING (number)
        LEFT JOIN (SELECT number, count(*) AS chunks FROM matched GROUP BY number) m USING (number)
    ) AS counted
), candidate AS MATERIALIZED (
    SELECT m.chunk_id, sum(r.idf * m.saturation) AS bm25
    FROM matched m JOIN rarity r USING (number)
    GROUP BY m.chunk_id ORDER BY bm25 DESC, m.chunk_id LIMIT :candidates
), common AS MATERIALIZED (
    SELECT a.term, a.average_length, r.idf
    FROM asked a JOIN word w USING (number) JOIN rarity r USING (number) WHERE NOT w.is_read
), scored AS MATERIALIZED (
    -- What the common words add is looked up in the best candidates alone.
    SELECT c.chunk_id, c.bm25 + coalesce(sum(common.idf * p.frequency / (p.frequency + CAST(:k1 AS float8)
               * (1 - CAST(:b AS float8) + CAST(:b AS float8) * p.length / common.average_length))), 0) AS bm25
    FROM candidate c
    LEFT JOIN LATERAL (
        SELECT term, frequency, length FROM posting
        WHERE chunk_id = c.chunk_id AND term = ANY (ARRAY(SELECT term FROM common))
          AND (acl_id IN (SELECT unnest(acls) FROM reader)) IS TRUE AND EXISTS (SELECT FROM common) OFFSET 0
    ) AS p ON true
    LEFT JOIN common ON common.term = p.term
    GROUP BY c.chunk_id, c.bm25
)

-- exact_meaning --
-- Part of a search: the nearest of all vectors that the reader may see.
SELECT model.number, model.weight, found.chunk_id, found.cosine,
       row_number() OVER (PARTITION BY model.number ORDER BY found.cosine DESC, found.chunk_id) AS rank
FROM model CROSS JOIN LATERAL (
    SELECT e.chunk_id, -(e.vector <#> model.vector) AS cosine FROM embedding e
    WHERE e.model_id = model.model_id AND e.acl_id = ANY ((SELECT acls FROM reader)::int[])
    ORDER BY e.vector <#> model.vector, e.chunk_id LIMIT {depth}
) AS found
WHERE model.model_id <> ALL (CAST(:indexed AS int[]))

-- nearest_meaning --
-- Part of a search: the nearest by the index of one model's vectors; the places are filled in with numbers.
SELECT model.number, model.weight, found.chunk_id, found.cosine,
       row_number() OVER (ORDER BY found.cosine DESC, found.chunk_id) AS rank
FROM model CROSS JOIN LATERAL (
    -- The index forgets what it passed: more are taken from it than count, then the best of them.
    SELECT * FROM (
        SELECT e.chunk_id, -(e.vector::halfvec({dimensions}) <#> model.vector::halfvec({dimensions})) AS cosine
    FROM embedding e
    WHERE e.model_id = {model_id} AND (e.acl_id IN (SELECT unnest(acls) FROM reader)) IS TRUE
    ORDER BY e.vector::halfvec({dimensions}) <#> model.vector::halfvec({dimensions}) LIMIT {reach}
    ) AS reached ORDER BY cosine DESC, chunk_id LIMIT {depth}
) AS found
WHERE model.model_id = {model_id}

-- vector_indexes --
-- The models whose vectors have an index that is ready, with their dimensions and numbers of vectors.
SELECT em.id AS model_id, em.name, em.dimensions, greatest(part.reltuples, 0)::bigint AS vectors
FROM embedding_model em
JOIN pg_class part ON part.oid = to_regclass('embedding_' || em.id)
JOIN pg_index i ON i.indexrelid = to_regclass('embedding_' || em.id || '_nearest') AND i.indisvalid
