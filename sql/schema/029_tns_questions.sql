-- purpose: let types of the Transient Name Server ask for rulings, or make them; and let its names lead to targets
-- needs: tns_object, annotation, ruling, association_log
-- makes: tns_question; the view open_tns_question; a source of rulings; indexes

CREATE TABLE tns_question (
    tides_id bigint NOT NULL REFERENCES tides_master,
    tns_type text NOT NULL,
    tns_name text,
    is_no_supernova boolean NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    is_so boolean NOT NULL DEFAULT TRUE,
    PRIMARY KEY (tides_id, tns_type)
);

COMMENT ON TABLE tns_question IS 'targets with a type of which a person is asked, or that ruled: once each';
COMMENT ON COLUMN tns_question.tns_name IS 'of its object there; NULL where a broker told the type';
COMMENT ON COLUMN tns_question.is_so IS 'whether it has this type now; what was asked before is not asked again';

ALTER TABLE ruling DROP CONSTRAINT ruling_source_check;
ALTER TABLE ruling ADD CONSTRAINT ruling_source_check CHECK (source IN ('person', '4most', 'tns'));

CREATE INDEX ruling_target ON ruling (tides_id, ruled_at) WHERE tides_id IS NOT NULL;
CREATE INDEX ruling_object ON ruling (object_id) WHERE object_id IS NOT NULL;
CREATE INDEX annotation_tns_type ON annotation (word) INCLUDE (survey, object_id) WHERE name = 'tns.type';
CREATE INDEX association_log_object ON association_log (object_id, survey);
CREATE INDEX tns_object_bare_name ON tns_object (split_part(name, ' ', 2));

CREATE VIEW open_tns_question AS
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

COMMENT ON VIEW open_tns_question IS 'those on which nobody has ruled since';
