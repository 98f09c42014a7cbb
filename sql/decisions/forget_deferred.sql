-- purpose: forget deferred objects that have been judged
-- params: survey text, object_ids text[]

DELETE FROM deferred_object
WHERE survey = %(survey)s::text AND object_id = any(%(object_ids)s::text[]);
