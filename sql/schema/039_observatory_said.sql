-- purpose: show what was said of targets, and to 4MOST, as documented views beside those of 038_observatory.sql
-- needs: the schema vo, ruling_in_force, exchange_log, host_candidate, target_spectrum, target_class, run_log,
--        selection_function
-- makes: views of the schema vo
-- units: a comment is: meaning [unit] {UCD} indexed; (free text) may hold any letter

CREATE VIEW vo.rulings AS
SELECT
    ruling.ruling_id,
    ruling.kind,
    ruling.named,
    ruling.tides_id,
    ruling.survey,
    ruling.object_id,
    ruling.tag,
    ruling.reason,
    ruling.who,
    ruling.until,
    ruling.ruled_at,
    exists(
        SELECT
        FROM ruling_in_force AS lying
        WHERE lying.ruling_id = ruling.ruling_id AND (lying.until IS NULL OR lying.until > now())
    ) AS is_in_force
FROM ruling;

COMMENT ON VIEW vo.rulings IS 'what people decided of targets and objects';
COMMENT ON COLUMN vo.rulings.ruling_id IS 'key of the ruling {meta.id;meta.main} indexed';
COMMENT ON COLUMN vo.rulings.kind IS 'veto, force, hold, comment, tag or release {meta.code}';
COMMENT ON COLUMN vo.rulings.named IS 'how it was named then (free text) {meta.id.assoc}';
COMMENT ON COLUMN vo.rulings.tides_id IS 'the target, of a ruling on a target {meta.id.assoc}';
COMMENT ON COLUMN vo.rulings.survey IS 'of a ruling on an object {meta.id.parent}';
COMMENT ON COLUMN vo.rulings.object_id IS 'of a ruling on an object {meta.id.assoc}';
COMMENT ON COLUMN vo.rulings.tag IS 'of a tag (free text) {meta.code}';
COMMENT ON COLUMN vo.rulings.reason IS 'why (free text) {meta.note}';
COMMENT ON COLUMN vo.rulings.who IS 'by whom (free text) {meta.curation}';
COMMENT ON COLUMN vo.rulings.until IS 'when it ends by itself {time.end}';
COMMENT ON COLUMN vo.rulings.ruled_at IS 'when {time.processing}';
COMMENT ON COLUMN vo.rulings.is_in_force IS 'whether it lies on a target now {meta.code.status}';

CREATE VIEW vo.exchange AS
SELECT
    exchange.exchange_id,
    exchange.tides_id,
    exchange.operation,
    exchange.status,
    exchange.intent_id,
    exchange.pk_4most,
    exchange.payload::text AS payload,
    exchange.answer,
    exchange.logged_at
FROM exchange_log AS exchange;

COMMENT ON VIEW vo.exchange IS 'what 4MOST was asked, and what it answered';
COMMENT ON COLUMN vo.exchange.exchange_id IS 'key of the row {meta.id;meta.main} indexed';
COMMENT ON COLUMN vo.exchange.tides_id IS 'the target {meta.id.assoc} indexed';
COMMENT ON COLUMN vo.exchange.operation IS 'create, update, deactivate and others {meta.code}';
COMMENT ON COLUMN vo.exchange.status IS 'asked, confirmed, refused and others {meta.code.status}';
COMMENT ON COLUMN vo.exchange.intent_id IS 'exchange_id of what is answered {meta.id.assoc}';
COMMENT ON COLUMN vo.exchange.pk_4most IS 'key of the row at 4MOST {meta.id.cross}';
COMMENT ON COLUMN vo.exchange.payload IS 'what was sent, JSON (free text) {meta.note}';
COMMENT ON COLUMN vo.exchange.answer IS 'what was answered (free text) {meta.note}';
COMMENT ON COLUMN vo.exchange.logged_at IS 'when {time.processing}';

CREATE VIEW vo.hosts AS
SELECT
    object.tides_id,
    candidate.survey,
    candidate.object_id,
    candidate.source,
    candidate.rank,
    host.host_id,
    host.catalogue,
    host.catalogue_name,
    host.ra,
    host.decl,
    candidate.separation_arcsec,
    candidate.radii,
    candidate.probability,
    host.redshift,
    host.redshift_error,
    host.redshift_kind,
    host.mag,
    host.mag_type
