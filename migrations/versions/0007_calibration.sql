-- Runs as the owner, with search_path lorewise, queue, public.

-- The decision to answer, as `lorewise evaluate calibrate` has fitted it. It holds no document's text.
CREATE TABLE calibration (
    models text[] PRIMARY KEY, -- sorted; one set of embedders has one calibration, and it is found by one look-up
    fitted_at timestamptz NOT NULL,
    model jsonb NOT NULL, -- weights {signal: [mean, scale, coefficient]}, intercept
    threshold double precision NOT NULL,
    data_hash text NOT NULL, -- which questions, and what was found for them
    figures jsonb NOT NULL
);
GRANT SELECT ON calibration TO lorewise_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON calibration TO lorewise_indexer;
