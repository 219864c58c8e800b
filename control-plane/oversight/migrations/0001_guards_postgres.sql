CREATE FUNCTION oversight_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'what was asked for and decided is never edited'; END $$;
CREATE TRIGGER oversight_changes_stay BEFORE UPDATE ON oversight_changes
FOR EACH ROW EXECUTE FUNCTION oversight_refuse();
CREATE TRIGGER oversight_facts_stay BEFORE UPDATE OF facts, summary, context, digest, namespace, agent ON oversight_requests
FOR EACH ROW EXECUTE FUNCTION oversight_refuse();
