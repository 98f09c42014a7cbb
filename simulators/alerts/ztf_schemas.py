"""
Avro schemas of ZTF's alerts, as the survey and the brokers send them: see `simulators.alerts.avro_schemas`.

Sources: ZwickyTransientFacility/ztf-avro-alert 3.2 and 4.01; what recorded packets of 4.02 have beyond it; alerts of
Fink of 2023 and later; the models of the babamul client.
"""

from functools import cache
from typing import Any

from simulators.alerts.avro_schemas import Field, array_or_null, babamul_history, fields_of_table, record

DETECTION = """
double jd
int fid
long pid
float? diffmaglim
string? pdiffimfilename programpi
int programid
long{0} candid
string{0} isdiffpos
long? tblid
int? nid rcid field
float? xpos ypos
double{0} ra dec
float{0} magpsf sigmapsf
float? chipsf magap sigmagap distnr magnr sigmagnr chinr sharpnr sky magdiff fwhm classtar mindtoedge magfromlim
float? seeratio aimage bimage aimagerat bimagerat elong
int? nneg nbad
float? rb ssdistnr ssmagnr
string? ssnamenr
float? sumrat magapbig sigmagapbig
double{0} ranr decnr
"""
"""What a candidate and an earlier one begin with; an earlier one that is an upper limit has null where {0} stands."""

SURROUNDINGS = """
float? sgmag1 srmag1 simag1 szmag1 sgscore1 distpsnr1
int ndethist ncovhist
double? jdstarthist jdendhist scorr
int? tooflag
long? objectidps1 objectidps2
float? sgmag2 srmag2 simag2 szmag2 sgscore2 distpsnr2
long? objectidps3
float? sgmag3 srmag3 simag3 szmag3 sgscore3 distpsnr3
int nmtchps
long rfid
double jdstartref jdendref
int nframesref
string rbversion
float? dsnrms ssnrms dsdiff
float? magzpsci magzpsciunc magzpscirms
int nmatches
float? clrcoeff clrcounc zpclrcov zpmed clrmed clrrms neargaia neargaiabright maggaia maggaiabright exptime drb
string drbversion
"""

CALIBRATION = "double? scorr\nfloat? magzpsci magzpsciunc magzpscirms clrcoeff clrcounc\nstring rbversion"

FORCED = """
int? field rcid
int fid
long pid rfid
float? sciinpseeing scibckgnd scisigpix magzpsci magzpsciunc magzpscirms clrcoeff clrcounc exptime adpctdif1 adpctdif2
float? diffmaglim
int programid
double jd
float? forcediffimflux forcediffimfluxunc
string? procstatus
float? distnr
double ranr decnr
float? magnr sigmagnr chinr sharpnr
"""

FINK = """
string? cdsxmatch
double? rf_snia_vs_nonia snn_snia_vs_nonia snn_sn_vs_all
int? roid nalerthist
double? rf_kn_vs_nonkn
string? tracklet tns DR3Name
float? Plx
string? vsx gcvs
double? jd_first_real_det
string? fink_broker_version
"""
"""A part of what Fink adds."""


@cache
def ztf_schema() -> dict[str, Any]:
    """
    Make the schema of ZTF's alerts, version 4.02.

    >>> [field["name"] for field in ztf_schema()["fields"]][:4]
    ['schemavsn', 'publisher', 'objectId', 'candid']
    """
    space = "ztf.alert"
    cutout = record(f"{space}.cutout", fields_of_table("string fileName\nbytes stampData"))
    table = DETECTION.format("?") + CALIBRATION
    fields: list[Field] = [
        *fields_of_table("string schemavsn publisher objectId\nlong candid"),
        ("candidate", record(f"{space}.candidate", fields_of_table(DETECTION.format("") + SURROUNDINGS))),
        ("prv_candidates", array_or_null(record(f"{space}.prv_candidate", fields_of_table(table)))),
        ("fp_hists", array_or_null(record(f"{space}.fp_hist", fields_of_table(FORCED)))),
        ("cutoutScience", ["null", cutout]),
        ("cutoutTemplate", ["null", f"{space}.cutout"]),
        ("cutoutDifference", ["null", f"{space}.cutout"]),
    ]
    return record("ztf.alert", fields)


@cache
def fink_ztf_schema() -> dict[str, Any]:
    """Make the schema of what Fink sends: ZTF's alert, with what Fink found at the end."""
    ztf = ztf_schema()
    return {**ztf, "fields": [*ztf["fields"], *record("added", fields_of_table(FINK))["fields"]]}


@cache
def babamul_ztf_schema() -> dict[str, Any]:
    """Make the schema of Babamul's ZTF alerts: ``isdiffpos`` is a boolean, and the history is fluxes."""
    candidate = [
        (name, "boolean" if name == "isdiffpos" else kind)
        for name, kind in fields_of_table(DETECTION.format("") + SURROUNDINGS)
    ]
    added = fields_of_table("double psfFlux psfFluxErr\nfloat? snr_psf\nstring band")
    fields: list[Field] = [
        *fields_of_table("long candid\nstring objectId"),
        ("candidate", record("babamul.ZtfCandidate", [*candidate, *added])),
        *babamul_history("prv_candidates", "prv_nondetections", "fp_hists"),
    ]
    return record("babamul.EnrichedZtfAlert", fields)
