-- Policy is pushed under one epoch a namespace; what a sidecar runs is noted, and what it refused is kept.
CREATE TABLE policy_epochs (
    namespace TEXT    NOT NULL,
    epoch     INTEGER NOT NULL,
    PRIMARY KEY (namespace)
) WITHOUT ROWID;
-- No sidecar is offered an epoch that it has seen.
INSERT INTO policy_epochs (namespace, epoch) SELECT namespace, MAX(offered_epoch) FROM sidecars GROUP BY namespace;
ALTER TABLE sidecars DROP COLUMN offered_version;

-- Keys on whose links a chain was ever minted: what becomes of them concerns chains that are kept nowhere.
CREATE TABLE minted_delegators (
    namespace TEXT NOT NULL,
    agent_id  BLOB NOT NULL,
    PRIMARY KEY (namespace, agent_id)
) WITHOUT ROWID;

-- Which derived key the chains of a namespace are minted under; 1 where nothing stands here.
CREATE TABLE chain_keys (
    namespace TEXT    NOT NULL,
    key_id    INTEGER NOT NULL,
    PRIMARY KEY (namespace)
) WITHOUT ROWID;

CREATE TABLE sidecar_events (
    namespace  TEXT    NOT NULL,
    -- Counts up within the namespace.
    number     INTEGER NOT NULL,
    sidecar_id TEXT    NOT NULL,
    agent_name TEXT    NOT NULL,
    at_ms      INTEGER NOT NULL,
    kept_at_ms INTEGER NOT NULL,
    kind       INTEGER NOT NULL,
    epoch      INTEGER NOT NULL,
    detail     TEXT    NOT NULL,
    PRIMARY KEY (namespace, number)
) WITHOUT ROWID;
CREATE INDEX sidecar_events_by_sidecar ON sidecar_events (namespace, sidecar_id, number);
