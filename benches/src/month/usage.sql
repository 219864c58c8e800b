-- The units of each charge, from the events.
CREATE FUNCTION micros(t timestamptz) RETURNS bigint IMMUTABLE LANGUAGE sql AS 'SELECT (extract(epoch FROM t) * 1000000)::bigint';
CREATE FUNCTION day(at bigint, zone text) RETURNS date IMMUTABLE LANGUAGE sql AS
  $$SELECT ((timestamptz 'epoch' + at * interval '1 microsecond') AT TIME ZONE zone)::date$$;
-- A quotient with 30 decimals.
CREATE FUNCTION ratio(a numeric, b numeric) RETURNS numeric IMMUTABLE LANGUAGE sql AS 'SELECT round(a, 30) / b';

-- The parts of the month, each under one plan.
CREATE TABLE parts AS
WITH months AS (
  SELECT *, micros(timestamp '2026-10-01' AT TIME ZONE zone) AS month_from, micros(timestamp '2026-11-01' AT TIME ZONE zone) AS month_to
  FROM subscriptions
), service AS (
  SELECT *, greatest(coalesce(started, month_from), month_from) AS begins, least(coalesce(ended, month_to), month_to) AS ends FROM months
), cut AS (
  SELECT sub, customer, zone, month_from, month_to, ends, changed, 1 AS part, plan, begins AS a, least(coalesce(changed, ends), ends) AS b FROM service
  UNION ALL
  SELECT sub, customer, zone, month_from, month_to, ends, NULL, 2, later_plan, greatest(changed, begins), ends FROM service WHERE changed IS NOT NULL
), days AS (
  SELECT *, day(a, zone) AS first_day,
    -- The day a plan is changed on is the new plan's.
    day(b - 1, zone) - CASE WHEN changed < ends AND day(changed, zone) = day(b - 1, zone) THEN 1 ELSE 0 END AS last_day
  FROM cut WHERE a < b
)
SELECT sub, customer, zone, part, plan, digits, amount, commitment, tax, percent, a, b, first_day, last_day,
  greatest(last_day - first_day + 1, 0) AS days, 31 AS month_days, month_to - month_from AS month_micros
FROM days JOIN plans USING (plan);

-- Whose events: those that name the subscription, and those that name only its customer.
CREATE TABLE owned AS SELECT sub AS key, parts.* FROM parts UNION ALL SELECT '@' || customer, parts.* FROM parts;
CREATE FUNCTION owner(subscription text, customer text) RETURNS text IMMUTABLE LANGUAGE sql AS
  $$SELECT CASE WHEN subscription <> '' THEN subscription ELSE '@' || customer END$$;
ANALYZE owned;

CREATE TABLE used (sub text, part int, code text, price int DEFAULT 0, grp text, units numeric, events bigint, precise numeric);

CREATE TEMP TABLE llm_sums AS
  SELECT sub, part, sum(tokens) AS tokens, sum(cost) AS cost, count(*) AS events
  FROM llm e JOIN owned o ON o.key = owner(e.subscription, e.customer) AND e.at >= o.a AND e.at < o.b GROUP BY 1, 2;
INSERT INTO used (sub, part, code, units, events) SELECT sub, part, 'tokens', tokens, events FROM llm_sums;
INSERT INTO used (sub, part, code, units, events) SELECT sub, part, 'markup', cost, events FROM llm_sums;

INSERT INTO used (sub, part, code, grp, units, events)
  SELECT sub, part, 'calls', region, count(*), count(*)
  FROM api e JOIN owned o ON o.key = owner(e.subscription, e.customer) AND e.at >= o.a AND e.at < o.b GROUP BY 1, 2, 4;

INSERT INTO used (sub, part, code, price, units, events)
  SELECT sub, part, 'egress', CASE WHEN region IN ('us', 'ca') THEN 0 ELSE 1 END, sum(gigabytes), count(*)
  FROM egress e JOIN owned o ON o.key = owner(e.subscription, e.customer) AND e.at >= o.a AND e.at < o.b GROUP BY 1, 2, 4;
