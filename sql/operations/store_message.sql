-- purpose: keep a message that is to be sent
-- params: subscription_id bigint, subject text, body text

INSERT INTO message (subscription_id, subject, body)
VALUES (%(subscription_id)s::bigint, %(subject)s::text, %(body)s::text);
