-- purpose: note that the digest of a day was written, or had nothing in it
-- params: subscription_id bigint, digested_on date

UPDATE subscription
SET digested_on = %(digested_on)s::date
WHERE subscription.subscription_id = %(subscription_id)s::bigint;
