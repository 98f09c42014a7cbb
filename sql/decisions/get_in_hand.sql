-- purpose: see what the last run that read this stream had in hand
-- params: group_id text
-- returns: messages integer (0 if it laid them down), place text, most integer, deaths integer, alone jsonb,
--          ends jsonb

SELECT
    in_hand.messages,
    in_hand.place,
    in_hand.most,
    in_hand.deaths,
    in_hand.alone,
    in_hand.ends
FROM in_hand
WHERE in_hand.group_id = %(group_id)s::text;
