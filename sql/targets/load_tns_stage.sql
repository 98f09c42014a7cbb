-- purpose: load rows of a list from the client; an empty field is NULL
-- needs: tns_stage

COPY tns_stage (
    tns_object_id,
    name,
    ra,
    decl,
    object_type,
    redshift,
    internal_names,
    modified_at,
    row_number
) FROM STDIN WITH (FORMAT csv);
