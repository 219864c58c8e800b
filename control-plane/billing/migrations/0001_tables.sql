CREATE TABLE billing_namespaces (
    namespace TEXT PRIMARY KEY, revision BIGINT NOT NULL, next_invoice BIGINT NOT NULL, next_credit_note BIGINT NOT NULL,
    next_entry BIGINT NOT NULL, settings TEXT
);
CREATE TABLE billing_plans (
    namespace TEXT NOT NULL, code TEXT NOT NULL, version BIGINT NOT NULL, effective_from BIGINT NOT NULL,
    document TEXT NOT NULL, PRIMARY KEY (namespace, code, version)
);
CREATE TABLE billing_customers (
    namespace TEXT NOT NULL, id TEXT NOT NULL, document TEXT NOT NULL, PRIMARY KEY (namespace, id)
);
CREATE TABLE billing_subscriptions (
    namespace TEXT NOT NULL, id TEXT NOT NULL, customer TEXT NOT NULL, status TEXT NOT NULL,
    bookings_revision BIGINT NOT NULL, request TEXT NOT NULL, document TEXT NOT NULL, PRIMARY KEY (namespace, id),
    FOREIGN KEY (namespace, customer) REFERENCES billing_customers (namespace, id)
);
CREATE INDEX billing_subscriptions_customer ON billing_subscriptions (namespace, customer);
CREATE TABLE billing_invoices (
    namespace TEXT NOT NULL, id TEXT NOT NULL, subscription TEXT NOT NULL, customer TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('period', 'progressive')), period TEXT NOT NULL, period_from BIGINT NOT NULL,
    currency TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('draft', 'finalized', 'paid', 'void')),
    sequence BIGINT, due_at BIGINT, due_minor BIGINT, settled_at BIGINT, reason TEXT, draft TEXT, document TEXT,
    PRIMARY KEY (namespace, id), UNIQUE (namespace, sequence),
    FOREIGN KEY (namespace, subscription) REFERENCES billing_subscriptions (namespace, id),
    CHECK ((state = 'draft') = (sequence IS NULL)), CHECK ((state = 'draft') = (document IS NULL)),
    CHECK ((state = 'draft') = (draft IS NOT NULL))
);
CREATE UNIQUE INDEX billing_one_draft ON billing_invoices (namespace, subscription, kind, period_from)
    WHERE state = 'draft';
CREATE UNIQUE INDEX billing_one_invoice ON billing_invoices (namespace, subscription, period_from)
    WHERE kind = 'period' AND state IN ('finalized', 'paid');
CREATE INDEX billing_invoices_subscription ON billing_invoices (namespace, subscription, period_from);
CREATE TABLE billing_bookings (
    namespace TEXT NOT NULL, subscription TEXT NOT NULL, period_from BIGINT NOT NULL, line TEXT NOT NULL,
    net_minor BIGINT NOT NULL, kind TEXT NOT NULL, document TEXT NOT NULL,
    PRIMARY KEY (namespace, subscription, period_from, line)
);
CREATE TABLE billing_lines (
    namespace TEXT NOT NULL, invoice TEXT NOT NULL, number BIGINT NOT NULL, subscription TEXT NOT NULL,
    period_from BIGINT NOT NULL, line TEXT NOT NULL, total_minor BIGINT NOT NULL, credited_minor BIGINT NOT NULL, document TEXT NOT NULL,
    PRIMARY KEY (namespace, invoice, number), CHECK (credited_minor >= 0 AND credited_minor <= total_minor)
);
CREATE INDEX billing_lines_booked ON billing_lines (namespace, subscription, period_from, line);
CREATE TABLE billing_operations (
    namespace TEXT NOT NULL, key TEXT NOT NULL, request TEXT NOT NULL, answer TEXT NOT NULL,
    PRIMARY KEY (namespace, key)
);
CREATE TABLE billing_credit_notes (
    namespace TEXT NOT NULL, number TEXT NOT NULL, sequence BIGINT NOT NULL, invoice TEXT NOT NULL,
    customer TEXT NOT NULL, currency TEXT NOT NULL, issued_at BIGINT NOT NULL, total_minor BIGINT NOT NULL,
    left_minor BIGINT NOT NULL, document TEXT NOT NULL, PRIMARY KEY (namespace, number),
    UNIQUE (namespace, sequence), CHECK (left_minor >= 0 AND left_minor <= total_minor)
);
CREATE INDEX billing_credit_notes_open ON billing_credit_notes (namespace, customer, sequence) WHERE left_minor > 0;
CREATE INDEX billing_credit_notes_invoice ON billing_credit_notes (namespace, invoice);
CREATE TABLE billing_credit_uses (
    namespace TEXT NOT NULL, number TEXT NOT NULL, invoice TEXT NOT NULL, minor BIGINT NOT NULL CHECK (minor > 0),
    returned BIGINT NOT NULL, PRIMARY KEY (namespace, number, invoice)
);
CREATE TABLE billing_wallets (
    namespace TEXT NOT NULL, id TEXT NOT NULL, customer TEXT NOT NULL, document TEXT NOT NULL,
    PRIMARY KEY (namespace, id),
    FOREIGN KEY (namespace, customer) REFERENCES billing_customers (namespace, id)
);
CREATE INDEX billing_wallets_customer ON billing_wallets (namespace, customer);
CREATE TABLE billing_wallet_credits (
    namespace TEXT NOT NULL, wallet TEXT NOT NULL, id TEXT NOT NULL, received_at BIGINT NOT NULL, expires_at BIGINT,
    minor BIGINT NOT NULL CHECK (minor > 0), left_minor BIGINT NOT NULL, document TEXT NOT NULL,
    PRIMARY KEY (namespace, wallet, id), CHECK (left_minor >= 0 AND left_minor <= minor)
);
CREATE INDEX billing_wallet_credits_open ON billing_wallet_credits (namespace, wallet) WHERE left_minor > 0;
CREATE TABLE billing_wallet_ledger (
    namespace TEXT NOT NULL, sequence BIGINT NOT NULL, wallet TEXT NOT NULL, credit TEXT NOT NULL, movement TEXT NOT NULL,
    minor BIGINT NOT NULL, invoice TEXT, line BIGINT, at BIGINT NOT NULL, PRIMARY KEY (namespace, sequence)
);
CREATE INDEX billing_wallet_ledger_wallet ON billing_wallet_ledger (namespace, wallet, sequence);
CREATE INDEX billing_wallet_ledger_invoice ON billing_wallet_ledger (namespace, invoice);
CREATE TABLE billing_triggers (
    namespace TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, time_window BIGINT NOT NULL, document TEXT NOT NULL,
    raised_at BIGINT NOT NULL, acknowledged_at BIGINT, acknowledged_by TEXT,
    PRIMARY KEY (namespace, kind, key, time_window)
);
CREATE TABLE billing_outbox (
    namespace TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, position BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'sending', 'acked', 'dead')), payload TEXT NOT NULL, progress TEXT,
    attempts BIGINT NOT NULL, next_at BIGINT NOT NULL, first_sent_at BIGINT, error TEXT, PRIMARY KEY (namespace, id)
);
CREATE INDEX billing_outbox_open ON billing_outbox (namespace, kind, next_at) WHERE state IN ('pending', 'sending');
CREATE TABLE billing_exports (
    namespace TEXT NOT NULL, customer TEXT NOT NULL, meter TEXT NOT NULL, hour BIGINT NOT NULL, revision BIGINT NOT NULL,
    total TEXT NOT NULL, PRIMARY KEY (namespace, customer, meter, hour)
);
