"""What the services say of themselves to programs: capabilities, availability, tables, examples, jobs."""

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any, Final

from tides_bridge.portal.vo.asking import DEFAULT_ROWS, FORMATS, MOST_ROWS
from tides_bridge.portal.vo.jobs import KEPT_SECONDS, LONGEST_KEPT, LONGEST_RUN, RUN_SECONDS, Job, as_time
from tides_bridge.portal.vo.votable import xml_attribute, xml_text

HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
_INSTANCE: Final = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
_RESOURCE: Final = (
    f'{_INSTANCE} xmlns:vr="http://www.ivoa.net/xml/VOResource/v1.0" '
    'xmlns:vs="http://www.ivoa.net/xml/VODataService/v1.1"'
)
_FEATURES: Final = "ivo://ivoa.net/std/TAPRegExt#features-"

GEOMETRY: Final = ("POINT", "CIRCLE", "BOX", "POLYGON", "CONTAINS", "INTERSECTS", "DISTANCE", "COORD1", "COORD2")
OTHERS: Final = {
    "adql-string": ("LOWER", "UPPER", "ILIKE"),
    "adql-sets": ("UNION", "EXCEPT", "INTERSECT"),
    "adql-common-table": ("WITH",),
    "adql-offset": ("OFFSET",),
    "adql-type": ("CAST",),
}
"""Optional features of ADQL 2.1."""

EXAMPLES: Final = {
    "Targets within a degree": (
        "SELECT name, ra, decl, sherlock_class FROM vo.targets\n"
        "WHERE 1 = CONTAINS(POINT('ICRS', ra, decl), CIRCLE('ICRS', 150.1, 2.2, 1.0))"
    ),
    "What is bright tonight": (
        "SELECT TOP 100 t.name, n.band, n.mag, n.error FROM vo.targets AS t\n"
        "JOIN vo.tonight AS n ON t.tides_id = n.tides_id\n"
        "WHERE t.active = 'true' AND n.band = 'r' AND n.mag < 20 ORDER BY mag"
    ),
    "What nearly passed": (
        "SELECT survey, object_id, failed, newest_mjd FROM vo.decisions\n"
        "WHERE role = 'active' AND passed = 'false' ORDER BY decided_at DESC"
    ),
    "Galaxies near targets": (
        "SELECT t.name, h.catalogue_name, h.redshift, h.separation_arcsec FROM vo.targets AS t\n"
        "JOIN vo.hosts AS h ON t.tides_id = h.tides_id WHERE h.rank = 1 AND h.redshift < 0.1"
    ),
    "Why targets are off": "SELECT inactive_reason, COUNT(*) AS n FROM vo.targets GROUP BY inactive_reason",
}
"""Queries to begin with, by what they find."""


def capabilities(base: str) -> str:
    """
    Say what TAP can do here.

    Parameters
    ----------
    base
        Its address, without a slash at the end.
    """
    parts = {"capabilities": "VOSI#capabilities", "availability": "VOSI#availability", "tables": "VOSI#tables-1.1"}
    parts |= {"examples": "DALI#examples"}
    others = "".join(
        f'<capability standardID="ivo://ivoa.net/std/{standard}"><interface xsi:type="vs:ParamHTTP" role="std">'
        f'<accessURL use="full">{xml_text(f"{base}/{path}")}</accessURL></interface></capability>\n'
        for path, standard in parts.items()
    )
    return (
        f'{HEAD}<vosi:capabilities xmlns:vosi="http://www.ivoa.net/xml/VOSICapabilities/v1.0" '
        f'xmlns:tr="http://www.ivoa.net/xml/TAPRegExt/v1.0" {_RESOURCE}>\n'
        '<capability standardID="ivo://ivoa.net/std/TAP" xsi:type="tr:TableAccess">\n'
        '<interface xsi:type="vs:ParamHTTP" role="std" version="1.1">'
        f'<accessURL use="base">{xml_text(base)}</accessURL></interface>\n'
        f"{_language()}{_formats()}{_limits()}</capability>\n{others}</vosi:capabilities>\n"
    )


