-- purpose: what the Transient Name Server has: names, types and redshifts, from its daily list
-- needs: association, great_circle_arcsec
-- makes: tns_object, tns_load; the view tns_match
-- units: angles in degrees (ICRS), separations in arcsec

CREATE TABLE tns_object (
    tns_object_id bigint PRIMARY KEY,
    name text NOT NULL,
    ra double precision NOT NULL CHECK (ra >= 0 AND ra < 360),
    decl double precision NOT NULL CHECK (decl BETWEEN -90 AND 90),
    object_type text,
    redshift double precision,
    internal_names text[] NOT NULL,
    modified_at timestamp
);

COMMENT ON TABLE tns_object IS 'the objects of the Transient Name Server, as tides tns loaded them';
COMMENT ON COLUMN tns_object.tns_object_id IS 'objid of the list';
COMMENT ON COLUMN tns_object.name IS 'with its prefix: AT, SN and others';
COMMENT ON COLUMN tns_object.object_type IS 'by spectrum; NULL if it was not classified';
COMMENT ON COLUMN tns_object.internal_names IS 'what surveys call it, and the number alone of an identifier of Rubin';
COMMENT ON COLUMN tns_object.modified_at IS 'by the clock of the list';

CREATE INDEX tns_object_decl ON tns_object (decl);
CREATE INDEX tns_object_internal_names ON tns_object USING gin (internal_names);

CREATE TABLE tns_load (
    tns_load_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    file text NOT NULL,
    listed_for text NOT NULL,
    objects bigint NOT NULL,
    refused bigint NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE tns_load IS 'the lists that were loaded: an object that is in none of them may be newer than all';
COMMENT ON COLUMN tns_load.listed_for IS 'the time, or the day, that the list says it is of';
COMMENT ON COLUMN tns_load.refused IS 'rows that could not be read';

-- The object of the list that each target is: that with one of its names, else the nearest within 2 arcsec of any of
-- its objects. A target that has no row is in no list that was loaded, which does not say that there is no such object.
CREATE VIEW tns_match AS
WITH matched AS (
    SELECT
        association.tides_id,
        association.survey,
        association.object_id,
        found.tns_object_id,
        found.has_name,
        found.separation_arcsec
    FROM association
    CROSS JOIN LATERAL (
        SELECT
            named.tns_object_id,
            TRUE AS has_name,
            great_circle_arcsec(association.ra, association.decl, named.ra, named.decl) AS separation_arcsec
        FROM tns_object AS named
        WHERE named.internal_names @> ARRAY[association.object_id]
        UNION ALL
        SELECT
            near.tns_object_id,
            FALSE AS has_name,
            great_circle_arcsec(association.ra, association.decl, near.ra, near.decl) AS separation_arcsec
        FROM tns_object AS near
        WHERE
            near.decl BETWEEN association.decl - 2 / 3600.0 AND association.decl + 2 / 3600.0
            AND great_circle_arcsec(association.ra, association.decl, near.ra, near.decl) <= 2
    ) AS found
)

SELECT DISTINCT ON (matched.tides_id)
    matched.tides_id,
    matched.survey,
    matched.object_id,
    tns_object.name AS tns_name,
    tns_object.object_type,
    tns_object.redshift,
    CASE WHEN matched.has_name THEN 'name' ELSE 'position' END AS matched_by,
    matched.separation_arcsec
FROM matched
INNER JOIN tns_object ON matched.tns_object_id = tns_object.tns_object_id
ORDER BY matched.tides_id ASC, matched.has_name DESC, matched.separation_arcsec ASC, matched.tns_object_id ASC;

COMMENT ON VIEW tns_match IS 'what the Transient Name Server says of each target it has';
