-- purpose: tell whether a delivery of this content is in force, whatever its file is called
-- params: digest text
-- returns: at most one row

SELECT delivery_in_force.delivery_id
FROM delivery_in_force
WHERE delivery_in_force.digest = %(digest)s::text
LIMIT 1;
