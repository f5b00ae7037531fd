-- What VMs cost and for how long they are paid, and how often they were installed anew.
ALTER TABLE vms ADD COLUMN contract_began_at BIGINT;
ALTER TABLE vms ADD COLUMN contract_months BIGINT;
ALTER TABLE vms ADD COLUMN price TEXT COLLATE "C";
ALTER TABLE vms ADD COLUMN reinstalls BIGINT NOT NULL DEFAULT 0;

-- The line of the provider's own audit log that shows the same request.
ALTER TABLE intents ADD COLUMN audit_id BIGINT;
-- What was ordered lately, for caps and for noticing that orders fail.
CREATE INDEX intents_kind_time ON intents (kind, created_at);

-- Since when an environment has its VM.
ALTER TABLE environments ADD COLUMN assigned_at BIGINT;
-- Demand of the last weeks is read from what ended then.
CREATE INDEX environments_ended ON environments (status, updated_at);
