-- list --
-- A sync has named these channels.
INSERT INTO slack_channel (channel, bots, listed_at)
SELECT channel, bots, now() FROM unnest(%(channels)s::text[], %(bots)s::boolean[]) AS named (channel, bots)
ON CONFLICT (channel) DO UPDATE SET bots = excluded.bots, listed_at = excluded.listed_at;

-- unlist --
-- No source takes a channel any more.
DELETE FROM slack_channel WHERE channel = %(channel)s;

-- store --
-- Take in that something happened to a message, if its channel is indexed; ids, never its text.
INSERT INTO inbox_event (key, kind, payload, received_at)
SELECT %(key)s, %(kind)s, %(payload)s, clock_timestamp() FROM slack_channel
WHERE channel = %(channel)s AND (bots OR NOT %(by_app)s)
ON CONFLICT (key) DO NOTHING
RETURNING id;

-- touched --
-- Whether something happened to a document since it was read: to its thread, or on its day.
SELECT FROM inbox_event
WHERE kind = 'history' AND payload ->> 'channel' = %(channel)s
    AND payload ->> 'root' >= %(first)s AND payload ->> 'root' <= %(last)s
    AND received_at > to_timestamp(%(since)s)
LIMIT 1;

-- together --
-- What waits for the same message or thread: one reading settles all of it.
SELECT id, payload ->> 'change' FROM inbox_event
WHERE kind = 'history' AND finished_at IS NULL
    AND payload ->> 'channel' = %(channel)s AND payload ->> 'root' = %(root)s;

-- settle --
-- What was told before the reading is done.
UPDATE inbox_event SET finished_at = now(), outcome = %(outcome)s
WHERE id = ANY(%(ids)s) AND finished_at IS NULL;
