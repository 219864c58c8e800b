-- Every difference between what was billed and what SQL comes to; no rows: none.
CREATE TEMP VIEW expected AS
  SELECT concat_ws('|', l.sub, p.a, l.kind, coalesce(l.code, '-'),
      CASE WHEN l.kind = 'usage' AND l.code = 'egress' AND l.price = 0 THEN 'domestic' ELSE '-' END, coalesce(l.grp, '-')) AS key,
    l.sub, p.b, p.plan, round(l.units, 18) AS units, l.events, l.fee, l.off, l.net, l.tax, l.net + l.tax AS total
  FROM lines l JOIN parts p USING (sub, part) WHERE l.fee <> 0 OR l.net <> 0 OR l.off <> 0 OR l.tax <> 0;
CREATE TEMP VIEW billed AS
  SELECT concat_ws('|', sub, a, kind, coalesce(charge, '-'), coalesce(filter, '-'), coalesce(grp, '-')) AS key,
    sub, b, plan, units, events, fee, off, net, tax, total FROM billed_lines;
CREATE TEMP VIEW invoices AS
  SELECT sub, sum(fee) AS subtotal, sum(off) AS off, sum(tax) AS tax, sum(total) AS total FROM expected GROUP BY sub;
CREATE TEMP VIEW tax_sums AS
  SELECT sub, tax AS code, max(minor) AS minor FROM taxes GROUP BY 1, 2 HAVING max(minor) <> 0;
CREATE TEMP TABLE events AS
  SELECT count(*) AS events,
    count(*) FILTER (WHERE subscription <> '' AND s.sub IS NULL) AS unknown,
    count(*) FILTER (WHERE subscription = '' AND e.customer = '') AS nobody
  FROM (
  SELECT at, customer, subscription FROM llm
  UNION ALL SELECT at, customer, subscription FROM api
  UNION ALL SELECT at, customer, subscription FROM egress
  UNION ALL SELECT at, customer, subscription FROM disk
  UNION ALL SELECT at, customer, subscription FROM login
  UNION ALL SELECT at, customer, subscription FROM gpu
  UNION ALL SELECT at, customer, subscription FROM level
  UNION ALL SELECT at, customer, subscription FROM job
  UNION ALL SELECT at, customer, subscription FROM pay
  UNION ALL SELECT at, customer, subscription FROM seat
  UNION ALL SELECT at, customer, subscription FROM probe
  ) e LEFT JOIN subscriptions s ON s.sub = e.subscription
  WHERE at >= (SELECT min(a) FROM parts) AND at < (SELECT max(micros(timestamp '2026-11-01' AT TIME ZONE zone)) FROM subscriptions);

SELECT 'line', wanted, found FROM expected wanted FULL JOIN billed found USING (key)
  WHERE ROW (wanted.*) IS DISTINCT FROM ROW (found.*);
SELECT 'invoice', wanted, found FROM invoices wanted FULL JOIN billed_invoices found USING (sub)
  WHERE ROW (wanted.*) IS DISTINCT FROM ROW (found.*);
SELECT 'tax', wanted, found FROM tax_sums wanted FULL JOIN (SELECT * FROM billed_taxes WHERE minor <> 0) found USING (sub, code)
  WHERE ROW (wanted.*) IS DISTINCT FROM ROW (found.*);
SELECT 'events', wanted, found FROM events wanted, seen found WHERE ROW (wanted.*) IS DISTINCT FROM ROW (found.*);
