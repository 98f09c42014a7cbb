-- purpose: note what is in hand of a stream
-- params: group_id text, messages integer (0 for nothing), place text (of the first), most integer, deaths integer,
--         alone jsonb, ends jsonb

INSERT INTO in_hand (group_id, messages, place, most, deaths, alone, ends)
VALUES (
    %(group_id)s::text,
    %(messages)s::integer,
    %(place)s::text,
    %(most)s::integer,
    %(deaths)s::integer,
    %(alone)s::jsonb,
    %(ends)s::jsonb
)
ON CONFLICT (group_id) DO UPDATE
    SET
        messages = excluded.messages,
        place = excluded.place,
        most = excluded.most,
        deaths = excluded.deaths,
        alone = excluded.alone,
        ends = excluded.ends;
