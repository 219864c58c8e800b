-- How far the log is counted into the tables below. One row.
CREATE TABLE progress (
    only       INTEGER PRIMARY KEY CHECK (only = 1),
    segment    INTEGER NOT NULL,
    offset     INTEGER NOT NULL,
    record     INTEGER NOT NULL,
    next_order INTEGER NOT NULL,
    newest_us  INTEGER NOT NULL,
    -- Events that happened before this are not all in the log any more.
    gone_us    INTEGER NOT NULL
);
-- Meters in the order they were defined in.
CREATE TABLE meter (
    namespace   TEXT NOT NULL,
    ordinal     INTEGER NOT NULL,
    name        TEXT NOT NULL,
    event_type  TEXT NOT NULL,
    aggregation TEXT NOT NULL,
    field       TEXT NOT NULL,
    dimensions  TEXT NOT NULL,
    unit        TEXT NOT NULL,
    since       INTEGER NOT NULL,
    PRIMARY KEY (namespace, ordinal),
    UNIQUE (namespace, name)
) WITHOUT ROWID;
-- Meters of one type and the same dimensions; `dimensions` is a JSON list, sorted.
CREATE TABLE layout (
    id         INTEGER PRIMARY KEY,
    namespace  TEXT NOT NULL,
    event_type TEXT NOT NULL,
    dimensions TEXT NOT NULL,
    UNIQUE (namespace, event_type, dimensions)
);
-- Agent, customer, subscription and values of dimensions: what rollups are kept apart by.
CREATE TABLE series (
    layout       INTEGER NOT NULL,
    number       INTEGER NOT NULL,
    agent        TEXT NOT NULL,
    customer     TEXT NOT NULL,
    subscription TEXT NOT NULL,
    -- JSON list, as the dimensions of the layout.
    dimensions   TEXT NOT NULL,
    PRIMARY KEY (layout, number),
    UNIQUE (layout, agent, customer, subscription, dimensions)
) WITHOUT ROWID;
-- Rollups: level 0 to 3 is minute, hour, day, month; start in minutes since 1970; a block is 64 series.
CREATE TABLE rollup (
    layout INTEGER NOT NULL,
    level  INTEGER NOT NULL,
    start  INTEGER NOT NULL,
    block  INTEGER NOT NULL,
    body   BLOB NOT NULL,
    PRIMARY KEY (layout, level, start, block)
) WITHOUT ROWID;
-- Distinct values of a meter (`slot` of its layout).
CREATE TABLE member (
    layout INTEGER NOT NULL,
    level  INTEGER NOT NULL,
    start  INTEGER NOT NULL,
    series INTEGER NOT NULL,
    slot   INTEGER NOT NULL,
    member BLOB NOT NULL,
    PRIMARY KEY (layout, level, start, series, slot, member)
) WITHOUT ROWID;
-- Marks and accounts of producers; epochs as signed 64 bits. `named` for sources of named events.
CREATE TABLE account (
    namespace TEXT NOT NULL,
    named     INTEGER NOT NULL,
    producer  TEXT NOT NULL,
    epoch     INTEGER NOT NULL,
    mark      INTEGER NOT NULL,
    sent      INTEGER NOT NULL,
    accepted  INTEGER NOT NULL,
    duplicate INTEGER NOT NULL,
    -- JSON: number of the code to count.
    rejected  TEXT NOT NULL,
    seen_us   INTEGER NOT NULL,
    PRIMARY KEY (namespace, named, producer, epoch)
) WITHOUT ROWID;
-- Named events that were accepted.
CREATE TABLE named (
    key     BLOB NOT NULL PRIMARY KEY,
    digest  BLOB NOT NULL,
    seen_us INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX named_seen ON named (seen_us);
-- Segments of the log and the times of their events.
CREATE TABLE segment (
    number    INTEGER PRIMARY KEY,
    from_us   INTEGER NOT NULL,
    to_us     INTEGER NOT NULL,
    newest_us INTEGER NOT NULL
);
