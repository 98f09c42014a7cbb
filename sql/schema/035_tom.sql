-- purpose: know what we last wrote to a TOM, so that what people change there is told apart
-- needs: tides_master, ruling
-- makes: tom_target; the view open_tom_question

CREATE TABLE tom_target (
    tom text NOT NULL,
    tides_id bigint NOT NULL REFERENCES tides_master,
    tom_id bigint,
    asked jsonb NOT NULL DEFAULT '{}',
    told jsonb NOT NULL DEFAULT '{}',
    refused jsonb NOT NULL DEFAULT '{}',
    problem text,
    theirs jsonb NOT NULL DEFAULT '{}',
    theirs_since timestamptz,
    gone_since timestamptz,
    heard jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (tom, tides_id)
);

COMMENT ON TABLE tom_target IS 'our targets in a TOM: what we wrote there, and what people made of it';
COMMENT ON COLUMN tom_target.tom IS 'address of the TOM';
COMMENT ON COLUMN tom_target.tom_id IS 'its key there';
COMMENT ON COLUMN tom_target.asked IS 'is being written: noted before, so that it is known for ours whatever is killed';
COMMENT ON COLUMN tom_target.told IS 'what we wrote last, and was seen there';
COMMENT ON COLUMN tom_target.refused IS 'what we wrote, and was not seen there: not asked again before it is other';
COMMENT ON COLUMN tom_target.theirs IS 'what people changed there, and we would have otherwise: it stays';
COMMENT ON COLUMN tom_target.gone_since IS 'when it was found to be deleted there: it is not made again';
COMMENT ON COLUMN tom_target.heard IS 'what people wrote there, as it was taken in last';

CREATE UNIQUE INDEX tom_target_key ON tom_target (tom, tom_id);

CREATE VIEW open_tom_question AS
SELECT
    tides_master.name,
    tom_target.tom,
    tom_target.gone_since
FROM tom_target
INNER JOIN tides_master ON tom_target.tides_id = tides_master.tides_id
WHERE
    tom_target.gone_since IS NOT NULL
    AND NOT EXISTS (
        SELECT
        FROM ruling
        WHERE ruling.tides_id = tom_target.tides_id AND ruling.ruled_at > tom_target.gone_since
    );

COMMENT ON VIEW open_tom_question IS 'targets that somebody deleted in a TOM, until a person has spoken of them';