FROM host_candidate AS candidate
INNER JOIN host ON candidate.host_id = host.host_id
LEFT JOIN association AS object
    ON candidate.object_id = object.object_id AND candidate.survey = object.survey;

COMMENT ON VIEW vo.hosts IS 'galaxies in which targets may lie, as each source says';
COMMENT ON COLUMN vo.hosts.tides_id IS 'the target {meta.id.assoc} indexed';
COMMENT ON COLUMN vo.hosts.survey IS 'of the object {meta.id.parent}';
COMMENT ON COLUMN vo.hosts.object_id IS 'as its survey names it {meta.id.assoc} indexed';
COMMENT ON COLUMN vo.hosts.source IS 'who says so (free text) {meta.ref}';
COMMENT ON COLUMN vo.hosts.rank IS '1 is the likeliest of this source {meta.number}';
COMMENT ON COLUMN vo.hosts.host_id IS 'key of the galaxy {meta.id;meta.main} indexed';
COMMENT ON COLUMN vo.hosts.catalogue IS 'of the galaxy (free text) {meta.id.parent}';
COMMENT ON COLUMN vo.hosts.catalogue_name IS 'of the galaxy (free text) {meta.id}';
COMMENT ON COLUMN vo.hosts.ra IS 'right ascension of the galaxy, ICRS [deg] {pos.eq.ra;meta.main}';
COMMENT ON COLUMN vo.hosts.decl IS 'declination of the galaxy, ICRS [deg] {pos.eq.dec;meta.main} indexed';
COMMENT ON COLUMN vo.hosts.separation_arcsec IS 'of object and galaxy [arcsec] {pos.angDistance}';
COMMENT ON COLUMN vo.hosts.radii IS 'the separation in directional light radii {pos.angDistance}';
COMMENT ON COLUMN vo.hosts.probability IS 'that it is the host, by its source {stat.probability}';
COMMENT ON COLUMN vo.hosts.redshift IS 'of the galaxy {src.redshift}';
COMMENT ON COLUMN vo.hosts.redshift_error IS 'its error {stat.error;src.redshift}';
COMMENT ON COLUMN vo.hosts.redshift_kind IS 'spectroscopic or photometric {meta.code}';
COMMENT ON COLUMN vo.hosts.mag IS 'of the galaxy [mag] {phot.mag}';
COMMENT ON COLUMN vo.hosts.mag_type IS 'survey, band and system of mag {instr.bandpass}';

CREATE VIEW vo.spectra AS
SELECT
    spectrum.spectrum_id,
    spectrum.tides_id,
    spectrum.object_name,
    spectrum.ra,
    spectrum.decl,
    spectrum.night::text AS night,
    spectrum.mjd,
    spectrum.exposure_s,
    spectrum.snr,
    spectrum.redshift,
    spectrum.redshift_error,
    spectrum.redshift_warning,
    spectrum.redshift_template,
    spectrum.redshift_probability,
    spectrum.flag,
    spectrum.is_newest,
    spectrum.path
FROM target_spectrum AS spectrum;

COMMENT ON VIEW vo.spectra IS 'spectra of targets in deliveries of 4MOST';
COMMENT ON COLUMN vo.spectra.spectrum_id IS 'key of the spectrum {meta.id;meta.main}';
COMMENT ON COLUMN vo.spectra.tides_id IS 'the target {meta.id.assoc}';
COMMENT ON COLUMN vo.spectra.object_name IS 'as the delivery has it (free text) {meta.id}';
COMMENT ON COLUMN vo.spectra.ra IS 'right ascension, ICRS [deg] {pos.eq.ra;meta.main}';
COMMENT ON COLUMN vo.spectra.decl IS 'declination, ICRS [deg] {pos.eq.dec;meta.main}';
COMMENT ON COLUMN vo.spectra.night IS 'of the observation {time.start}';
COMMENT ON COLUMN vo.spectra.mjd IS 'middle of the exposure, MJD [d] {time.epoch}';
COMMENT ON COLUMN vo.spectra.exposure_s IS 'exposure time [s] {time.duration;obs.exposure}';
COMMENT ON COLUMN vo.spectra.snr IS 'signal to noise {stat.snr}';
COMMENT ON COLUMN vo.spectra.redshift IS 'by the pipeline {src.redshift}';
COMMENT ON COLUMN vo.spectra.redshift_error IS 'its error {stat.error;src.redshift}';
COMMENT ON COLUMN vo.spectra.redshift_warning IS 'of the pipeline {meta.code.qual}';
COMMENT ON COLUMN vo.spectra.redshift_template IS 'of the pipeline {meta.id}';
COMMENT ON COLUMN vo.spectra.redshift_probability IS 'of the pipeline {stat.probability}';
COMMENT ON COLUMN vo.spectra.flag IS 'of the delivery {meta.code.qual}';
COMMENT ON COLUMN vo.spectra.is_newest IS 'by the newest software of its visit {meta.code}';
COMMENT ON COLUMN vo.spectra.path IS 'of the delivery (free text) {meta.file}';

