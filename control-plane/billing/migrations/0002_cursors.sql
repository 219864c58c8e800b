CREATE TABLE billing_cursors (
    namespace TEXT NOT NULL, name TEXT NOT NULL, position BIGINT NOT NULL, PRIMARY KEY (namespace, name)
);
CREATE INDEX billing_outbox_acked ON billing_outbox (namespace, next_at) WHERE state = 'acked';
CREATE INDEX billing_exports_hour ON billing_exports (namespace, hour);
CREATE INDEX billing_invoices_overdue ON billing_invoices (namespace, due_at) WHERE state = 'finalized';
