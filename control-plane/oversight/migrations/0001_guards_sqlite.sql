CREATE TRIGGER oversight_changes_stay BEFORE UPDATE ON oversight_changes
BEGIN SELECT RAISE(ABORT, 'a step that a request took is never edited'); END;
CREATE TRIGGER oversight_facts_stay BEFORE UPDATE OF facts, summary, context, digest, namespace, agent ON oversight_requests
BEGIN SELECT RAISE(ABORT, 'what is asked for is never edited'); END;
