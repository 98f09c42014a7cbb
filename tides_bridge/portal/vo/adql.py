"""
From ADQL to SQL: what is asked is taken apart by sqlglot, and only what is on a list here is written down again.

Everything else is refused by name: other statements and functions, other tables, other types. Names are quoted, so
that none is read as a keyword of PostgreSQL; common tables get names that no table has.
"""

import difflib
import logging
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

import sqlglot
from sqlglot import exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import ParseError
from sqlglot.tokenizer_core import TokenType

from tides_bridge.console import is_storable
from tides_bridge.errors import RejectedError
from tides_bridge.portal.vo.geometry import GEOMETRY, without_geometry

LONGEST: Final = 20_000
"""[characters] Of a query."""

DEEPEST: Final = 40
"""Brackets in brackets: more only take time."""

SCHEMA: Final = "vo"
"""Where a table without a schema is looked for."""

SYNTAX: Final = frozenset({
    exp.Select, exp.From, exp.Join, exp.Where, exp.Group, exp.Having, exp.Order, exp.Ordered, exp.Limit, exp.Offset,
    exp.Column, exp.Identifier, exp.Table, exp.TableAlias, exp.Alias, exp.Literal, exp.Boolean, exp.Null, exp.Star,
    exp.And, exp.Or, exp.Not, exp.Paren, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between, exp.In,
    exp.Like, exp.ILike, exp.Is, exp.Exists, exp.Subquery, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Neg, exp.DPipe,
    exp.Case, exp.If, exp.Cast, exp.DataType, exp.Union, exp.Except, exp.Intersect, exp.With, exp.CTE, exp.Distinct,
    exp.DataTypeParam,
})  # fmt: skip
"""What a query may consist of."""

FUNCTIONS: Final = frozenset({
    exp.Count, exp.Min, exp.Max, exp.Sum, exp.Avg, exp.Abs, exp.Ceil, exp.Floor, exp.Exp, exp.Ln, exp.Log, exp.Sqrt,
    exp.Pow, exp.Round, exp.Trunc, exp.Degrees, exp.Radians, exp.Pi, exp.Rand, exp.Mod, exp.Sin, exp.Cos, exp.Tan,
    exp.Cot, exp.Asin, exp.Acos, exp.Atan, exp.Atan2, exp.Lower, exp.Upper, exp.Coalesce, exp.Contains,
})  # fmt: skip
"""Functions that sqlglot knows by a class; those of `GEOMETRY` have only a name."""

