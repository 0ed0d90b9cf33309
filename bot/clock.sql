-- tick --
-- The replica that inserts the row queues the job; all others find it there.
INSERT INTO due_task (task, due_at, queued_at) VALUES (%(task)s, %(due_at)s, now())
ON CONFLICT (task, due_at) DO NOTHING
RETURNING due_at;

-- any_tick --
-- Whether the task was ever due here.
SELECT FROM due_task WHERE task = %(task)s LIMIT 1;
