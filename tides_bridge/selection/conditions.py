"""
Conditions on what brokers say of an object: ``fink.snn_snia_vs_nonia >= 0.5``, ``vsx.type = RRAB, EW``.

A name is `source.name`, as `formats.meaning.annotations` has it. What nobody said fulfils no condition.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tides_bridge.formats.meaning.annotations import UNITS, is_word
from tides_bridge.selection.measures import Look, Values

WRITTEN: Final = re.compile(r"\s*(?P<name>[^\s<>=!]+)\s*(?P<sign>[<>=!]=?)\s*(?P<value>.*\S)\s*", re.DOTALL)

SIGNS: Final = {">=": "at least", "<=": "at most", "=": "one of"}
"""How a condition is written: numbers are compared by the first two, words by the last."""


@dataclass(frozen=True)
class Annotated:
    """
    Measures an annotation: take what was said under a name, NaN or None where nothing was.

    Source: the brokers' messages, `docs/annotations.md`.
    """

    annotation: str

    def __call__(self, look: Look, *_: object) -> Values:
        """Give it of each object: float64 of numbers, text of words."""
        values = [(notes or {}).get(self.annotation) for notes in look.objects.annotations.tolist()]
        if is_word(self.annotation):
            return look.of_object(np.array([word if isinstance(word, str) else None for word in values], dtype=object))
        numbers = [number if isinstance(number, float | int) else np.nan for number in values]
        return look.of_object(np.array(numbers, dtype=float))


@dataclass(frozen=True)
class Condition:
    """
    One condition, as it is written.

    Attributes
    ----------
    name
        Of the annotation.
    sign
        One of `SIGNS`.
    value
        Number and unit, or words with commas between.
    """

    name: str
    sign: str
    value: str

    @classmethod
    def read(cls, text: Any) -> "Condition":
        """
        Read a condition; raises ValueError if it is none, or there is no such annotation.

        >>> Condition.read("gaia.parallax <= 1 mas")
        Condition(name='gaia.parallax', sign='<=', value='1 mas')
        """
        found = WRITTEN.fullmatch(text) if isinstance(text, str) else None
        if found is None or found["sign"] not in SIGNS:
            raise ValueError(f"{text!r} is no condition; write NAME >= NUMBER, NAME <= NUMBER or NAME = WORD, WORD")
        if is_word(found["name"]) != (found["sign"] == "="):
            asked = "words: write = and one or more" if is_word(found["name"]) else "a number: write >= or <="
            raise ValueError(f"{found['name']} is {asked}")
        if not found["value"].strip(" ,"):
            raise ValueError(f"{text!r} names no word: nothing would ever fulfil it")
        return cls(**found.groupdict())

    @property
    def unit(self) -> str:
        """Of a number; empty if it has none."""
        return UNITS.get(self.name, "")

    def words(self) -> tuple[str, ...]:
        """Give the words that are asked for, each once."""
        return tuple(sorted({word.strip() for word in self.value.split(",") if word.strip()}))

    def written(self, threshold: Any) -> str:
        """Write it in one way, whatever the file's; `read` understands it."""
        return f"{self.name} {self.sign} {', '.join(threshold) if self.sign == '=' else repr(float(threshold))}"
