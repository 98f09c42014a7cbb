"""
Selection functions: which light curves become targets, as data, judged on columns.

::

    parsing     the keys of a function become criteria and groups of them
    criteria    what a function may demand, one decorated function each
    measures    what criteria look at: light curves so far, and which of their points count
    running     the loops over points
    functions   a selection function and its verdicts
    file, plots     functions as a file has them; a light curve with its verdict as a figure

Only `file` and `plots` do input or output.
"""

from tides_bridge.selection.functions import SelectionFunction, Verdicts, judge

__all__ = ["SelectionFunction", "Verdicts", "judge"]
