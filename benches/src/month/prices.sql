-- The three plans once more, written by hand from plan_*.toml.
CREATE TABLE plans (plan text, digits int, amount numeric, commitment numeric, tax text, percent numeric);
INSERT INTO plans VALUES ('start', 2, 49, NULL, 'vat', 19), ('grow', 2, 199, 500, 'vat', 19), ('japan', 0, 5000, 60000, 'consumption', 10);

-- The charges in their order; prices: how many besides the default one.
CREATE TABLE charges (n int, code text, filters int);
INSERT INTO charges VALUES (1, 'tokens', 0), (2, 'markup', 0), (3, 'calls', 0), (4, 'egress', 1), (5, 'peering', 0), (6, 'storage', 0),
  (7, 'users', 0), (8, 'gpus', 0), (9, 'level', 0), (10, 'jobs', 0), (11, 'compute', 0), (12, 'payments', 0), (13, 'fees', 0), (14, 'seats', 0);

CREATE TABLE charge_taxes (plan text, code text, tax text, percent numeric);
INSERT INTO charge_taxes VALUES ('start', 'jobs', 'reduced', 7), ('grow', 'jobs', 'reduced', 7);

CREATE TABLE minimums (plan text, code text, minimum numeric);
INSERT INTO minimums VALUES ('start', 'calls', 10), ('japan', 'calls', 1500);

CREATE TABLE rates (plan text, code text, rate numeric);
INSERT INTO rates VALUES
  ('start', 'storage', 0.023), ('grow', 'storage', 0.019), ('japan', 'storage', 3),
  ('start', 'gpus', 25), ('grow', 'gpus', 22.5), ('japan', 'gpus', 3000),
  ('start', 'level', 0.015), ('grow', 'level', 0.01), ('japan', 'level', 2),
  ('start', 'compute', 0.0007), ('grow', 'compute', 0.0005), ('japan', 'compute', 0.08),
  ('start', 'seats', 12), ('grow', 'seats', 9.99), ('japan', 'seats', 1500);

CREATE TABLE markups (plan text, rate numeric, fixed numeric);
INSERT INTO markups VALUES ('start', 7.5, 0.0001), ('grow', 5, 0), ('japan', 9.25, 0.01);

CREATE TABLE packages (plan text, size numeric, price numeric, free numeric);
INSERT INTO packages VALUES ('start', 1000, 0.40, 5000), ('grow', 10000, 3.10, 20000), ('japan', 100, 6, 0);

CREATE TABLE payment_rates (plan text, rate numeric, fixed numeric, free_events bigint, least numeric, most numeric);
INSERT INTO payment_rates VALUES ('start', 1.4, 0.05, 50, 0.10, 5), ('grow', 0.9, 0.03, 0, 0.05, 3), ('japan', 2.5, 5, 10, 8, 500);

-- Above `lower`, up to and including `upper`.
CREATE TABLE tiers (plan text, code text, price int, n int, lower numeric, upper numeric, rate numeric, flat numeric);
INSERT INTO tiers VALUES
  ('start', 'tokens', 0, 1, 0, 1000000, 0.00001, 0), ('start', 'tokens', 0, 2, 1000000, 10000000, 0.000008, 2),
  ('start', 'tokens', 0, 3, 10000000, NULL, 0.000005, 0),
  ('grow', 'tokens', 0, 1, 0, 5000000, 0.000007, 0.5), ('grow', 'tokens', 0, 2, 5000000, NULL, 0.0000041, 0),
  ('japan', 'tokens', 0, 1, 0, NULL, 0.0013, 0),
  ('start', 'egress', 0, 1, 0, 500, 0.02, 0), ('start', 'egress', 0, 2, 500, NULL, 0.011, 0),
  ('start', 'egress', 1, 1, 0, 100, 0.12, 0), ('start', 'egress', 1, 2, 100, 1000, 0.09, 1), ('start', 'egress', 1, 3, 1000, NULL, 0.05, 10),
  ('grow', 'egress', 0, 1, 0, NULL, 0.01, 3), ('grow', 'egress', 1, 1, 0, NULL, 0.08, 0),
  ('japan', 'egress', 0, 1, 0, NULL, 2, 0), ('japan', 'egress', 1, 1, 0, 50, 14, 0), ('japan', 'egress', 1, 2, 50, NULL, 9, 100),
  ('start', 'users', 0, 1, 0, 10, 0, 5), ('start', 'users', 0, 2, 10, NULL, 1.5, 0),
  ('grow', 'users', 0, 1, 0, 50, 1.2, 0), ('grow', 'users', 0, 2, 50, 200, 0.9, 0), ('grow', 'users', 0, 3, 200, NULL, 0.5, 20),
  ('japan', 'users', 0, 1, 0, NULL, 100, 0),
  ('start', 'fees', 0, 1, 0, 10000, 1, 0), ('start', 'fees', 0, 2, 10000, NULL, 0.5, 25),
  ('grow', 'fees', 0, 1, 0, NULL, 0.25, 0), ('japan', 'fees', 0, 1, 0, NULL, 1.1, 0);
