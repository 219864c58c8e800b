-- Entries of the spool that ended a call, as far as the mark: the place of their events in the sidecar's sequence.
ALTER TABLE report_marks ADD COLUMN ended INTEGER NOT NULL DEFAULT 0;
-- How many of those the store of events did not have when it was last found to be another one: their count starts anew.
ALTER TABLE report_marks ADD COLUMN event_base INTEGER NOT NULL DEFAULT 0;
-- The token sends metering events and nothing else.
ALTER TABLE operator_tokens ADD COLUMN producer INTEGER NOT NULL DEFAULT 0;
