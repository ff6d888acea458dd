-- The revocation log. AUTOINCREMENT: a number is never given twice, also after
-- the newest entry was removed, so that a cursor stays good.
CREATE TABLE log (
	seq     INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	id      BLOB    NOT NULL,
	scope   INTEGER NOT NULL,
	target  BLOB    NOT NULL, -- ids or text, by scope
	tenant  TEXT    NOT NULL,
	since   INTEGER NOT NULL,
	before  INTEGER NOT NULL,
	spared  BLOB    NOT NULL,
	until   INTEGER NOT NULL,
	at      INTEGER NOT NULL,
	reason  TEXT    NOT NULL,
	-- What an entry that settles others calls this one by: the session that it
	-- ends or, if it is wider, itself.
	about   BLOB    NOT NULL GENERATED ALWAYS AS (CASE WHEN scope = 1 THEN target ELSE id END) VIRTUAL
) STRICT;

CREATE INDEX log_until ON log (until);
CREATE INDEX log_about ON log (about);
