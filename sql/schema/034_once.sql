-- purpose: ask about a type of the Transient Name Server once, also where it was gone for a while, or where its object
--          went to another target
-- needs: tns_question, association_log, ruling
-- makes: a column of tns_question; the view open_tns_question anew; an index of association_log

ALTER TABLE tns_question ADD COLUMN is_so boolean NOT NULL DEFAULT TRUE;

COMMENT ON COLUMN tns_question.is_so IS 'whether it has this type now; what was asked before is not asked again';

CREATE INDEX association_log_object ON association_log (object_id, survey);

CREATE OR REPLACE VIEW open_tns_question AS
SELECT
    tides_master.name,
    tns_question.tns_type,
    tns_question.tns_name,
    tns_question.is_no_supernova,
    tns_question.asked_at
FROM tns_question
INNER JOIN tides_master ON tns_question.tides_id = tides_master.tides_id
WHERE
    tns_question.is_so
    AND tides_master.merged_into IS NULL
    AND coalesce(tides_master.inactive_reason, '') NOT IN ('veto', 'spectrum')
    AND NOT EXISTS (
        SELECT FROM ruling
        WHERE ruling.tides_id = tns_question.tides_id AND ruling.ruled_at > tns_question.asked_at
    );
