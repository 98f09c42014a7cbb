-- purpose: show what is known as documented views, for those who ask by ADQL or SQL: names, units and meaning in one
--          place, and no more than these to a role that can only read them
-- needs: tides_master, association, object_brightness, target_tonight, last_decision, decision
-- makes: the schema vo with its views; indexes for cones
-- units: a comment is: meaning [unit] {UCD} indexed; (free text) may hold any letter

CREATE SCHEMA vo;

COMMENT ON SCHEMA vo IS 'What the TiDES bridge knows: targets, their objects, decisions, rulings, hosts and spectra';

CREATE INDEX tides_master_place ON tides_master (decl, ra);
CREATE INDEX association_place ON association (decl, ra);

CREATE VIEW vo.targets AS
SELECT
    target.tides_id,
    target.name,
    target.ra,
    target.decl,
    target.survey,
    target.object_id,
    target.first_detection_mjd,
    target.last_detection_mjd,
    target.n_detections,
    target.sherlock_class,
    target.selection_function,
    target.active,
    target.inactive_reason,
    target.has_spectrum,
    target.created_at,
    target.updated_at,
    target.pk_4most,
    (target.told_4most ->> 'is_active')::boolean AS active_4most,
    (target.told_4most ->> 'mag')::double precision AS mag_4most,
    target.told_4most_at,
    target.date_ingested AS ingested_4most_at,
    target.refused_4most
FROM tides_master AS target
WHERE target.merged_into IS NULL;

COMMENT ON VIEW vo.targets IS 'targets that were not merged into another: what every supernova of the bridge is now';
COMMENT ON COLUMN vo.targets.tides_id IS 'key of the target {meta.id} indexed';
COMMENT ON COLUMN vo.targets.name IS 'as at 4MOST {meta.id;meta.main} indexed';
COMMENT ON COLUMN vo.targets.ra IS 'right ascension of its newest detection, ICRS [deg] {pos.eq.ra;meta.main} indexed';
COMMENT ON COLUMN vo.targets.decl IS 'declination of its newest detection, ICRS [deg] {pos.eq.dec;meta.main} indexed';
COMMENT ON COLUMN vo.targets.survey IS 'of the object that was reported first {meta.id.parent} indexed';
COMMENT ON COLUMN vo.targets.object_id IS 'of the object that was reported first {meta.id.assoc} indexed';
COMMENT ON COLUMN vo.targets.first_detection_mjd IS 'first detection in any survey, MJD [d] {time.start}';
COMMENT ON COLUMN vo.targets.last_detection_mjd IS 'newest detection in any survey, MJD [d] {time.end} indexed';
COMMENT ON COLUMN vo.targets.n_detections IS 'detections in all surveys {meta.number}';
COMMENT ON COLUMN vo.targets.sherlock_class IS 'class by Sherlock {src.class} indexed';
COMMENT ON COLUMN vo.targets.selection_function IS 'by which it became a target (free text) {meta.note} indexed';
COMMENT ON COLUMN vo.targets.active IS 'whether it is to be observed {meta.code.status}';
COMMENT ON COLUMN vo.targets.inactive_reason IS 'why it is not to be observed {meta.code.status}';
COMMENT ON COLUMN vo.targets.has_spectrum IS 'whether it needs no further spectrum {meta.code}';
COMMENT ON COLUMN vo.targets.created_at IS 'when it became a target {time.creation} indexed';
COMMENT ON COLUMN vo.targets.updated_at IS 'when its row changed last {time.processing}';
COMMENT ON COLUMN vo.targets.pk_4most IS 'key of its row at 4MOST {meta.id.cross} indexed';
COMMENT ON COLUMN vo.targets.active_4most IS 'whether it is on at 4MOST, by what was confirmed last {meta.code.status}';
COMMENT ON COLUMN vo.targets.mag_4most IS 'magnitude that 4MOST confirmed last [mag] {phot.mag}';
COMMENT ON COLUMN vo.targets.told_4most_at IS 'when 4MOST last confirmed something {time.processing}';
COMMENT ON COLUMN vo.targets.ingested_4most_at IS 'when 4MOST took it into its survey {time.processing}';
COMMENT ON COLUMN vo.targets.refused_4most IS 'why 4MOST cannot be told of it (free text) {meta.note}';

