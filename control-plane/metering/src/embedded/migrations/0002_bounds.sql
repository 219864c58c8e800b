-- Events up to then are not taken in by the epoch: they may have been counted in one that was retired. The accounts of
-- retired epochs are one row a producer (named = 2), whose mark is how many they are.
ALTER TABLE account ADD COLUMN from_us INTEGER NOT NULL DEFAULT -9223372036854775808;
CREATE INDEX account_seen ON account (seen_us);
-- Of segments nothing is written into any more.
ALTER TABLE segment ADD COLUMN length INTEGER;
ALTER TABLE segment ADD COLUMN checksum INTEGER;
-- Bytes of the log.
CREATE TABLE usage (
    segment   INTEGER NOT NULL,
    namespace TEXT NOT NULL,
    bytes     INTEGER NOT NULL,
    PRIMARY KEY (segment, namespace)
) WITHOUT ROWID;
