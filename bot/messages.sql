-- shown --
-- The messages that show the answer to one arrival.
SELECT channel, ts, state, answer_id FROM slack_message WHERE inbox_event_id = %(event_id)s;

-- keep --
-- A message shows, or begins to show, an answer.
INSERT INTO slack_message (team, channel, ts, thread_ts, question_id, answer_id, inbox_event_id, state)
VALUES (%(team)s, %(channel)s, %(ts)s, %(thread_ts)s, %(question_id)s, %(answer_id)s, %(event_id)s, %(state)s)
ON CONFLICT (team, channel, ts) DO UPDATE SET answer_id = excluded.answer_id, state = excluded.state;

-- settle --
-- The answer is whole: all its messages show it.
UPDATE slack_message SET answer_id = %(answer_id)s, state = 'final' WHERE inbox_event_id = %(event_id)s;

-- drop --
-- A half-written message was deleted in Slack.
DELETE FROM slack_message WHERE team = %(team)s AND channel = %(channel)s AND ts = %(ts)s;

-- thread_answers --
-- What we said in a thread, as the answer log has it, without the furniture of a Slack message.
SELECT m.ts, a.text FROM slack_message m JOIN answer a ON a.id = m.answer_id
WHERE m.team = %(team)s AND m.channel = %(channel)s AND m.thread_ts = %(thread_ts)s;

-- known_messages --
-- Which messages of a thread show answers.
SELECT ts FROM slack_message WHERE team = %(team)s AND channel = %(channel)s AND thread_ts = %(thread_ts)s;

-- last_answer --
-- The log's newest answer to a question.
SELECT id, state FROM answer WHERE question_id = %(question_id)s ORDER BY created_at DESC LIMIT 1;