CREATE VIEW vo.objects AS
SELECT
    object.survey,
    object.object_id,
    object.tides_id,
    object.ra,
    object.decl,
    object.separation_arcsec,
    object.how,
    object.associated_at,
    object.first_detection_mjd,
    object.last_detection_mjd,
    object.n_detections,
    object.sherlock_class,
    object.passes
FROM association AS object;

COMMENT ON VIEW vo.objects IS 'objects of surveys, and which target each is';
COMMENT ON COLUMN vo.objects.survey IS 'ztf or lsst {meta.id.parent} indexed';
COMMENT ON COLUMN vo.objects.object_id IS 'as its survey names it {meta.id;meta.main} indexed';
COMMENT ON COLUMN vo.objects.tides_id IS 'the target that it is {meta.id.assoc} indexed';
COMMENT ON COLUMN vo.objects.ra IS 'right ascension of its newest detection, ICRS [deg] {pos.eq.ra;meta.main} indexed';
COMMENT ON COLUMN vo.objects.decl IS 'declination of its newest detection, ICRS [deg] {pos.eq.dec;meta.main} indexed';
COMMENT ON COLUMN vo.objects.separation_arcsec IS
'from the nearest object of its target when it was associated [arcsec] {pos.angDistance}';
COMMENT ON COLUMN vo.objects.how IS 'first of its target, by position, or by a person who merged or split {meta.code}';
COMMENT ON COLUMN vo.objects.associated_at IS 'when {time.processing}';
COMMENT ON COLUMN vo.objects.first_detection_mjd IS 'first detection, MJD [d] {time.start}';
COMMENT ON COLUMN vo.objects.last_detection_mjd IS 'newest detection, MJD [d] {time.end}';
COMMENT ON COLUMN vo.objects.n_detections IS 'detections {meta.number}';
COMMENT ON COLUMN vo.objects.sherlock_class IS 'class by Sherlock {src.class}';
COMMENT ON COLUMN vo.objects.passes IS 'whether it passed when it was judged last {meta.code.qual}';

CREATE VIEW vo.magnitudes AS
SELECT
    object.tides_id,
    bright.survey,
    bright.object_id,
    bright.band,
    bright.n_detections,
    bright.latest_mag,
    bright.latest_error,
    bright.latest_mjd,
    bright.brightest_mag,
    bright.brightest_error,
    bright.brightest_mjd,
    bright.limit_mag,
    bright.limit_mjd,
    bright.forced_flux,
    bright.forced_error,
    bright.forced_mjd
FROM object_brightness AS bright
INNER JOIN association AS object
    ON bright.object_id = object.object_id AND bright.survey = object.survey;

