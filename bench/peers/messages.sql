-- The shape of message-db: one table with a position in all and one in each stream, and a function that computes the latter.
-- Two changes, both to PostgreSQL's advantage: the lock is on the stream, not on its whole category, so that commits to
-- different streams share a sync; and there is no index by category.

CREATE TABLE messages (
  global_position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  position bigint NOT NULL,
  time timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'utc'),
  stream_name text NOT NULL,
  type text NOT NULL,
  data jsonb,
  metadata jsonb,
  id uuid NOT NULL
);
CREATE UNIQUE INDEX messages_id ON messages (id);
CREATE UNIQUE INDEX messages_stream ON messages (stream_name, position);

CREATE FUNCTION write_message(id uuid, stream_name text, type text, data jsonb) RETURNS bigint AS $$
DECLARE
  next_position bigint;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(write_message.stream_name, 0));
  SELECT coalesce(max(position), -1) + 1 INTO next_position
    FROM messages WHERE messages.stream_name = write_message.stream_name;
  INSERT INTO messages (id, stream_name, position, type, data)
    VALUES (write_message.id, write_message.stream_name, next_position, write_message.type, write_message.data);
  RETURN next_position;
END;
$$ LANGUAGE plpgsql VOLATILE;
