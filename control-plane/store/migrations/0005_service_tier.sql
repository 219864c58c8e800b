-- What a model call cost depends on it.
ALTER TABLE calls ADD COLUMN service_tier TEXT NOT NULL DEFAULT '';