COMMENT ON VIEW vo.magnitudes IS 'how bright each object of a target was, a row a band';
COMMENT ON COLUMN vo.magnitudes.tides_id IS 'the target {meta.id.assoc} indexed';
COMMENT ON COLUMN vo.magnitudes.survey IS 'ztf or lsst {meta.id.parent}';
COMMENT ON COLUMN vo.magnitudes.object_id IS 'as its survey names it {meta.id;meta.main} indexed';
COMMENT ON COLUMN vo.magnitudes.band IS 'u, g, r, i, z or y of that survey {instr.bandpass}';
COMMENT ON COLUMN vo.magnitudes.n_detections IS 'positive detections in this band {meta.number}';
COMMENT ON COLUMN vo.magnitudes.latest_mag IS 'AB magnitude of the newest positive detection [mag] {phot.mag}';
COMMENT ON COLUMN vo.magnitudes.latest_error IS 'its error [mag] {stat.error;phot.mag}';
COMMENT ON COLUMN vo.magnitudes.latest_mjd IS 'its epoch, MJD [d] {time.epoch}';
COMMENT ON COLUMN vo.magnitudes.brightest_mag IS 'AB magnitude of the brightest detection [mag] {phot.mag;stat.min}';
COMMENT ON COLUMN vo.magnitudes.brightest_error IS 'its error [mag] {stat.error;phot.mag}';
COMMENT ON COLUMN vo.magnitudes.brightest_mjd IS 'its epoch, MJD [d] {time.epoch}';
COMMENT ON COLUMN vo.magnitudes.limit_mag IS '5 sigma limit of the newest non-detection, AB [mag] {phot.mag;stat.max}';
COMMENT ON COLUMN vo.magnitudes.limit_mjd IS 'its epoch, MJD [d] {time.epoch}';
COMMENT ON COLUMN vo.magnitudes.forced_flux IS
'newest forced photometry where nothing was detected [nJy] {phot.flux.density}';
COMMENT ON COLUMN vo.magnitudes.forced_error IS 'its error [nJy] {stat.error;phot.flux.density}';
COMMENT ON COLUMN vo.magnitudes.forced_mjd IS 'its epoch, MJD [d] {time.epoch}';

CREATE VIEW vo.tonight AS
SELECT
    tonight.tides_id,
    tonight.at_mjd,
    substr('ugrizy', expected.place::integer, 1) AS band,
    expected.mag,
    expected.error,
    expected.method,
    tonight.system,
    tonight.is_known
FROM target_tonight AS tonight
CROSS JOIN
    LATERAL
    unnest(tonight.mags, tonight.errors, tonight.methods) WITH ORDINALITY AS expected (mag, error, method, place);

COMMENT ON VIEW vo.tonight IS 'how bright each target is expected to be on the coming night, a row a band';
COMMENT ON COLUMN vo.tonight.tides_id IS 'the target {meta.id.assoc} indexed';
COMMENT ON COLUMN vo.tonight.at_mjd IS 'middle of the night, MJD [d] {time.epoch}';
COMMENT ON COLUMN vo.tonight.band IS 'u, g, r, i, z or y {instr.bandpass}';
COMMENT ON COLUMN vo.tonight.mag IS 'expected AB magnitude [mag] {phot.mag;meta.modelled}';
COMMENT ON COLUMN vo.tonight.error IS 'its error [mag] {stat.error;phot.mag}';
COMMENT ON COLUMN vo.tonight.method IS 'how it was found, or why not (free text) {meta.note}';
COMMENT ON COLUMN vo.tonight.system IS 'of the magnitude: LSST or ZTF {instr.bandpass}';
COMMENT ON COLUMN vo.tonight.is_known IS 'whether it behaves as what the prediction was fitted on {meta.code.qual}';

CREATE VIEW vo.decisions AS
SELECT
    decision.survey,
    decision.object_id,
    decision.function,
    decision.version,
    decision.role,
    decision.passed,
    array_to_string(decision.failed, ', ') AS failed,
    decision.newest_mjd,
    decision.trigger_mjd,
    decision.decided_at
FROM last_decision AS decision;

COMMENT ON VIEW vo.decisions IS 'the last decision of each selection function on each object, rejections too';
COMMENT ON COLUMN vo.decisions.survey IS 'ztf or lsst {meta.id.parent} indexed';
COMMENT ON COLUMN vo.decisions.object_id IS 'as its survey names it {meta.id;meta.main} indexed';
COMMENT ON COLUMN vo.decisions.function IS 'name of the selection function (free text) {meta.id}';
COMMENT ON COLUMN vo.decisions.version IS 'of what it demanded {meta.version}';
COMMENT ON COLUMN vo.decisions.role IS 'active chooses targets, shadow is recorded only {meta.code}';
COMMENT ON COLUMN vo.decisions.passed IS 'whether the object passed {meta.code.qual}';
COMMENT ON COLUMN vo.decisions.failed IS 'criteria that were not fulfilled (free text) {meta.note}';
COMMENT ON COLUMN vo.decisions.newest_mjd IS 'newest detection that was known, MJD [d] {time.epoch}';
COMMENT ON COLUMN vo.decisions.trigger_mjd IS 'first detection at which it passed, MJD [d] {time.epoch}';
COMMENT ON COLUMN vo.decisions.decided_at IS 'when {time.processing}';

