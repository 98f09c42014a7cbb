-- purpose: page through what was decided and told lately, among 30 million decisions
-- makes: indexes of decision and exchange_log

-- Rows come in the order of their times: each is added at the end, of its function.
CREATE INDEX decision_lately ON decision (function, decided_at, decision_id);
CREATE INDEX exchange_log_lately ON exchange_log (logged_at);
