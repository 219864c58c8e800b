-- Fees, what is taken off, and taxes: line by line.

-- A price nobody used is still a line where its first tier has a flat fee.
INSERT INTO used (sub, part, code, price, units, events)
  SELECT sub, part, code, prices.price, 0, 0
  FROM parts CROSS JOIN charges CROSS JOIN LATERAL generate_series(0, filters) AS prices (price)
  WHERE NOT EXISTS (SELECT FROM used u WHERE u.sub = parts.sub AND u.part = parts.part AND u.code = charges.code AND u.price = prices.price);

CREATE FUNCTION graduated(of_plan text, of_code text, of_price int, units numeric) RETURNS numeric STABLE LANGUAGE sql AS $$
  SELECT sum(CASE WHEN units > lower THEN (least(units, upper) - lower) * rate ELSE 0 END) FROM tiers
  WHERE plan = of_plan AND code = of_code AND price = of_price $$;
CREATE FUNCTION flats(of_plan text, of_code text, of_price int, units numeric) RETURNS numeric STABLE LANGUAGE sql AS $$
  SELECT sum(flat) FROM tiers WHERE plan = of_plan AND code = of_code AND price = of_price AND (n = 1 OR units > lower) $$;
CREATE FUNCTION volume(of_plan text, of_code text, of_price int, units numeric) RETURNS numeric STABLE LANGUAGE sql AS $$
  SELECT units * rate + flat FROM tiers
  WHERE plan = of_plan AND code = of_code AND price = of_price AND (upper IS NULL OR units <= upper) ORDER BY n LIMIT 1 $$;

CREATE TABLE priced AS
WITH counted AS (
  SELECT sub, part, plan, digits, a, b, days, month_days, code, price, grp, events, precise,
    greatest(units, 0) AS raw, greatest(CASE code WHEN 'seats' THEN ratio(units, month_days) ELSE units END, 0) AS units
  FROM used JOIN parts USING (sub, part)
), fees AS (
  SELECT c.*, CASE code
      WHEN 'tokens' THEN graduated(plan, code, price, units) + flats(plan, code, price, units)
      WHEN 'markup' THEN (SELECT CASE WHEN units = 0 THEN 0 ELSE units * rate / 100 + events * fixed END FROM markups m WHERE m.plan = c.plan)
      WHEN 'calls' THEN (SELECT ceil(greatest(units - free, 0) / size) * p.price FROM packages p WHERE p.plan = c.plan)
      WHEN 'egress' THEN volume(plan, code, price, units)
      WHEN 'users' THEN graduated(plan, code, price, units) + flats(plan, code, price, units)
      WHEN 'fees' THEN graduated(plan, code, price, units) / 100 + flats(plan, code, price, units)
      WHEN 'seats' THEN ratio(raw * (SELECT rate FROM rates r WHERE r.plan = c.plan AND r.code = c.code), month_days)
      WHEN 'peering' THEN greatest(coalesce(precise, 0), 0)
      WHEN 'jobs' THEN greatest(coalesce(precise, 0), 0)
      WHEN 'payments' THEN greatest(coalesce(precise, 0), 0)
      ELSE units * (SELECT rate FROM rates r WHERE r.plan = c.plan AND r.code = c.code)
    END AS fee
  FROM counted c
)
SELECT sub, part, digits, a, b, days, month_days, plan, code, price, grp, units, events, fee AS precise, round(fee * 10::numeric ^ digits)::bigint AS fee
FROM fees WHERE NOT (events = 0 AND units = 0 AND fee = 0);

CREATE TABLE lines (
  sub text, part int, stage int, n int, price int, kind text, code text, grp text, units numeric, events bigint, precise numeric, fee bigint,
  place bigint, off bigint DEFAULT 0, net bigint, tax bigint DEFAULT 0);

INSERT INTO lines (sub, part, stage, n, price, kind, units, events, precise, fee)
  SELECT sub, part, 0, 0, 0, 'subscription', 0, 0, ratio(amount * days, month_days), round(ratio(amount * days, month_days) * 10::numeric ^ digits) FROM parts;
INSERT INTO lines (sub, part, stage, n, price, kind, code, grp, units, events, precise, fee)
  SELECT sub, part, 1, n, price, 'usage', code, grp, units, events, precise, fee FROM priced JOIN charges USING (code);
