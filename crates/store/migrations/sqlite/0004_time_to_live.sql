-- When environments are deleted by themselves, which request they were asked for in, how many a user may have, and
-- which events ask something of their reader.
ALTER TABLE environments ADD COLUMN expires_at INTEGER;
ALTER TABLE environments ADD COLUMN warn_at INTEGER;
ALTER TABLE environments ADD COLUMN warned_at INTEGER;
ALTER TABLE environments ADD COLUMN expiry_bound INTEGER;
ALTER TABLE environments ADD COLUMN expiry_bound_reason TEXT;
ALTER TABLE environments ADD COLUMN batch TEXT;
-- What is next for it: its owner is warned and, after that, it is deleted.
CREATE INDEX environments_expiring ON environments ((CASE WHEN warned_at IS NULL THEN warn_at ELSE expires_at END), id)
    WHERE expires_at IS NOT NULL AND wish = 'present' AND status <> 'deleted';
CREATE INDEX environments_batch ON environments (batch, id) WHERE batch IS NOT NULL;

ALTER TABLE events ADD COLUMN kind TEXT NOT NULL DEFAULT 'progress';
CREATE INDEX events_of_note ON events (sequence) WHERE kind <> 'progress';

ALTER TABLE users ADD COLUMN quota INTEGER;
