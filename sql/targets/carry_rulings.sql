-- purpose: lay the rulings on the target of an object on each of its objects, which take them along where they go
-- needs: association locked
-- params: survey text, object_id text

INSERT INTO ruling_subject (ruling_id, kind, tag, until, survey, object_id)
SELECT DISTINCT
    lying.ruling_id,
    lying.kind,
    lying.tag,
    lying.until,
    association.survey,
    association.object_id
FROM association AS mine
INNER JOIN ruling_in_force AS lying ON mine.tides_id = lying.tides_id
INNER JOIN association ON mine.tides_id = association.tides_id
WHERE mine.survey = %(survey)s::text AND mine.object_id = %(object_id)s::text
ON CONFLICT DO NOTHING;
