-- Events up to then are not taken in by the epoch: they may have been counted in one that was retired.
ALTER TABLE creto_events.producers ADD COLUMN from_us bigint NOT NULL DEFAULT -9223372036854775808;

-- The accounts of epochs that are not held any more, added up by producer.
CREATE TABLE creto_events.retired (
    namespace text COLLATE "C" NOT NULL,
    producer text COLLATE "C" NOT NULL,
    epochs bigint NOT NULL,
    sent bigint NOT NULL,
    accepted bigint NOT NULL,
    duplicate bigint NOT NULL,
    rejected bigint[] NOT NULL,
    last_seen_us bigint NOT NULL,
    -- Events up to then may have been counted in one of them.
    until_us bigint NOT NULL,
    PRIMARY KEY (namespace, producer)
);

-- Epochs of producers that are held.
ALTER TABLE creto_events.namespaces ADD COLUMN epochs bigint NOT NULL DEFAULT 0;
UPDATE creto_events.namespaces n SET epochs =
    (SELECT count(*) FROM creto_events.producers p WHERE p.namespace = n.namespace AND NOT p.named);

-- Bytes of events, by month; a row for each transaction, until they are added up.
CREATE TABLE creto_events.space (
    namespace text COLLATE "C" NOT NULL,
    month_us bigint NOT NULL,
    bytes bigint NOT NULL
);
CREATE INDEX space_by_namespace ON creto_events.space (namespace);
