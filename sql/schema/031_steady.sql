-- purpose: find the targets that pass for months without a supernova's rise and fall, ask about them, and by a setting
--          switch them off
-- needs: association, object_brightness, ruling_in_force
-- makes: the functions steady_targets, steady_doubts

-- Of these targets those that still pass and are, in no band, by within_mag fainter than at their brightest, though in
-- one band that was after_days ago. Of nothing where after_days is NULL.
CREATE FUNCTION steady_targets(
    tides_ids bigint[], after_days double precision, within_mag double precision
) RETURNS TABLE (tides_id bigint, days double precision, faded double precision) LANGUAGE sql STABLE AS $$
    SELECT
        association.tides_id,
        max(bright.latest_mjd - bright.brightest_mjd) AS days,
        max(bright.latest_mag - bright.brightest_mag) AS faded
    FROM unnest(tides_ids) AS asked (tides_id)
    INNER JOIN association ON asked.tides_id = association.tides_id
    INNER JOIN object_brightness AS bright
        ON association.survey = bright.survey AND association.object_id = bright.object_id
    WHERE after_days IS NOT NULL
    GROUP BY association.tides_id
    HAVING
        max(bright.latest_mjd - bright.brightest_mjd) >= after_days
        AND max(bright.latest_mag - bright.brightest_mag) < within_mag
        AND bool_or(association.passes)
$$;

-- Those about which a person is asked: they are on, or off for this; whatever a person said of them is the answer.
CREATE FUNCTION steady_doubts(
    after_days double precision, within_mag double precision, at timestamptz
) RETURNS TABLE (name text, question text) LANGUAGE sql STABLE AS $$
    SELECT
        tides_master.name,
        'passes ' || round(steady.days)::text || ' days after its brightest, and has faded by '
        || round(steady.faded::numeric, 2)::text || ' mag only: is it a supernova?' AS question
    FROM steady_targets(
            array(
                SELECT target.tides_id
                FROM tides_master AS target
                WHERE
                    (target.active OR target.inactive_reason = 'steady')
                    AND target.last_detection_mjd - target.first_detection_mjd >= after_days
            ),
            after_days,
            within_mag
        ) AS steady
    INNER JOIN tides_master ON steady.tides_id = tides_master.tides_id
    WHERE
        NOT EXISTS (
            SELECT FROM ruling_in_force AS lying
            WHERE lying.tides_id = tides_master.tides_id AND (lying.until IS NULL OR lying.until > at)
        )
$$;
