-- Instants are microseconds since 1970; 0 is the zero time.
CREATE TABLE session (
	id           BLOB    NOT NULL PRIMARY KEY,
	tenant       TEXT    NOT NULL,
	subject      TEXT    NOT NULL,
	profile      TEXT    NOT NULL,
	gen          INTEGER NOT NULL,
	gen_seen     INTEGER NOT NULL,
	window_at    INTEGER NOT NULL,
	last_seen    INTEGER NOT NULL,
	idle_expires INTEGER NOT NULL,
	expires      INTEGER NOT NULL,
	ended_at     INTEGER NOT NULL,
	end_reason   TEXT    NOT NULL,
	version      BLOB    NOT NULL,
	-- The instant from which retention counts, for the sweep.
	due          INTEGER NOT NULL GENERATED ALWAYS AS (
		CASE WHEN ended_at <> 0 THEN ended_at ELSE min(expires, idle_expires) END
	) VIRTUAL,
	blob         BLOB    NOT NULL -- last: the other columns are read without its pages
) STRICT;

CREATE INDEX session_owner ON session (tenant, subject, id);
CREATE INDEX session_due ON session (due);

CREATE TABLE item (
	kind    TEXT    NOT NULL,
	key     TEXT    NOT NULL,
	expires INTEGER NOT NULL,
	version BLOB    NOT NULL,
	value   BLOB    NOT NULL,
	PRIMARY KEY (kind, key)
) STRICT;

CREATE INDEX item_expires ON item (expires) WHERE expires <> 0;
