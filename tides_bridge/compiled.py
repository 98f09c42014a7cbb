"""Functions on arrays that numba compiles when they are first called, and the types of such arrays."""

from collections.abc import Callable
from functools import cached_property, update_wrapper
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

Function = TypeVar("Function", bound=Callable[..., Any])


class Compiled:
    """
    A function that is compiled when first called: a run that finds nothing to judge never loads numba.

    What was compiled is kept on disk, beside the function's file or in the user's cache folder.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        update_wrapper(self, function)

    @cached_property
    def _made(self) -> Any:
        import numba

        try:
            return numba.njit(cache=True, nogil=True)(self._function)
        except RuntimeError:  # neither folder can be written to: each process compiles for itself
            return numba.njit(nogil=True)(self._function)

    @property
    def _numba_type_(self) -> Any:
        """Be, where another such function calls this one, what numba takes for a compiled function."""
        return self._made._numba_type_

    def __call__(self, *given: Any) -> Any:
        """Call what was compiled."""
        return self._made(*given)


def compiled(function: Function) -> Function:
    """
    Let numba compile a function, once it is called.

    Parameters
    ----------
    function
        On arrays and numbers only, as numba takes them; it may call others that are `compiled`.

    Returns
    -------
    callable
        With the same name and signature. Only its first call imports numba.
    """
    return cast(Function, Compiled(function))
