-- Schema 2: which limits a holder drew on is looked up by the holder, and transactions are counted.
CREATE INDEX quota_holders_by_holder ON quota_holders (namespace, holder);

CREATE TABLE quota_transactions (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    -- Transactions so far; `quota.mark` beside the file says how many there must be at least.
    count INTEGER NOT NULL
) STRICT;

INSERT INTO quota_transactions VALUES (1, 0);