CREATE VIEW vo.record AS
SELECT
    decision.decision_id,
    decision.survey,
    decision.object_id,
    decision.function,
    decision.version,
    decision.role,
    decision.passed,
    decision.is_stale,
    array_to_string(decision.failed, ', ') AS failed,
    decision.n_detections,
    decision.newest_mjd,
    decision.trigger_mjd,
    decision.decided_at,
    decision.run_id
FROM decision;

COMMENT ON VIEW vo.record IS 'every decision that said something new, rejections too';
COMMENT ON COLUMN vo.record.decision_id IS 'key of the decision {meta.id;meta.main}';
COMMENT ON COLUMN vo.record.survey IS 'ztf or lsst {meta.id.parent} indexed';
COMMENT ON COLUMN vo.record.object_id IS 'as its survey names it {meta.id.assoc} indexed';
COMMENT ON COLUMN vo.record.function IS 'name of the selection function (free text) {meta.id}';
COMMENT ON COLUMN vo.record.version IS 'of what it demanded {meta.version}';
COMMENT ON COLUMN vo.record.role IS 'active chooses targets, shadow is recorded only {meta.code}';
COMMENT ON COLUMN vo.record.passed IS 'whether the object passed {meta.code.qual}';
COMMENT ON COLUMN vo.record.is_stale IS 'judged for an alert older than one judged before {meta.code.qual}';
COMMENT ON COLUMN vo.record.failed IS 'criteria that were not fulfilled (free text) {meta.note}';
COMMENT ON COLUMN vo.record.n_detections IS 'detections that were known {meta.number}';
COMMENT ON COLUMN vo.record.newest_mjd IS 'newest detection that was known, MJD [d] {time.epoch}';
COMMENT ON COLUMN vo.record.trigger_mjd IS 'first detection at which it passed, MJD [d] {time.epoch}';
COMMENT ON COLUMN vo.record.decided_at IS 'when {time.processing} indexed';
COMMENT ON COLUMN vo.record.run_id IS 'in which run {meta.id.assoc}';

CREATE VIEW vo.criteria AS
SELECT
    decision.decision_id,
    decision.survey,
    decision.object_id,
    decision.function,
    decision.decided_at,
    criterion.path,
    CASE WHEN jsonb_typeof(criterion.measured) = 'number' THEN criterion.measured::double precision END AS measured,
    criterion.measured #>> '{}' AS words,
    criterion.path <> ALL(decision.failed) AS is_fulfilled
FROM decision
CROSS JOIN LATERAL jsonb_each(decision.measured) AS criterion (path, measured);

COMMENT ON VIEW vo.criteria IS 'what each decision measured, a row a criterion';
COMMENT ON COLUMN vo.criteria.decision_id IS 'of record {meta.id.assoc}';
COMMENT ON COLUMN vo.criteria.survey IS 'ztf or lsst {meta.id.parent} indexed';
COMMENT ON COLUMN vo.criteria.object_id IS 'as its survey names it {meta.id.assoc} indexed';
COMMENT ON COLUMN vo.criteria.function IS 'name of the selection function (free text) {meta.id}';
COMMENT ON COLUMN vo.criteria.decided_at IS 'when {time.processing} indexed';
COMMENT ON COLUMN vo.criteria.path IS 'of the criterion in its function (free text) {meta.id;meta.main}';
COMMENT ON COLUMN vo.criteria.measured IS 'what was measured, in the unit of the criterion {meta.modelled}';
COMMENT ON COLUMN vo.criteria.words IS 'the same as text, of what is no number, too (free text) {meta.note}';
COMMENT ON COLUMN vo.criteria.is_fulfilled IS 'whether it was enough {meta.code.qual}';
