-- purpose: note which selection functions are judged by from now on; where nothing changed nothing is written
-- params: functions jsonb (list of name, version, role, normalised_text), now timestamptz

WITH given AS (
    SELECT
        listed.name,
        listed.version,
        listed.role,
        listed.normalised_text
    FROM jsonb_to_recordset(%(functions)s::jsonb)
            AS listed (name text, version text, role text, normalised_text text)
),

seen AS (
    INSERT INTO selection_function (name, version, normalised_text, first_seen_at)
    SELECT
        given.name,
        given.version,
        given.normalised_text,
        %(now)s::timestamptz AS first_seen_at
    FROM given
    ON CONFLICT DO NOTHING
),

closed AS (
    UPDATE selection_in_force
    SET until = greatest(%(now)s::timestamptz, since)
    WHERE
        until IS NULL
        AND (function, version, role) NOT IN (SELECT given.name, given.version, given.role FROM given)
)

INSERT INTO selection_in_force (function, version, role, since)
SELECT
    given.name,
    given.version,
    given.role,
    %(now)s::timestamptz AS since
FROM given
ON CONFLICT (function, version, role) WHERE until IS NULL DO NOTHING;