def _language() -> str:
    features = {"adqlgeo": GEOMETRY} | OTHERS
    written = "".join(
        f'<languageFeatures type="{_FEATURES}{kind}">'
        + "".join(f"<feature><form>{form}</form></feature>" for form in forms)
        + "</languageFeatures>\n"
        for kind, forms in features.items()
    )
    versions = "".join(
        f'<version ivo-id="ivo://ivoa.net/std/ADQL#v{number}">{number}</version>' for number in ("2.0", "2.1")
    )
    return f"<language><name>ADQL</name>{versions}<description>ADQL, one SELECT</description>\n{written}</language>\n"


def _formats() -> str:
    return "".join(
        f"<outputFormat{f' ivo-id={xml_attribute(kind.ivo_id)}' if kind.ivo_id else ''}><mime>{kind.mime}</mime>"
        + "".join(f"<alias>{name}</alias>" for name in kind.names)
        + "</outputFormat>\n"
        for kind in FORMATS
    )


def _limits() -> str:
    times = {"retentionPeriod": (KEPT_SECONDS, LONGEST_KEPT), "executionDuration": (RUN_SECONDS, LONGEST_RUN)}
    written = "".join(
        f"<{name}><default>{default:.0f}</default><hard>{hard:.0f}</hard></{name}>\n"
        for name, (default, hard) in times.items()
    )
    rows = f'<default unit="row">{DEFAULT_ROWS}</default><hard unit="row">{MOST_ROWS}</hard>'
    return f"{written}<outputLimit>{rows}</outputLimit>\n"


def availability(problem: str, note: str) -> str:
    """
    Say whether TAP can be asked now.

    Parameters
    ----------
    problem
        Why not; empty if it can.
    note
        What else is to be known.
    """
    return (
        f'{HEAD}<vosi:availability xmlns:vosi="http://www.ivoa.net/xml/VOSIAvailability/v1.0">\n'
        f"<vosi:available>{'false' if problem else 'true'}</vosi:available>\n"
        f"<vosi:note>{xml_text(problem or note)}</vosi:note>\n</vosi:availability>\n"
    )


def tables(
    listed: Iterable[Mapping[str, Any]],
    columns: Iterable[Mapping[str, Any]],
    keys: Iterable[Mapping[str, Any]],
    is_for_astroquery: bool = False,
) -> str:
    """
    Describe the tables.

    Parameters
    ----------
    listed, columns, keys
        As the scripts ``list_documented*.sql`` give them.
    is_for_astroquery
        Whether columns have an attribute that astroquery demands, and the standard forbids.
    """
    more = ' esatapplus:flags="0"' if is_for_astroquery else ""
    parts: dict[str, list[str]] = {}
    for column in columns:
        parts.setdefault(column["table_name"], []).append(_column(column, more))
    for key in keys:
        parts[key["from_table"]].append(_key(key))
    written = "".join(
        f"<schema><name>{name}</name><description>{xml_text(description)}</description>\n"
        + "".join(_table(table, parts[table["table_name"]]) for table in group)
        + "</schema>\n"
        for (name, description), group in groupby(listed, lambda row: (row["schema_name"], row["schema_description"]))
    )
    spaces = 'xmlns:vosi="http://www.ivoa.net/xml/VOSITables/v1.0"'
    spaces += ' xmlns:esatapplus="http://esa.int/xml/EsaTapPlus"' if is_for_astroquery else ""
    return f"{HEAD}<vosi:tableset {spaces} {_RESOURCE}>\n{written}</vosi:tableset>\n"


def _table(table: Mapping[str, Any], parts: Iterable[str]) -> str:
    return (
        f'<table type="{table["table_type"]}"><name>{table["table_name"]}</name>'
        f"<description>{xml_text(table['description'])}</description>\n{''.join(parts)}</table>\n"
    )


def _key(key: Mapping[str, Any]) -> str:
    return (
        f"<foreignKey><targetTable>{key['target_table']}</targetTable><fkColumn>"
        f"<fromColumn>{key['from_column']}</fromColumn><targetColumn>{key['target_column']}</targetColumn>"
        "</fkColumn></foreignKey>\n"
    )


def _column(column: Mapping[str, Any], more: str) -> str:
    name = '"size"' if column["column_name"] == "size" else column["column_name"]
    known = {"name": name, "description": column["description"], "unit": column["unit"], "ucd": column["ucd"]}
    described = "".join(f"<{key}>{xml_text(value)}</{key}>" for key, value in known.items() if value)
    kind = "".join(
        f" {key}={xml_attribute(value)}"
        for key, value in (("arraysize", column["arraysize"]), ("extendedType", column["xtype"]))
        if value
    )
    flags = "".join(f"<flag>{flag}</flag>" for flag in ("indexed", "principal") if column[flag])
    more += ' std="true"' if column["std"] else ""
    datatype = f'<dataType xsi:type="vs:VOTableType"{kind}>{column["datatype"]}</dataType>'
    return f"<column{more}>{described}{datatype}{flags}</column>\n"


