-- Times are microseconds since 1970 in UTC, 0 for none.

-- Messages of every queue, and its dead letters. AUTOINCREMENT never hands out an
-- id again, so that "newer than the newest I know" finds what others sent.
CREATE TABLE messages (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    queue      TEXT    NOT NULL,
    dead       INTEGER NOT NULL DEFAULT 0,
    grp        TEXT    NOT NULL,
    dedup_id   TEXT    NOT NULL,
    body       BLOB    NOT NULL,
    attributes TEXT    NOT NULL, -- JSON object, or empty
    receives   INTEGER NOT NULL DEFAULT 0,
    sent_at    INTEGER NOT NULL,
    first_seen INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX messages_dead ON messages (queue, sent_at, id) WHERE dead = 1;

-- What was sent lately; rows outlive their messages.
CREATE TABLE dedup (
    queue   TEXT    NOT NULL,
    id      TEXT    NOT NULL,
    sent_at INTEGER NOT NULL,
    PRIMARY KEY (queue, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE cases (
    message_id  TEXT    PRIMARY KEY NOT NULL,
    rev         INTEGER NOT NULL,
    nonce       TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    lease_until INTEGER NOT NULL,
    record      TEXT    NOT NULL, -- JSON of the rest
    message     BLOB,
    written_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX cases_age ON cases (written_at);

CREATE TABLE conversations (
    key          TEXT    PRIMARY KEY NOT NULL,
    reset_before INTEGER NOT NULL,
    stop_before  INTEGER NOT NULL,
    written_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX conversations_age ON conversations (written_at);

CREATE TABLE turns (
    conversation TEXT    NOT NULL,
    sent_at      INTEGER NOT NULL,
    message_id   TEXT    NOT NULL,
    tokens       INTEGER NOT NULL,
    record       TEXT    NOT NULL, -- JSON of the rest
    written_at   INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX turns_key ON turns (conversation, sent_at, message_id);
CREATE INDEX turns_age ON turns (written_at);

CREATE TABLE deliveries (
    message_id TEXT    PRIMARY KEY NOT NULL,
    rev        INTEGER NOT NULL,
    record     TEXT    NOT NULL, -- JSON of the rest
    written_at INTEGER NOT NULL
) STRICT;
CREATE INDEX deliveries_age ON deliveries (written_at);

CREATE TABLE posts (
    id         TEXT NOT NULL PRIMARY KEY,
    message_id TEXT NOT NULL REFERENCES deliveries (message_id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX posts_message ON posts (message_id);

CREATE TABLE quotas (
    scope      TEXT    NOT NULL,
    day        TEXT    NOT NULL,
    used       INTEGER NOT NULL,
    written_at INTEGER NOT NULL,
    PRIMARY KEY (scope, day)
) STRICT, WITHOUT ROWID;
CREATE INDEX quotas_age ON quotas (written_at);
