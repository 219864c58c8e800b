-- Events and what they come to. The events' table itself is made beside this: partitioned by month, or a hypertable.

-- Each transaction takes a block: numbers rise in the order of ingestion, and are never used twice.
CREATE SEQUENCE creto_events.orders AS bigint INCREMENT BY 8192 START WITH 8192;

CREATE TABLE creto_events.namespaces (
    namespace text COLLATE "C" PRIMARY KEY,
    -- Rises whenever its meters change.
    revision bigint NOT NULL
);

CREATE TABLE creto_events.meters (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    namespace text COLLATE "C" NOT NULL REFERENCES creto_events.namespaces,
    name text COLLATE "C" NOT NULL,
    event_type text COLLATE "C" NOT NULL,
    aggregation text NOT NULL,
    field text NOT NULL,
    dimensions text[] NOT NULL,
    unit text NOT NULL,
    -- It counts events from this number on.
    since bigint NOT NULL,
    UNIQUE (namespace, name)
);

-- The mark of each producer's epoch, and the account of what came in; of named events by source.
CREATE TABLE creto_events.producers (
    namespace text COLLATE "C" NOT NULL,
    named boolean NOT NULL,
    producer text COLLATE "C" NOT NULL,
    -- 64 bits without a sign, kept as with one.
    epoch bigint NOT NULL,
    mark bigint NOT NULL,
    sent bigint NOT NULL,
    accepted bigint NOT NULL,
    duplicate bigint NOT NULL,
    -- By number of the code, from 1.
    rejected bigint[] NOT NULL,
    last_seen_us bigint NOT NULL,
    PRIMARY KEY (namespace, named, producer, epoch)
) WITH (fillfactor = 50);

-- Named events that were accepted: the second one is a duplicate, or a conflict.
CREATE TABLE creto_events.named (
    namespace text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    -- SHA-256 of the payload.
    digest bytea NOT NULL,
    came_us bigint NOT NULL,
    PRIMARY KEY (namespace, source, id)
);
CREATE INDEX named_by_time ON creto_events.named USING brin (came_us);

-- What rollups are kept apart by.
CREATE TABLE creto_events.series (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Of creto_events.meters, the first of those that lie side by side; without a check by the server, which costs as
    -- much as the row.
    meter bigint NOT NULL,
    -- SHA-256 of the rest: the rest may be longer than an index holds.
    key bytea NOT NULL,
    agent text COLLATE "C" NOT NULL,
    customer text COLLATE "C" NOT NULL,
    subscription text COLLATE "C" NOT NULL,
    -- Values of the meter's dimensions, sorted by the dimensions' names.
    dimensions text[] COLLATE "C" NOT NULL,
    UNIQUE (meter, key)
);

-- Counts and sums by minute, of up to four meters that are kept apart by the same properties, side by side: n is how
-- many events one counted, v their sum.
CREATE TABLE creto_events.sums (
    series bigint NOT NULL,
    minute_us bigint NOT NULL,
    n1 bigint NOT NULL,
    v1 numeric,
    n2 bigint NOT NULL,
    v2 numeric,
    n3 bigint NOT NULL,
    v3 numeric,
    n4 bigint NOT NULL,
    v4 numeric,
    PRIMARY KEY (series, minute_us)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

-- Other aggregations by minute. What a column means depends on the meter's:
-- value is the sum (weighted by time), the largest or the last; moment is the sum of values times when they happened;
-- at_us, logical and ordinal are those of the last event.
CREATE TABLE creto_events.rollups (
    series bigint NOT NULL,
    minute_us bigint NOT NULL,
    events bigint NOT NULL,
    value numeric,
    moment numeric,
    at_us bigint,
    logical bigint,
    ordinal bigint,
    PRIMARY KEY (series, minute_us)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

-- Distinct values, by minute: the text itself, or its SHA-256 where it is long; the first byte tells.
CREATE TABLE creto_events.members (
    series bigint NOT NULL,
    minute_us bigint NOT NULL,
    member bytea NOT NULL,
    PRIMARY KEY (series, minute_us, member)
);

-- From when on all events are kept.
CREATE TABLE creto_events.kept (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    from_us bigint NOT NULL
);
INSERT INTO creto_events.kept (from_us) VALUES (0);
