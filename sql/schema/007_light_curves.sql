-- purpose: light curves that are judged together with those of other surveys at the same place
-- needs: association, great_circle_arcsec
-- makes: light_curve; the column judged_with of decision
-- units: angles in degrees (ICRS), epochs in MJD (UTC)

CREATE TABLE light_curve (
    survey text NOT NULL,
    object_id text NOT NULL,
    ra double precision NOT NULL CHECK (ra >= 0 AND ra < 360),
    decl double precision NOT NULL CHECK (decl BETWEEN -90 AND 90),
    first_mjd double precision NOT NULL,
    newest_mjd double precision NOT NULL,
    curve_digest uuid NOT NULL,
    curve bytea NOT NULL,
    stored_at timestamptz NOT NULL,
    PRIMARY KEY (survey, object_id)
);

COMMENT ON TABLE light_curve IS 'the newest light curve of each object that a function judges with other surveys';
COMMENT ON COLUMN light_curve.first_mjd IS 'first detection in the light curve [MJD]';
COMMENT ON COLUMN light_curve.newest_mjd IS 'newest detection that its alert knew [MJD]: it is forgotten by this age';
COMMENT ON COLUMN light_curve.curve IS 'a table of Arrow with one row: an IPC stream, packed by zstd';

-- What was packed once gains nothing from being packed again.
ALTER TABLE light_curve ALTER COLUMN curve SET STORAGE EXTERNAL;

-- A strip in declination first, the exact great circle within it.
CREATE INDEX light_curve_decl ON light_curve (decl) INCLUDE (ra);
CREATE INDEX light_curve_newest ON light_curve (newest_mjd);

ALTER TABLE decision ADD COLUMN judged_with text[];

COMMENT ON COLUMN decision.judged_with IS 'survey and name of the objects whose points were judged with its own';
