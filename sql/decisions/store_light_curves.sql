-- purpose: keep the staged light curves, the newest of each object; of equally new ones the last
-- needs: light_curve_stage
-- params: now timestamptz

INSERT INTO light_curve AS known (
    survey,
    object_id,
    ra,
    decl,
    first_mjd,
    newest_mjd,
    curve_digest,
    curve,
    stored_at
)
SELECT
    light_curve_stage.survey,
    light_curve_stage.object_id,
    light_curve_stage.ra,
    light_curve_stage.decl,
    light_curve_stage.first_mjd,
    light_curve_stage.newest_mjd,
    light_curve_stage.curve_digest,
    light_curve_stage.curve,
    %(now)s::timestamptz AS stored_at
FROM light_curve_stage
ON CONFLICT (survey, object_id) DO UPDATE
    SET
        ra = excluded.ra,
        decl = excluded.decl,
        first_mjd = excluded.first_mjd,
        newest_mjd = excluded.newest_mjd,
        curve_digest = excluded.curve_digest,
        curve = excluded.curve,
        stored_at = excluded.stored_at
    WHERE
        excluded.newest_mjd > known.newest_mjd
        OR (excluded.newest_mjd = known.newest_mjd AND excluded.curve_digest <> known.curve_digest);
