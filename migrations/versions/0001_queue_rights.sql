-- The app works the queue; the queue's tables stay the owner's.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA queue TO lorewise_app;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA queue TO lorewise_app;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA queue TO lorewise_app;