CREATE VIEW vo.classes AS
SELECT
    class.tides_id,
    class.survey,
    class.object_id,
    class.type,
    class.subtype,
    class.confidence,
    class.redshift,
    class.redshift_error,
    class.by AS said_by,
    class.is_human,
    class.said_at
FROM target_class AS class;

COMMENT ON VIEW vo.classes IS 'of each target the class that counts, by its spectra';
COMMENT ON COLUMN vo.classes.tides_id IS 'the target {meta.id.assoc;meta.main}';
COMMENT ON COLUMN vo.classes.survey IS 'of the object {meta.id.parent}';
COMMENT ON COLUMN vo.classes.object_id IS 'as its survey names it {meta.id.assoc}';
COMMENT ON COLUMN vo.classes.type IS 'class {src.class}';
COMMENT ON COLUMN vo.classes.subtype IS 'subclass {src.class}';
COMMENT ON COLUMN vo.classes.confidence IS 'of the class {stat.probability}';
COMMENT ON COLUMN vo.classes.redshift IS 'of the supernova {src.redshift}';
COMMENT ON COLUMN vo.classes.redshift_error IS 'its error {stat.error;src.redshift}';
COMMENT ON COLUMN vo.classes.said_by IS 'who or what says so (free text) {meta.curation}';
COMMENT ON COLUMN vo.classes.is_human IS 'whether a person says so {meta.code}';
COMMENT ON COLUMN vo.classes.said_at IS 'when {time.processing}';

CREATE VIEW vo.runs AS
SELECT
    run.run_id,
    run.kind,
    run.broker,
    run.started_at,
    run.ended_at,
    run.problem,
    run.code_version
FROM run_log AS run;

COMMENT ON VIEW vo.runs IS 'runs of the bridge and their parts';
COMMENT ON COLUMN vo.runs.run_id IS 'key of the run {meta.id;meta.main} indexed';
COMMENT ON COLUMN vo.runs.kind IS 'bridge, pull, exchange, reconcile and others {meta.code}';
COMMENT ON COLUMN vo.runs.broker IS 'of a pull (free text) {meta.id}';
COMMENT ON COLUMN vo.runs.started_at IS 'when {time.start}';
COMMENT ON COLUMN vo.runs.ended_at IS 'when; none while it is at work, or if it was killed {time.end}';
COMMENT ON COLUMN vo.runs.problem IS 'why it failed (free text) {meta.note}';
COMMENT ON COLUMN vo.runs.code_version IS 'of the bridge {meta.version}';

CREATE VIEW vo.functions AS
SELECT
    function.name,
    function.version,
    function.normalised_text AS demands,
    function.first_seen_at
FROM selection_function AS function;

COMMENT ON VIEW vo.functions IS 'every selection function that ever judged';
COMMENT ON COLUMN vo.functions.name IS 'of the function (free text) {meta.id;meta.main} indexed';
COMMENT ON COLUMN vo.functions.version IS 'digest of what it demands {meta.version} indexed';
COMMENT ON COLUMN vo.functions.demands IS 'what it demands (free text) {meta.note}';
COMMENT ON COLUMN vo.functions.first_seen_at IS 'when it judged first {time.processing}';
