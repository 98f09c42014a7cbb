-- purpose: note until which annotation hosts were looked for
-- params: annotation_id bigint

INSERT INTO host_look AS looked (annotation_id)
VALUES (%(annotation_id)s::bigint)
ON CONFLICT (is_only) DO UPDATE
SET annotation_id = excluded.annotation_id
WHERE looked.annotation_id < excluded.annotation_id;
