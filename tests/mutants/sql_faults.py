"""Plans the faults in SQL scripts: a condition dropped, another band or column, `<` for `<=`, `min` for `max`."""

import re
from collections.abc import Iterator

BANDS = "ugrizy"
WORDS = {
    "<": "<=",
    "<=": "<",
    ">": ">=",
    ">=": ">",
    "min": "max",
    "max": "min",
    "greatest": "least",
    "least": "greatest",
    "bool_and": "bool_or",
    "bool_or": "bool_and",
    "true": "false",
    "false": "true",
    "TRUE": "FALSE",
    "FALSE": "TRUE",
    "DESC": "ASC",
    "LEFT": "INNER",
    "NOT": "",
    "EXISTS": "NOT EXISTS",
    "UNION": "EXCEPT",
    "ra": "decl",
    "decl": "ra",
    "first_detection_mjd": "last_detection_mjd",
    "last_detection_mjd": "first_detection_mjd",
}
"""What stands for what."""
TOKEN = re.compile(r"--[^\n]*|'(?:[^']|'')*'|%\(\w+\)s|::\w+|[<>=!]+|\w+|\S")
"""Comments, texts, parameters, casts, operators, words."""
CONDITION = re.compile(r"^\s*(AND|OR)\b")


def faults_in(source: str) -> Iterator[tuple[int, str, str]]:
    """
    Give each fault of a script.

    Yields
    ------
    (int, str, str)
        Its line, what it is, and the whole text with it.
    """
    for found in TOKEN.finditer(source):
        token, other = found.group(), None
        if token in WORDS:
            other = WORDS[token]
        elif re.fullmatch(rf"'[{BANDS}]'", token):
            other = f"'{BANDS[(BANDS.index(token[1]) + 1) % len(BANDS)]}'"
        elif re.fullmatch(rf"[{BANDS}]_\w+", token):
            other = BANDS[(BANDS.index(token[0]) + 1) % len(BANDS)] + token[1:]
        if other is not None:
            line = source.count("\n", 0, found.start()) + 1
            yield line, f"{token} -> {other or 'nothing'}", source[: found.start()] + other + source[found.end() :]
    yield from _dropped_conditions(source)


def _dropped_conditions(source: str) -> Iterator[tuple[int, str, str]]:
    """Leave out each condition that begins a line with AND or OR, down to where its brackets are closed."""
    lines = source.splitlines(keepends=True)
    for start, line in enumerate(lines):
        if not CONDITION.match(line):
            continue
        stop, depth = start, 0
        while stop < len(lines):
            bare = re.sub(r"--.*|'[^']*'|%\(\w+\)s", "", lines[stop])
            depth += bare.count("(") - bare.count(")")
            stop += 1
            if depth <= 0:
                break
        if depth == 0:
            # What ends the statement stays.
            end = ";\n" if lines[stop - 1].rstrip().endswith(";") else ""
            yield start + 1, f"dropped: {line.strip()}", "".join([*lines[:start], end, *lines[stop:]])
