-- purpose: note that a list was loaded
-- params: file text, listed_for text, objects bigint, refused bigint

INSERT INTO tns_load (file, listed_for, objects, refused)
VALUES (%(file)s::text, %(listed_for)s::text, %(objects)s::bigint, %(refused)s::bigint);
