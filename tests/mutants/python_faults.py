"""
Plans the faults in Python files with the operators of cosmic-ray, and prints them as JSON, a line each.

Runs in an environment of its own, which has cosmic-ray and nothing of the bridge.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

WANTED = re.compile(
    r"ReplaceComparisonOperator_(Lt_LtE|LtE_Lt|Gt_GtE|GtE_Gt|Eq_NotEq|NotEq_Eq|Is_IsNot|IsNot_Is)"
    r"|ReplaceBinaryOperator_(Add_Sub|Sub_Add|Mul_Div|Div_Mul|BitAnd_BitOr)"
    r"|ReplaceUnaryOperator_(Delete_Not|Delete_Invert|Delete_USub)"
    r"|ReplaceTrueWithFalse|ReplaceFalseWithTrue|ReplaceAndWithOr|ReplaceOrWithAnd"
    r"|ReplaceBreakWithContinue|ReplaceContinueWithBreak|AddNot|NumberReplacer|ZeroIterationForLoop"
)
"""Operators whose faults are slips that a person makes. Those of `|` between types would change nothing."""
SAYS_NOTHING = re.compile(r'^\s*(#|"""|@|import |from |logger\.|raise |assert |if TYPE_CHECKING)')
"""Lines in which a fault changes no behaviour, or only the words of an error."""


def faults_in(path: Path, source: str) -> Iterator[dict[str, object]]:
    """Give each fault of a file: its line, what it is, and the whole text with it."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator, operator_names

    lines = source.splitlines()
    for name in filter(lambda name: WANTED.fullmatch(name.split("/")[-1]), operator_names()):
        operator = get_operator(name)()
        places = [place for node in ast_nodes(get_ast(source)) for place in operator.mutation_positions(node)]
        for occurrence, (start, _) in enumerate(places):
            if SAYS_NOTHING.match(lines[start[0] - 1]):
                continue
            mutated = mutate_code(source, operator, occurrence)
            if mutated is not None and mutated != source:
                yield {"path": str(path), "line": start[0], "what": name.split("/")[-1], "text": mutated}


def main() -> None:
    """Plan the faults of the files that are named."""
    for name in sys.argv[1:]:
        for fault in faults_in(Path(name), Path(name).read_text(encoding="utf-8")):
            print(json.dumps(fault))


if __name__ == "__main__":
    main()
