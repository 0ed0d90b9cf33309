-- status --
-- What there is, for a person who asks.
SELECT (SELECT count(*) FROM document) AS documents, (SELECT count(*) FROM source) AS sources,
    (SELECT count(*) FROM question) AS questions, (SELECT count(*) FROM answer) AS answers,
    (SELECT count(*) FROM feedback WHERE vote <> 0) AS votes,
    (SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo') AS waiting;

-- documents_by_source --
-- How many documents each source has.
SELECT source_id, count(*) FROM document GROUP BY source_id;
