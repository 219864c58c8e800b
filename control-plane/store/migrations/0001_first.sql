-- Every table belongs to a namespace, and every key begins with it.
CREATE TABLE revocation_epochs (
    namespace TEXT    NOT NULL,
    epoch     INTEGER NOT NULL,
    PRIMARY KEY (namespace)
) WITHOUT ROWID;

CREATE TABLE agents (
    namespace     TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    agent_id      BLOB    NOT NULL,
    public_key    BLOB    NOT NULL,
    tier          INTEGER NOT NULL,
    trust_level   INTEGER NOT NULL,
    state         INTEGER NOT NULL,
    labels        TEXT    NOT NULL,
    root          INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    PRIMARY KEY (namespace, name)
) WITHOUT ROWID;

-- Every key an agent has had: a key is never taken twice, also not after its rotation.
CREATE TABLE agent_keys (
    namespace TEXT NOT NULL,
    agent_id  BLOB NOT NULL,
    name      TEXT NOT NULL,
    PRIMARY KEY (namespace, agent_id)
) WITHOUT ROWID;

CREATE TABLE delegations (
    namespace     TEXT    NOT NULL,
    delegation_id BLOB    NOT NULL,
    holder_id     BLOB    NOT NULL,
    holder_name   TEXT    NOT NULL,
    expires_at_s  INTEGER NOT NULL,
    revoked       INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    links         BLOB    NOT NULL,
    PRIMARY KEY (namespace, delegation_id)
) WITHOUT ROWID;
CREATE INDEX delegations_by_holder ON delegations (namespace, holder_name, delegation_id);

CREATE TABLE delegation_links (
    namespace     TEXT    NOT NULL,
    delegation_id BLOB    NOT NULL,
    position      INTEGER NOT NULL,
    link_id       BLOB    NOT NULL,
    delegator_id  BLOB    NOT NULL,
    agent_id      BLOB    NOT NULL,
    PRIMARY KEY (namespace, delegation_id, position)
) WITHOUT ROWID;
CREATE INDEX delegation_links_by_link ON delegation_links (namespace, link_id);
CREATE INDEX delegation_links_by_delegator ON delegation_links (namespace, delegator_id);
CREATE INDEX delegation_links_by_agent ON delegation_links (namespace, agent_id);

-- Kept for good: a revoked link does not come back inside another chain.
CREATE TABLE revoked_links (
    namespace TEXT NOT NULL,
    link_id   BLOB NOT NULL,
    PRIMARY KEY (namespace, link_id)
) WITHOUT ROWID;

CREATE TABLE enrollment_tokens (
    namespace     TEXT    NOT NULL,
    digest        BLOB    NOT NULL,
    agent_name    TEXT    NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    used_at_ms    INTEGER,
    PRIMARY KEY (namespace, digest)
) WITHOUT ROWID;
CREATE UNIQUE INDEX enrollment_tokens_by_digest ON enrollment_tokens (digest);

CREATE TABLE sidecars (
    namespace       TEXT    NOT NULL,
    sidecar_id      TEXT    NOT NULL,
    agent_name      TEXT    NOT NULL,
    public_key      BLOB    NOT NULL,
    fingerprint     BLOB    NOT NULL,
    created_at_ms   INTEGER NOT NULL,
    offered_epoch   INTEGER NOT NULL,
    offered_version TEXT    NOT NULL,
    applied_epoch   INTEGER NOT NULL,
    rejection       TEXT    NOT NULL,
    last_seen_ms    INTEGER NOT NULL,
    PRIMARY KEY (namespace, sidecar_id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX sidecars_by_fingerprint ON sidecars (fingerprint);

CREATE TABLE operator_tokens (
    namespace     TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    digest        BLOB    NOT NULL,
    admin         INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    PRIMARY KEY (namespace, name)
) WITHOUT ROWID;
CREATE UNIQUE INDEX operator_tokens_by_digest ON operator_tokens (digest);

CREATE TABLE policies (
    namespace     TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    document      TEXT    NOT NULL,
    version       TEXT    NOT NULL,
    revision      INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    PRIMARY KEY (namespace, name)
) WITHOUT ROWID;

-- How far each spool of each sidecar is committed; written with the rows it vouches for.
CREATE TABLE report_marks (
    namespace   TEXT    NOT NULL,
    sidecar_id  TEXT    NOT NULL,
    spool_epoch INTEGER NOT NULL,
    mark        INTEGER NOT NULL,
    PRIMARY KEY (namespace, sidecar_id, spool_epoch)
) WITHOUT ROWID;

CREATE TABLE calls (
    namespace      TEXT    NOT NULL,
    at_us          INTEGER NOT NULL,
    sidecar_id     TEXT    NOT NULL,
    spool_epoch    INTEGER NOT NULL,
    sequence       INTEGER NOT NULL,
    agent_name     TEXT    NOT NULL,
    capture        INTEGER NOT NULL,
    kind           TEXT    NOT NULL,
    scheme         TEXT    NOT NULL,
    method         TEXT    NOT NULL,
    host           TEXT    NOT NULL,
    port           INTEGER NOT NULL,
    path           TEXT    NOT NULL,
    verdict        INTEGER NOT NULL,
    code           TEXT    NOT NULL,
    policy         TEXT    NOT NULL,
    rule           TEXT    NOT NULL,
    policy_epoch   INTEGER NOT NULL,
    delegation_id  BLOB    NOT NULL,
    ended_at_us    INTEGER,
    outcome        INTEGER NOT NULL,
    status         INTEGER NOT NULL,
    request_bytes  INTEGER NOT NULL,
    response_bytes INTEGER NOT NULL,
    duration_us    INTEGER NOT NULL,
    upstream       TEXT    NOT NULL,
    PRIMARY KEY (namespace, sidecar_id, spool_epoch, sequence)
) WITHOUT ROWID;
CREATE INDEX calls_by_time ON calls (namespace, at_us, sidecar_id, spool_epoch, sequence);
