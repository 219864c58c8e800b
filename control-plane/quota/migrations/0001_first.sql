-- Schema 1 of the embedded issuer. Amounts are in units of their limit, times in milliseconds since 1970.
CREATE TABLE quota_namespaces (
    namespace TEXT PRIMARY KEY,
    -- When it was found that data is gone; 0 for never.
    lost_ms   INTEGER NOT NULL,
    -- The number of the last event.
    events    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE quota_limits (
    namespace     TEXT NOT NULL,
    name          TEXT NOT NULL,
    unit          TEXT NOT NULL,
    cycle         TEXT NOT NULL,
    revision      INTEGER NOT NULL,
    amount        INTEGER NOT NULL,
    epoch         INTEGER NOT NULL,
    next_id       INTEGER NOT NULL,
    window_ms     INTEGER NOT NULL,
    learned_ms    INTEGER NOT NULL,
    trusted_epoch INTEGER NOT NULL,
    spike_hour    INTEGER NOT NULL,
    first_hour    INTEGER NOT NULL,
    PRIMARY KEY (namespace, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE quota_windows (
    namespace       TEXT NOT NULL,
    name            TEXT NOT NULL,
    start_ms        INTEGER NOT NULL,
    end_ms          INTEGER NOT NULL,
    spent           INTEGER NOT NULL,
    overrun         INTEGER NOT NULL,
    overage         INTEGER NOT NULL,
    leased          INTEGER NOT NULL,
    stranded        INTEGER NOT NULL,
    lost            INTEGER NOT NULL,
    assumed         INTEGER NOT NULL,
    cap             INTEGER NOT NULL,
    scarce_until_ms INTEGER NOT NULL,
    told            INTEGER NOT NULL,
    PRIMARY KEY (namespace, name, start_ms)
) STRICT, WITHOUT ROWID;

CREATE TABLE quota_holders (
    namespace   TEXT NOT NULL,
    name        TEXT NOT NULL,
    holder      TEXT NOT NULL,
    sequence    INTEGER NOT NULL,
    request     INTEGER NOT NULL,
    lease_epoch INTEGER NOT NULL,
    lease_id    INTEGER NOT NULL,
    open        INTEGER NOT NULL,
    seen_ms     INTEGER NOT NULL,
    era         INTEGER NOT NULL,
    PRIMARY KEY (namespace, name, holder)
) STRICT, WITHOUT ROWID;

CREATE TABLE quota_leases (
    namespace TEXT NOT NULL,
    name      TEXT NOT NULL,
    epoch     INTEGER NOT NULL,
    id        INTEGER NOT NULL,
    holder    TEXT NOT NULL,
    window_ms INTEGER NOT NULL,
    amount    INTEGER NOT NULL,
    open      INTEGER NOT NULL,
    end_ms    INTEGER NOT NULL,
    stranded  INTEGER NOT NULL,
    PRIMARY KEY (namespace, name, epoch, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE quota_hours (
    namespace TEXT NOT NULL,
    name      TEXT NOT NULL,
    hour      INTEGER NOT NULL,
    used      INTEGER NOT NULL,
    PRIMARY KEY (namespace, name, hour)
) STRICT, WITHOUT ROWID;

CREATE TABLE quota_events (
    namespace TEXT NOT NULL,
    sequence  INTEGER NOT NULL,
    name      TEXT NOT NULL,
    level     TEXT NOT NULL,
    start_ms  INTEGER NOT NULL,
    end_ms    INTEGER NOT NULL,
    at_ms     INTEGER NOT NULL,
    used      INTEGER NOT NULL,
    measure   INTEGER NOT NULL,
    hours     INTEGER NOT NULL,
    PRIMARY KEY (namespace, sequence)
) STRICT, WITHOUT ROWID;
