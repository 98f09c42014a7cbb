-- purpose: make room for the targets whose state changes
-- makes: the temporary table life_stage

CREATE TEMPORARY TABLE life_stage (
    tides_id bigint PRIMARY KEY,
    reason text,
    was_active boolean NOT NULL,
    by_ruling boolean NOT NULL
) ON COMMIT DROP;