def examples() -> str:
    """Show queries to begin with, for people and (in RDFa) for programs."""
    shown = "".join(
        f'<div typeof="example" id="example{number}" resource="#example{number}">\n'
        f'<h2 property="name">{xml_text(name)}</h2>\n<pre property="query">{xml_text(query)}</pre>\n</div>\n'
        for number, (name, query) in enumerate(EXAMPLES.items(), 1)
    )
    return (
        f'{HEAD}<html xmlns="http://www.w3.org/1999/xhtml"><head><title>Queries to begin with</title></head>\n'
        f'<body vocab="http://www.ivoa.net/rdf/examples#">\n<h1>Queries to begin with</h1>\n{shown}</body></html>\n'
    )


_UWS: Final = f'xmlns:uws="http://www.ivoa.net/xml/UWS/v1.0" xmlns:xlink="http://www.w3.org/1999/xlink" {_INSTANCE}'


def job_document(job: Job, base: str) -> str:
    """
    Describe a job.

    Parameters
    ----------
    job
        Which.
    base
        Address of the list of jobs.
    """
    times = {"startTime": job.begun_at, "endTime": job.ended_at}
    written = "".join(
        f"<uws:{name}>{as_time(value)}</uws:{name}>\n" if value else f'<uws:{name} xsi:nil="true"/>\n'
        for name, value in times.items()
    )
    error = (
        f'<uws:errorSummary type="fatal" hasDetail="true"><uws:message>{xml_text(job.problem)}</uws:message>'
        "</uws:errorSummary>\n"
    )
    run_id = f"<uws:runId>{xml_text(job.parameters['RUNID'])}</uws:runId>\n" if job.parameters.get("RUNID") else ""
    return (
        f'{HEAD}<uws:job {_UWS} version="1.1">'
        f"\n<uws:jobId>{job.job_id}</uws:jobId>\n{run_id}"
        f'<uws:ownerId xsi:nil="true"/>\n<uws:phase>{job.phase}</uws:phase>\n<uws:quote xsi:nil="true"/>\n'
        f"<uws:creationTime>{as_time(job.created_at)}</uws:creationTime>\n{written}"
        f"<uws:executionDuration>{job.seconds:.0f}</uws:executionDuration>\n"
        f"<uws:destruction>{as_time(job.destroyed_at)}</uws:destruction>\n"
        f"{_parameters(job)}{_results(job, base)}{error if job.problem else ''}</uws:job>\n"
    )


def _parameters(job: Job) -> str:
    written = "".join(
        f"<uws:parameter id={xml_attribute(name)}>{xml_text(value)}</uws:parameter>\n"
        for name, value in job.parameters.items()
    )
    return f"<uws:parameters>\n{written}</uws:parameters>\n"


def _results(job: Job, base: str) -> str:
    if job.phase != "COMPLETED":
        return "<uws:results/>\n"
    address = xml_attribute(f"{base}/{job.job_id}/results/result")
    return f'<uws:results><uws:result id="result" xlink:type="simple" xlink:href={address}/></uws:results>\n'


def part_document(kind: str, job: Job, base: str) -> str:
    """Give the parameters or the results of a job as a document of their own."""
    part = _parameters(job) if kind == "parameters" else _results(job, base)
    opening = f"<uws:{kind}"
    return HEAD + part.replace(opening, f"{opening} {_UWS}", 1)


def job_list(jobs: Iterable[Job], base: str) -> str:
    """List jobs."""
    listed = "".join(
        f'<uws:jobref id="{job.job_id}" xlink:type="simple" xlink:href={xml_attribute(f"{base}/{job.job_id}")}>'
        f"<uws:phase>{job.phase}</uws:phase><uws:creationTime>{as_time(job.created_at)}</uws:creationTime>"
        "</uws:jobref>\n"
        for job in jobs
    )
    return f'{HEAD}<uws:jobs {_UWS} version="1.1">\n{listed}</uws:jobs>\n'
