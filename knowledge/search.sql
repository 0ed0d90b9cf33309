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
-- The best chunks for a question: exact dense ranking and BM25, fused by weighted reciprocal rank.
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
), matched AS MATERIALIZED (
    -- OFFSET 0 keeps one index scan a term: with old statistics the planner would scan every posting.
    SELECT asked.number, p.chunk_id,
           p.frequency / (p.frequency + CAST(:k1 AS float8)
               * (1 - CAST(:b AS float8) + CAST(:b AS float8) * p.length / asked.average_length)) AS saturation
    FROM asked CROSS JOIN LATERAL (
        SELECT chunk_id, frequency, length FROM posting
        WHERE term = asked.term AND acl_id = ANY ((SELECT acls FROM reader)::int[]) OFFSET 0
    ) AS p
), rarity AS MATERIALIZED (
    SELECT number, ln(1 + (size.chunks - frequency + 0.5) / (frequency + 0.5)) AS idf
    FROM size CROSS JOIN (
        SELECT concept.number, least(coalesce(m.chunks, 0), (SELECT chunks FROM size)) AS frequency
        FROM concept LEFT JOIN (SELECT number, count(*) AS chunks FROM matched GROUP BY number) m
        USING (number)
    ) AS counted
), scored AS MATERIALIZED (
    SELECT m.chunk_id, sum(r.idf * m.saturation) AS bm25, sum(r.idf) AS covered
    FROM matched m JOIN rarity r USING (number) GROUP BY m.chunk_id
), lexical AS MATERIALIZED (
    SELECT chunk_id, bm25, row_number() OVER (ORDER BY bm25 DESC, chunk_id) AS rank
    FROM scored ORDER BY bm25 DESC, chunk_id LIMIT :depth
), model AS MATERIALIZED (
    -- A model that has no vectors here falls out: its ranking is missing, not the answer.
    SELECT em.id AS model_id, em.name, CAST(vector AS halfvec) AS vector, weight, language, number
    FROM unnest(CAST(:models AS text[]), CAST(:vectors AS text[]), CAST(:weights AS float8[]),
                CAST(:model_languages AS text[]))
         WITH ORDINALITY AS given (name, vector, weight, language, number)
    JOIN embedding_model em USING (name)
), dense AS MATERIALIZED (
    SELECT model.number, model.weight, found.chunk_id, found.cosine,
           row_number() OVER (PARTITION BY model.number ORDER BY found.cosine DESC, found.chunk_id) AS rank
    FROM model CROSS JOIN LATERAL (
        SELECT e.chunk_id, -(e.vector <#> model.vector) AS cosine FROM embedding e
        WHERE e.model_id = model.model_id AND e.acl_id = ANY ((SELECT acls FROM reader)::int[])
        ORDER BY e.vector <#> model.vector, e.chunk_id LIMIT :depth
    ) AS found
), ranked AS MATERIALIZED (
    SELECT chunk_id, sum(points) AS points, bool_or(is_lexical) AS is_lexical FROM (
        SELECT chunk_id, CAST(:lexical_weight AS float8) / (CAST(:rank_constant AS float8) + rank) AS points,
               true AS is_lexical FROM lexical
        UNION ALL
        SELECT chunk_id, weight / (CAST(:rank_constant AS float8) + rank), false FROM dense
    ) AS leg
    GROUP BY chunk_id
), fused AS MATERIALIZED (
    -- The mean over the rankings that could have known the chunk: one in another language has no word
    -- of the question's, nor a vector of a model that reads English only. Without it such chunks drown.
    SELECT r.chunk_id, r.points / (
               CASE WHEN r.is_lexical OR c.language IN (:language, 'und') OR :language = 'und'
                    THEN CAST(:lexical_weight AS float8) ELSE 0 END
               + (SELECT coalesce(sum(weight), 0) FROM model
                  WHERE model.language IS NULL OR model.language = c.language)) AS score
    FROM ranked r
    JOIN chunk c ON c.id = r.chunk_id AND c.acl_id = ANY ((SELECT acls FROM reader)::int[])
    ORDER BY score DESC, r.chunk_id LIMIT :k
), hit AS (
    SELECT f.chunk_id, f.score, s.bm25, s.covered, c.document_id, d.key, d.title, d.url,
           c.heading_path, c.page, c.position, c.text, c.language, c.acl_id, d.modified_at,
           (SELECT -(e.vector <#> model.vector) FROM model
            JOIN embedding e ON e.model_id = model.model_id AND e.chunk_id = f.chunk_id
            ORDER BY model.number LIMIT 1) AS cosine
    FROM fused f
    JOIN chunk c ON c.id = f.chunk_id AND c.acl_id = ANY ((SELECT acls FROM reader)::int[])
    JOIN document d ON d.id = c.document_id AND d.acl_id = ANY ((SELECT acls FROM reader)::int[])
    LEFT JOIN (
        SELECT * FROM scored WHERE chunk_id = ANY (ARRAY(SELECT chunk_id FROM fused))
    ) AS s ON s.chunk_id = f.chunk_id
), signal AS (
    SELECT (SELECT chunks FROM size)::bigint AS visible_chunks,
           (SELECT sum(idf) FROM rarity) AS asked_idf,
           (SELECT max(bm25) FROM lexical WHERE rank = 1) AS top_bm25,
           (SELECT max(bm25) FROM lexical WHERE rank = 2) AS second_bm25,
           ARRAY(SELECT name FROM model ORDER BY number) AS models,
           ARRAY(SELECT max(cosine) FROM dense RIGHT JOIN model USING (number)
                 GROUP BY number ORDER BY number) AS top_cosines
)
SELECT signal.*, hit.* FROM signal LEFT JOIN hit ON true
ORDER BY hit.score DESC NULLS LAST, hit.chunk_id

-- visible_languages --
-- The languages of what this reader may see, with their numbers of chunks.
SELECT language, sum(chunks)::bigint AS chunks FROM collection_size
WHERE acl_id = ANY (ARRAY(SELECT readable_acls())) AND chunks > 0 GROUP BY language
