-- Where a user is written to; a password that is good for nothing until another is
-- set; and the devices that a user has signed in from, by their coarse names.
ALTER TABLE users ADD COLUMN email TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN void INTEGER NOT NULL DEFAULT 0;

CREATE TABLE devices (
    username TEXT NOT NULL,
    name     TEXT NOT NULL,
    seen_at  INTEGER NOT NULL,
    PRIMARY KEY (username, name)
) STRICT, WITHOUT ROWID;
