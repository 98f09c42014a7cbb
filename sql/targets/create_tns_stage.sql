-- purpose: make the table that rows of a list of the Transient Name Server are loaded into
-- makes: tns_stage, until the end of the transaction

CREATE TEMPORARY TABLE tns_stage (
    tns_object_id bigint NOT NULL,
    name text NOT NULL,
    ra double precision NOT NULL,
    decl double precision NOT NULL,
    object_type text,
    redshift double precision,
    internal_names text[] NOT NULL,
    modified_at timestamp,
    row_number bigint NOT NULL
) ON COMMIT DROP;
