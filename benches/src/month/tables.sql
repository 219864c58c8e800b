-- What was used, a table for each type of event, as it was made: nothing in here came out of our own store.
CREATE UNLOGGED TABLE llm (at bigint, agent text, customer text, subscription text, tokens numeric, cost numeric, model text);
CREATE UNLOGGED TABLE api (at bigint, agent text, customer text, subscription text, region text);
CREATE UNLOGGED TABLE egress (at bigint, agent text, customer text, subscription text, gigabytes numeric, region text);
CREATE UNLOGGED TABLE disk (at bigint, agent text, customer text, subscription text, gigabytes numeric);
CREATE UNLOGGED TABLE login (at bigint, agent text, customer text, subscription text, "user" text, operation_type text);
CREATE UNLOGGED TABLE gpu (at bigint, agent text, customer text, subscription text, gpus numeric, pool text);
CREATE UNLOGGED TABLE level (at bigint, agent text, customer text, subscription text, level numeric);
CREATE UNLOGGED TABLE job (at bigint, agent text, customer text, subscription text, price numeric, seconds numeric, penalty numeric);
CREATE UNLOGGED TABLE pay (at bigint, agent text, customer text, subscription text, amount numeric);
CREATE UNLOGGED TABLE seat (at bigint, agent text, customer text, subscription text, seats numeric);
CREATE UNLOGGED TABLE probe (at bigint, agent text, customer text, subscription text);

-- What the operator set up. Times in microseconds since 1970; none: from the start, or to the end, of the month.
CREATE TABLE subscriptions (
  sub text PRIMARY KEY, customer text, zone text, started bigint, ended bigint, plan text, changed bigint, later_plan text);
CREATE TABLE coupons (sub text, n int, code text, percent numeric, minor numeric, only_charges text[]);

-- What our billing came to.
CREATE TABLE billed_lines (
  sub text, a bigint, b bigint, kind text, plan text, charge text, filter text, grp text, units numeric, events bigint,
  fee bigint, off bigint, net bigint, tax bigint, total bigint);
CREATE TABLE billed_invoices (sub text, subtotal bigint, off bigint, tax bigint, total bigint);
CREATE TABLE billed_taxes (sub text, code text, minor bigint);
CREATE TABLE seen (events bigint, unknown bigint, nobody bigint);
