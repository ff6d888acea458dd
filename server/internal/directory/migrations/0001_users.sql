-- Times are milliseconds since 1970-01-01 UTC. A user is deleted only when
-- everything that is held on them is: a name, which is the subject too, is not to be
-- given to somebody else lightly.
CREATE TABLE users (
    username            TEXT NOT NULL PRIMARY KEY CHECK (length(username) BETWEEN 1 AND 64),
    hash                TEXT NOT NULL, -- a PHC string
    created_at          INTEGER NOT NULL,
    password_changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
