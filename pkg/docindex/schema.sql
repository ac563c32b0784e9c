CREATE TABLE files (
    path    TEXT    PRIMARY KEY NOT NULL, -- relative, with slashes
    mtime   INTEGER NOT NULL,             -- nanoseconds since 1970
    size    INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,             -- when it was read
    hash    BLOB    NOT NULL,
    title   TEXT    NOT NULL,
    url     TEXT    NOT NULL,             -- its own, or empty
    problem TEXT    NOT NULL              -- why it could not be read, or empty
) STRICT;

CREATE TABLE parents (
    id   INTEGER PRIMARY KEY,
    path TEXT    NOT NULL REFERENCES files (path) ON DELETE CASCADE,
    text TEXT    NOT NULL,
    heading TEXT NOT NULL
) STRICT;
CREATE INDEX parents_path ON parents (path);

CREATE TABLE children (
    id      INTEGER PRIMARY KEY,
    parent  INTEGER NOT NULL REFERENCES parents (id) ON DELETE CASCADE,
    heading TEXT    NOT NULL,
    page    INTEGER NOT NULL,
    text    TEXT    NOT NULL
) STRICT;
CREATE INDEX children_parent ON children (parent);

-- The words of children, by their id. Nothing is read back from it.
CREATE VIRTUAL TABLE terms USING fts5 (
    text, headings, content = '', contentless_delete = 1, tokenize = 'porter unicode61'
);
CREATE TRIGGER children_gone AFTER DELETE ON children BEGIN
    DELETE FROM terms WHERE rowid = old.id;
END;
