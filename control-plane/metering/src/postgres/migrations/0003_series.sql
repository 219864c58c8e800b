-- How many series each namespace has; a row for each transaction that added some, until they are added up.
CREATE TABLE creto_events.series_added (
    namespace text COLLATE "C" NOT NULL,
    series bigint NOT NULL
);
CREATE INDEX series_added_by_namespace ON creto_events.series_added (namespace);
INSERT INTO creto_events.series_added (namespace, series) SELECT m.namespace, count(*)
    FROM creto_events.series s JOIN creto_events.meters m ON m.id = s.meter GROUP BY m.namespace;
