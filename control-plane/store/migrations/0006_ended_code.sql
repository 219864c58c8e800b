-- What the sidecar refused or ended a call for after it was let through.
ALTER TABLE calls ADD COLUMN ended_code TEXT NOT NULL DEFAULT '';
