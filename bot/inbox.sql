-- store --
-- Take a payload in once; no row comes back from a second delivery.
INSERT INTO inbox_event (key, kind, payload, received_at)
VALUES (%(key)s, %(kind)s, %(payload)s, now())
ON CONFLICT (key) DO NOTHING
RETURNING id;

-- store_follow_up --
-- The same for a reply without a mention: only in a thread where we were asked, and, where the
-- setting says so, only from the person who asked there.
INSERT INTO inbox_event (key, kind, payload, received_at)
SELECT %(key)s, %(kind)s, %(payload)s, now()
WHERE EXISTS (
    SELECT FROM inbox_event
    WHERE key = %(root_key)s AND (%(anyone)s OR payload ->> 'user' = %(user)s)
) OR EXISTS (
    SELECT FROM slack_message m JOIN question q ON q.id = m.question_id
    WHERE m.team = %(team)s AND m.channel = %(channel)s AND m.thread_ts = %(thread_ts)s
        AND (%(anyone)s OR q.asker = %(asker)s)
)
ON CONFLICT (key) DO NOTHING
RETURNING id;

-- edit --
-- A question that isn't answered yet is answered as it reads now.
UPDATE inbox_event SET payload = payload || jsonb_build_object('text', %(text)s::text)
WHERE key = %(key)s AND finished_at IS NULL;

-- known --
-- Whether a payload is here.
SELECT FROM inbox_event WHERE key = %(key)s;

-- delete --
-- Who deletes a question takes its text back; one that isn't answered yet never will be.
WITH before AS (
    SELECT id, finished_at FROM inbox_event WHERE key = %(key)s FOR UPDATE
)
UPDATE inbox_event e SET payload = e.payload - 'text' - 'files',
    outcome = coalesce(e.outcome, 'deleted'), finished_at = coalesce(e.finished_at, now())
FROM before WHERE e.id = before.id
RETURNING before.finished_at IS NULL;

-- stop --
-- Tell every worker that a thread's answer is to stop.
SELECT pg_notify('lorewise_stop', %(payload)s);

-- moved --
-- Tell every worker that somebody came into a channel or left it.
SELECT pg_notify('lorewise_member', %(payload)s);

-- load --
-- One payload, for the job that works on it.
SELECT id, key, kind, payload, received_at, finished_at, outcome FROM inbox_event WHERE id = %(id)s;

-- finish --
-- Say how it ended; the first word counts.
UPDATE inbox_event SET finished_at = now(), outcome = %(outcome)s
WHERE id = %(id)s AND finished_at IS NULL;

-- orphans --
-- What was taken in, never came to an end, and has no job any more: the last attempt could not
-- even say that it failed.
SELECT id, key, kind, payload FROM inbox_event e
WHERE finished_at IS NULL AND received_at < now() - interval '10 minutes'
    AND received_at > now() - interval '1 day'
    AND NOT EXISTS (
        SELECT FROM procrastinate_jobs j
        WHERE j.status IN ('todo', 'doing') AND j.args ->> 'event_id' = e.id::text
    )
FOR UPDATE SKIP LOCKED;

-- forget --
-- Payloads hold what people wrote: they stay no longer than they help to find a fault.
DELETE FROM inbox_event WHERE finished_at < now() - make_interval(days => %(days)s);