TYPES: Final = ("SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "CHAR", "VARCHAR", "TEXT")
"""To which CAST may lead."""

FLAGS: Final[dict[type[exp.Expr], dict[str, Collection[object]]]] = {
    exp.Join: {"side": {"LEFT", "RIGHT", "FULL"}, "kind": {"INNER", "OUTER", "CROSS"}, "method": {"NATURAL"}},
    exp.Ordered: {"desc": {True}, "nulls_first": {True}},
    exp.Union: {"distinct": {True}},
    exp.Except: {"distinct": {True}},
    exp.Intersect: {"distinct": {True}},
    exp.Boolean: {"this": {True}},
    exp.Count: {"big_int": {True}},
    exp.Div: {"typed": {True}, "safe": {True}},
    exp.DPipe: {"safe": {True}},
    exp.Is: {"negate": {True}},
    exp.DataType: {"this": {exp.DType[kind] for kind in TYPES}},
}
"""Of each part of a query what it may hold that is no part itself."""

NUMBER: Final = re.compile(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")

Columns = Mapping[str, Collection[str]]
"""The names of the columns of each table, which is named as ``vo.targets``."""

logging.getLogger("sqlglot").setLevel(logging.CRITICAL)  # it warns of what is refused anyway


class Adql(Postgres):
    """ADQL, as far as sqlglot must know of it: PostgreSQL with ``SELECT TOP n``."""

    class Tokenizer(Postgres.Tokenizer):
        """Words."""

        KEYWORDS = Postgres.Tokenizer.KEYWORDS | {"TOP": TokenType.TOP}  # sqlglot looks for it here


def sql_of(query: str, columns: Columns) -> str:
    """
    Translate a query.

    Parameters
    ----------
    query
        In ADQL 2.0 or 2.1, one ``SELECT``.
    columns
        What may be asked.

    Returns
    -------
    str
        One statement for PostgreSQL, without parameters.

    Raises
    ------
    RejectedError
        If it is no ADQL, or asks for what is not on the list.
    """
    try:
        return _translated(_parsed(query), columns)
    except RecursionError:
        raise query_error("is nested too deeply") from None


def _translated(tree: exp.Query, columns: Columns) -> str:
    for part in tree.walk():
        _check(part)
    _settle_names(tree, columns)
    whole = exp.Subquery(this=tree)  # so that each part of the tree has one above it, which holds what replaces it
    without_geometry(whole)
    _settle_functions(whole)
    return str(whole.this.sql(dialect=Adql, comments=False))


def query_error(problem: str) -> RejectedError:
    """Give the error of a query that is not carried out."""
    return RejectedError("query", problem)


def _parsed(query: str) -> exp.Query:
    if len(query) > LONGEST:
        raise query_error(f"is {len(query)} characters long, and may have {LONGEST}")
    if not is_storable(query):
        raise query_error("holds a character that no text of PostgreSQL can")
    if _depth(query) > DEEPEST:
        raise query_error(f"has more than {DEEPEST} brackets in brackets")
    try:
        trees = [tree for tree in sqlglot.parse(query, read=Adql) if tree is not None]
    except ParseError as error:
        found = error.errors[0] if error.errors else {}
        raise query_error(f"{found.get('description', 'not understood')} (line {found.get('line', 1)})") from None
    except Exception as error:  # a parser meets text that nobody thought of: none of it is to reach who asks
        raise query_error(f"not understood: {str(error).splitlines()[0] if str(error) else 'too deep'}") from None
    if len(trees) != 1:
        raise query_error(f"{len(trees)} statements were given, and one SELECT is wanted")
    if not isinstance(trees[0], exp.Query):
        raise query_error("only a SELECT can be asked: nothing is changed here")
    return trees[0]


def _depth(query: str) -> int:
    """
    Count brackets in brackets, those within texts, too.

    >>> _depth("a(b(c)) (d)"), _depth("")
    (2, 0)
    """
    depth = deepest = 0
    for letter in re.findall(r"[()]", query):
        depth += 1 if letter == "(" else -1
        deepest = max(deepest, depth)
    return deepest


def _check(part: exp.Expr) -> None:
    """Refuse what is on no list."""
    kind = type(part)
    if kind is exp.Anonymous:
        if part.name.upper() not in GEOMETRY:
            raise query_error(f"no function {part.name}: docs/vo.md lists those there are")
        return
    if kind not in SYNTAX and kind not in FUNCTIONS:
        raise query_error(f"{kind.__name__} is not allowed: {part.sql()[:60]}")
    if kind is exp.Select and not part.expressions:
        raise query_error("SELECT names no columns")
    if kind is exp.Literal:
        if not part.is_string and not NUMBER.fullmatch(part.name):
            raise query_error(f"{part.name[:60]} is no number")
    elif kind is not exp.Identifier:
        _check_flags(part)


def _check_flags(part: exp.Expr) -> None:
    allowed = FLAGS.get(type(part), {})
    for key, value in _flags(part):
        if value not in list(allowed.get(key, ())):
            raise query_error(f"{type(part).__name__} {key} {str(value)[:60]} is not allowed")


def _flags(part: exp.Expr) -> Iterator[tuple[str, Any]]:
    for key, held in part.args.items():
        for value in held if isinstance(held, list) else [held]:
            if value and not isinstance(value, exp.Expr):
                yield key, value


def _settle_names(tree: exp.Query, columns: Columns) -> None:
    """Quote names, look up tables and columns, and give common tables names that no table has."""
    for name in tree.find_all(exp.Identifier):
        name.set("this", name.name if name.args.get("quoted") else name.name.lower())
        name.set("quoted", True)
    _settle_common(tree)
    common = {table.alias for table in tree.find_all(exp.CTE)}
    known = {name for listed in columns.values() for name in listed}
    known |= {alias.alias for alias in tree.find_all(exp.Alias)}
    known |= {name.name for alias in tree.find_all(exp.TableAlias) for name in alias.args.get("columns") or ()}
    for column in tree.find_all(exp.Column):
        if not isinstance(column.this, exp.Star) and column.name not in known:
            raise query_error(f"no column {column.name}{_nearest(column.name, known)}")
    for table in list(tree.find_all(exp.Table)):
        _settle_table(table, common, columns)
    for common_table in tree.find_all(exp.CTE):
        common_table.args["alias"].this.set("this", f"adql {common_table.alias}")


def _settle_common(tree: exp.Query) -> None:
    for clause in tree.find_all(exp.With):
        if clause.parent is not tree:
            raise query_error("WITH is allowed at the beginning only")
        if any(not isinstance(table.this, exp.Query) for table in clause.expressions):
            raise query_error("only a SELECT can be in WITH")


def _settle_table(table: exp.Table, common: Collection[str], columns: Columns) -> None:
    if not isinstance(table.this, exp.Identifier) or table.catalog:
        raise query_error(f"{table.sql(dialect=Adql)[:60]} is no table")
    name = table.name
    if not table.db and name in common:
        if not table.alias:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(name, quoted=True)))
        table.this.set("this", f"adql {name}")
        return
    whole = f"{(table.db or SCHEMA).lower()}.{name}"
    if whole not in columns:
        raise query_error(f"no table {whole}{_nearest(whole, columns)}; tap_schema.tables lists them")
    table.set("db", exp.to_identifier(whole.partition(".")[0], quoted=True))


def _nearest(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), 1)
    return f": is {near[0]} meant?" if near else ""


def _settle_functions(tree: exp.Expr) -> None:
    """Write functions that ADQL and PostgreSQL understand in two ways as PostgreSQL does."""
    for part in reversed(list(tree.find_all(exp.Log, exp.Round, exp.Trunc, exp.Mod))):
        part.replace(_as_in_postgresql(part))


def _as_in_postgresql(part: exp.Expr) -> exp.Expr:
    first: exp.Expr = part.this
    second: exp.Expr | None = part.args.get("expression") or part.args.get("decimals")
    if isinstance(part, exp.Log):
        return exp.Ln(this=first) if second is None else exp.Paren(this=exp.Ln(this=second) / exp.Ln(this=first))
    if second is not None and isinstance(part, exp.Mod):
        whole = exp.Anonymous(this="TRUNC", expressions=[exp.Paren(this=first.copy()) / exp.Paren(this=second.copy())])
        return exp.Paren(this=exp.Paren(this=first) - exp.Paren(this=second) * whole)
    if second is None:
        return part
    name = "ROUND" if isinstance(part, exp.Round) else "TRUNC"
    return exp.cast(exp.Anonymous(this=name, expressions=[exp.cast(first, "numeric"), second]), "double precision")