-- What is missing to the least of a charge, and then to the least of the plan.
INSERT INTO lines (sub, part, stage, n, price, kind, code, units, events, precise, fee)
  SELECT sub, part, 1, n, 99, 'minimum', code, 0, 0, precise, fee FROM (
    SELECT p.sub, p.part, p.digits, c.n, m.code,
      greatest(ratio(minimum * days, month_days) - coalesce(sum(l.precise), 0), 0) AS precise,
      greatest(round(ratio(minimum * days, month_days) * 10::numeric ^ digits) - coalesce(sum(l.fee), 0), 0)::bigint AS fee
    FROM parts p JOIN minimums m USING (plan) JOIN charges c USING (code)
      LEFT JOIN lines l ON l.sub = p.sub AND l.part = p.part AND l.code = m.code
    GROUP BY p.sub, p.part, p.digits, c.n, m.code, minimum, days, month_days
  ) missing WHERE fee > 0 OR precise >= 10::numeric ^ -digits;
INSERT INTO lines (sub, part, stage, n, price, kind, units, events, precise, fee)
  SELECT sub, part, 2, 0, 0, 'commitment', 0, 0, precise, fee FROM (
    SELECT p.sub, p.part, p.digits,
      greatest(ratio(commitment * days, month_days) - sum(l.precise), 0) AS precise,
      greatest(round(ratio(commitment * days, month_days) * 10::numeric ^ digits) - sum(l.fee), 0)::bigint AS fee
    FROM parts p JOIN lines l USING (sub, part) WHERE commitment IS NOT NULL
    GROUP BY p.sub, p.part, p.digits, commitment, days, month_days
  ) missing WHERE fee > 0 OR precise >= 10::numeric ^ -digits;

UPDATE lines l SET net = fee, place = p.place
  FROM (SELECT ctid AS at, row_number() OVER (PARTITION BY sub ORDER BY part, stage, n, price, grp NULLS FIRST) AS place FROM lines) p WHERE l.ctid = p.at;

-- Coupons, one after the other: in proportion to what lines come to, by largest remainder.
CREATE FUNCTION take_off(nth int) RETURNS void LANGUAGE sql AS $$
  WITH eligible AS (
    SELECT l.sub, l.place, l.net, sum(l.net) OVER (PARTITION BY l.sub) AS whole,
      CASE WHEN percent IS NULL THEN least(minor, sum(l.net) OVER (PARTITION BY l.sub))
        ELSE round(sum(l.net) OVER (PARTITION BY l.sub) * percent / 100) END AS amount
    FROM lines l JOIN coupons c ON c.sub = l.sub AND c.n = nth AND (only_charges IS NULL OR l.code = ANY (only_charges))
  ), shared AS (
    SELECT sub, place, amount, div(amount * net, whole) AS down, mod(amount * net, whole) AS left_over FROM eligible WHERE whole > 0 AND amount > 0
  ), taking AS (
    SELECT sub, place, down + CASE WHEN row_number() OVER (PARTITION BY sub ORDER BY left_over DESC, place)
      <= amount - sum(down) OVER (PARTITION BY sub) THEN 1 ELSE 0 END AS taken FROM shared
  )
  UPDATE lines l SET net = l.net - t.taken::bigint, off = l.off + t.taken::bigint FROM taking t WHERE t.sub = l.sub AND t.place = l.place $$;
SELECT take_off(1);
SELECT take_off(2);

-- Taxes, on precise amounts, rounded once an invoice and told line by line.
CREATE TABLE taxes AS
WITH based AS (
  SELECT l.sub, l.place, p.digits, coalesce(t.tax, p.tax) AS tax, coalesce(t.percent, p.percent) AS percent,
    CASE WHEN l.off > 0 AND l.net = 0 THEN 0 ELSE greatest(l.precise - l.off * 10::numeric ^ -p.digits, 0) END AS base
  FROM lines l JOIN parts p USING (sub, part) LEFT JOIN charge_taxes t ON t.plan = p.plan AND t.code = l.code
), sums AS (
  SELECT *, sum(base) OVER w AS whole, round(sum(base) OVER w * percent / 100 * 10::numeric ^ digits) AS minor FROM based
  WINDOW w AS (PARTITION BY sub, tax, percent)
), shared AS (
  SELECT *, floor(ratio(minor * base, whole)) AS down, ratio(minor * base, whole) - floor(ratio(minor * base, whole)) AS left_over FROM sums WHERE whole > 0
)
SELECT sub, place, tax, minor::bigint AS minor, (down + CASE WHEN row_number() OVER (PARTITION BY sub, tax, percent ORDER BY left_over DESC, place)
  <= minor - sum(down) OVER (PARTITION BY sub, tax, percent) THEN 1 ELSE 0 END)::bigint AS line_tax FROM shared;
UPDATE lines l SET tax = t.line_tax FROM taxes t WHERE t.sub = l.sub AND t.place = l.place;
