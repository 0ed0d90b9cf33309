-- Channels whose history is a source: of their messages the inbox takes the ids.
CREATE TABLE slack_channel (
    channel text PRIMARY KEY, -- the door finds a message's channel by one look
    bots boolean NOT NULL, -- other apps' messages count too
    listed_at timestamptz NOT NULL -- when a sync last named it
);
CREATE INDEX inbox_event_history ON inbox_event ((payload ->> 'channel'), (payload ->> 'root'), received_at)
    WHERE kind = 'history'; -- what happened to a document since it was read: asked for each one
GRANT SELECT, INSERT, UPDATE, DELETE ON slack_channel TO lorewise_app;