INSERT INTO used (sub, part, code, units, events, precise)
  SELECT sub, part, 'peering', count(*), count(*), sum(CASE WHEN region = 'eu' THEN gigabytes * 0.02 ELSE 0.01 END)
  FROM egress e JOIN owned o ON o.key = owner(e.subscription, e.customer) AND e.at >= o.a AND e.at < o.b GROUP BY 1, 2;

INSERT INTO used (sub, part, code, units, events)
  SELECT sub, part, 'storage', round(ratio(sum(gigabytes * (b - at)), max(month_micros)), 3), count(*)
  FROM disk e JOIN owned o ON o.key = owner(e.subscription, e.customer) AND e.at >= o.a AND e.at < o.b GROUP BY 1, 2;

-- A user counts when the last that was said of it is not that it was removed.
INSERT INTO used (sub, part, code, units, events)
  SELECT sub, part, 'users', count(*) FILTER (WHERE newest AND operation_type IS DISTINCT FROM 'remove'), count(*)
  FROM (
    SELECT sub, part, operation_type, row_number() OVER (PARTITION BY sub, part, "user" ORDER BY at DESC) = 1 AS newest
    FROM login e JOIN owned o ON o.key = owner(e.subscription, e.customer) AND e.at >= o.a AND e.at < o.b
  ) e GROUP BY 1, 2;

INSERT INTO used (sub, part, code, grp, units, events)
  SELECT sub, part, 'gpus', pool, max(gpus), count(*)
  FROM gpu e JOIN owned o ON o.key = owner(e.subscription, e.customer) AND e.at >= o.a AND e.at < o.b GROUP BY 1, 2, 4;

INSERT INTO used (sub, part, code, units, events)
  SELECT sub, part, 'level', (array_agg(level ORDER BY at DESC))[1], count(*)
  FROM level e JOIN owned o ON o.key = owner(e.subscription, e.customer) AND e.at >= o.a AND e.at < o.b GROUP BY 1, 2;

INSERT INTO used (sub, part, code, units, events, precise)
  SELECT sub, part, 'jobs', count(*), count(*), sum(price)
  FROM job e JOIN owned o ON o.key = owner(e.subscription, e.customer) AND e.at >= o.a AND e.at < o.b GROUP BY 1, 2;
INSERT INTO used (sub, part, code, units, events)
  SELECT sub, part, 'compute', ceil(sum(greatest(seconds, 10) * 1.5 + coalesce(penalty, 0))), count(*)
  FROM job e JOIN owned o ON o.key = owner(e.subscription, e.customer) AND e.at >= o.a AND e.at < o.b GROUP BY 1, 2;

-- The first payments are free; money back is given back at the rate, and is none of the first.
INSERT INTO used (sub, part, code, units, events, precise)
  SELECT sub, part, 'payments', sum(amount), count(*),
    CASE WHEN bool_or(amount <> 0) THEN sum(CASE
      WHEN amount < 0 THEN amount * rate / 100
      WHEN nth <= free_events THEN 0
      ELSE least(greatest(amount * rate / 100 + fixed, least), most) END) ELSE 0 END
  FROM (
    SELECT sub, part, plan, e.amount, count(*) FILTER (WHERE e.amount >= 0) OVER (PARTITION BY sub, part ORDER BY at) AS nth
    FROM pay e JOIN owned o ON o.key = owner(e.subscription, e.customer) AND e.at >= o.a AND e.at < o.b
  ) e JOIN payment_rates USING (plan) GROUP BY 1, 2;
INSERT INTO used (sub, part, code, units, events)
  SELECT sub, part, 'fees', sum(e.amount), count(*)
  FROM pay e JOIN owned o ON o.key = owner(e.subscription, e.customer) AND e.at >= o.a AND e.at < o.b GROUP BY 1, 2;

-- Seats stay: those of the first part count in the second, for all its days. Units are days here, and divided below.
INSERT INTO used (sub, part, code, units, events)
  SELECT sub, part, 'seats',
    sum(seats * greatest(last_day - greatest(CASE WHEN at <= a THEN first_day ELSE day(at, zone) END, first_day) + 1, 0)),
    count(*) FILTER (WHERE at >= a)
  FROM seat e JOIN (SELECT o.*, min(a) OVER (PARTITION BY key) AS begins FROM owned o) o
    ON o.key = owner(e.subscription, e.customer) AND e.at >= o.begins AND e.at < o.b GROUP BY 1, 2;
