-- People who sign in, and their sessions.
CREATE TABLE people_accounts (
    namespace  TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    -- argon2id, as a PHC string.
    hash       TEXT   NOT NULL,
    role       TEXT   NOT NULL,
    disabled   BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL,
    PRIMARY KEY (namespace, name)
);

CREATE TABLE people_sessions (
    -- SHA-256 of what the browser holds: whoever reads this table cannot sign in with it.
    token      TEXT   NOT NULL PRIMARY KEY,
    namespace  TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    created_ms BIGINT NOT NULL,
    seen_ms    BIGINT NOT NULL,
    FOREIGN KEY (namespace, name) REFERENCES people_accounts (namespace, name)
);
CREATE INDEX people_sessions_account ON people_sessions (namespace, name, created_ms);
CREATE INDEX people_sessions_seen ON people_sessions (seen_ms);
