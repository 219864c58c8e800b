CREATE TABLE billing_carried (
    namespace TEXT NOT NULL, subscription TEXT NOT NULL, at BIGINT NOT NULL, period_to BIGINT NOT NULL,
    document TEXT NOT NULL, PRIMARY KEY (namespace, subscription, at),
    FOREIGN KEY (namespace, subscription) REFERENCES billing_subscriptions (namespace, id)
);
