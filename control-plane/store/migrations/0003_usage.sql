-- What calls meant, and what their answers used.
ALTER TABLE calls ADD COLUMN protocol          TEXT    NOT NULL DEFAULT '';
ALTER TABLE calls ADD COLUMN service           TEXT    NOT NULL DEFAULT '';
ALTER TABLE calls ADD COLUMN operation         TEXT    NOT NULL DEFAULT '';
-- Each between line feeds, so that one is found whole.
ALTER TABLE calls ADD COLUMN subjects          TEXT    NOT NULL DEFAULT '';
ALTER TABLE calls ADD COLUMN credential        TEXT    NOT NULL DEFAULT '';
-- Absent for calls that are not metered.
ALTER TABLE calls ADD COLUMN usage_estimated   INTEGER;
ALTER TABLE calls ADD COLUMN input             INTEGER NOT NULL DEFAULT 0;
ALTER TABLE calls ADD COLUMN cached_input      INTEGER NOT NULL DEFAULT 0;
ALTER TABLE calls ADD COLUMN cache_write       INTEGER NOT NULL DEFAULT 0;
ALTER TABLE calls ADD COLUMN cache_write_1h    INTEGER NOT NULL DEFAULT 0;
ALTER TABLE calls ADD COLUMN output            INTEGER NOT NULL DEFAULT 0;
ALTER TABLE calls ADD COLUMN reasoning         INTEGER NOT NULL DEFAULT 0;
ALTER TABLE calls ADD COLUMN audio_input       INTEGER NOT NULL DEFAULT 0;
ALTER TABLE calls ADD COLUMN audio_output      INTEGER NOT NULL DEFAULT 0;
ALTER TABLE calls ADD COLUMN image_input       INTEGER NOT NULL DEFAULT 0;
ALTER TABLE calls ADD COLUMN images            INTEGER NOT NULL DEFAULT 0;
ALTER TABLE calls ADD COLUMN server_tool_calls INTEGER NOT NULL DEFAULT 0;
ALTER TABLE calls ADD COLUMN response_model    TEXT    NOT NULL DEFAULT '';
