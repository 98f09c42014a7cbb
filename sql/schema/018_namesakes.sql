-- purpose: know which rows of others had names of ours, exchange after exchange
-- changes: nothing that is stored
-- makes: an index of exchange_log

-- A few at a time are namesakes; that there are more and more of them shows another installation on our survey.
CREATE INDEX exchange_log_namesake ON exchange_log (logged_at) WHERE operation = 'create' AND status = 'repaired';
