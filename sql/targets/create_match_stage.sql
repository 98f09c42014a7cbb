-- purpose: make the tables in which the new objects of one batch find their targets; they end with the transaction
-- makes: new_object, neighbour, changed_target, temporary

CREATE TEMPORARY TABLE new_object (
    number integer PRIMARY KEY,
    survey text NOT NULL,
    object_id text NOT NULL,
    ra double precision NOT NULL,
    decl double precision NOT NULL,
    zone integer NOT NULL GENERATED ALWAYS AS (declination_zone(decl)) STORED,
    ra_width double precision NOT NULL,
    tides_id bigint,
    separation_arcsec double precision,
    how text
) ON COMMIT DROP;

CREATE TEMPORARY TABLE neighbour (
    number integer NOT NULL,
    tides_id bigint,
    earlier integer,
    separation_arcsec double precision NOT NULL
) ON COMMIT DROP;

CREATE INDEX neighbour_number ON neighbour (number);

CREATE TEMPORARY TABLE changed_target (
    tides_id bigint PRIMARY KEY,
    is_new boolean NOT NULL
) ON COMMIT DROP;
