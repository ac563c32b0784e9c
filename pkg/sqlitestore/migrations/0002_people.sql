-- Who asked, so that a person's own turns can be listed; '' for turns that were
-- written before, which are not listed.
ALTER TABLE turns ADD COLUMN person TEXT NOT NULL DEFAULT '';
CREATE INDEX turns_person ON turns (person, sent_at) WHERE person <> '';

-- What people chose for themselves. It does not expire.
CREATE TABLE people (
    person   TEXT PRIMARY KEY NOT NULL,
    settings TEXT NOT NULL -- JSON
) STRICT;
