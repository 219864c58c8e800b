-- Secrets as ciphertext: the store never has a value.
CREATE TABLE secrets (
    namespace     TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    version       INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    -- Of how it is sealed.
    schema        INTEGER NOT NULL,
    key_id        BLOB    NOT NULL,
    nonce         BLOB    NOT NULL,
    ciphertext    BLOB    NOT NULL,
    PRIMARY KEY (namespace, name)
) WITHOUT ROWID;
