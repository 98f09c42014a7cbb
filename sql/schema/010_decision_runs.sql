-- purpose: take a quarter off the time of storing decisions: the run of each was looked up, row by row
-- changes: decision, whose run_id refers to run_log no longer; a run stores its own number, and nothing deletes runs

ALTER TABLE decision DROP CONSTRAINT decision_run_id_fkey;
