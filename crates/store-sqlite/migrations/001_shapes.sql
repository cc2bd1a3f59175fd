-- The shapes Doc, Map and Log. (Blobs are files.)

CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- One row for each (space, owner), so that the tables below name both with one small number.
-- AUTOINCREMENT: the number of a purged slot never comes back, because rows of it may still await deletion.
CREATE TABLE slot (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    space TEXT NOT NULL,
    owner TEXT NOT NULL,
    floor INTEGER NOT NULL DEFAULT 0, -- log entries up to this id are deleted, even where rows are still there
    last  INTEGER NOT NULL DEFAULT 0, -- an id that was used, where the log's own rows no longer tell
    lag   INTEGER NOT NULL DEFAULT 0  -- milliseconds by which a log entry may be older than any before it
) STRICT;
CREATE UNIQUE INDEX slot_by_space ON slot (space, owner);
CREATE INDEX slot_by_owner ON slot (owner);

CREATE TABLE doc (
    slot  INTEGER PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

CREATE TABLE map (
    slot  INTEGER NOT NULL,
    key   TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (slot, key)
) STRICT, WITHOUT ROWID;

-- Appended in the order of arrival, whoever the owner: a table clustered by owner measured half the speed.
CREATE TABLE log (
    slot     INTEGER NOT NULL,
    id       INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    peer     TEXT,
    resource TEXT,
    tag      INTEGER NOT NULL,
    value    BLOB NOT NULL
) STRICT;
-- Both indexes hold all that filters look at, so that only the entries of a page are fetched from the table.
CREATE INDEX log_by_id ON log (slot, id, at, tag);
CREATE INDEX log_by_peer ON log (slot, peer, id, at, tag, resource) WHERE peer IS NOT NULL;

-- Log entries that are deleted already (below the floor, or of a purged slot) and whose rows go piece by piece.
CREATE TABLE doom (
    slot  INTEGER PRIMARY KEY,
    up_to INTEGER NOT NULL
) STRICT;
