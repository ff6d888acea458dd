-- Addresses that were changed lately, which get notices until a time in milliseconds and
-- may be put back; and how often a user has asked for a new one since when.
CREATE TABLE addresses (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    username TEXT NOT NULL,
    email    TEXT NOT NULL,
    until    INTEGER NOT NULL
) STRICT;
CREATE INDEX addresses_username ON addresses (username);

ALTER TABLE users ADD COLUMN asks INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN asked_at INTEGER NOT NULL DEFAULT 0;
