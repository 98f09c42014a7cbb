"""Look whether the bridge works, and call somebody: once when it does not, and once when it does again."""

from collections.abc import Sequence
from datetime import UTC, datetime
from socket import gethostname

import platformdirs

from tides_bridge.console import echo_line
from tides_bridge.operations import incidents
from tides_bridge.operations.health import Looker
from tides_bridge.operations.incidents import Incidents
from tides_bridge.operations.notices import Kind, give_sign, send_to_all
from tides_bridge.operations.problems import Facts, Problem, find_problems, is_unknown
from tides_bridge.settings import Settings

UNKNOWN = 3

WORDS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
"""What monitoring systems make of exit codes 0 to 3, by the guidelines of Nagios for plugins."""


def say(code: int, text: str) -> int:
    """
    Print the line that monitoring systems show; gives the exit code, so that callers can return it at once.

    Parameters
    ----------
    code
        0 to 3: place in `WORDS`.
    text
        Any white space in it becomes a blank: the line must be one.
    """
    echo_line(f"BRIDGE {WORDS[code]}: {' '.join(text.split())}")
    return code


class Caller:
    """
    Looks as often as it is asked to, and tells what is new.

    Parameters
    ----------
    settings
        Of the bridge.
    name
        Of the configuration: for messages, and for the file of what was told.
    """

    def __init__(self, settings: Settings, name: str) -> None:
        self._settings, self._limits = settings, settings.watchdog
        self._looker = Looker(settings)
        self._where = f"configuration {name} on {gethostname()}"
        default = platformdirs.user_state_path("tides-bridge") / f"watchdog-{name}.json"
        self._file = (settings.watchdog.state or default).expanduser()
        self._known: Incidents | None = None
        self._last_line: tuple[int, list[str]] | None = None

    def look(self) -> int:
        """
        Look once, tell the news, and print a line if it is another than before. Raises nothing.

        Returns
        -------
        int
            The exit code: 0, 1 or 2 as `exit_code` has it; `UNKNOWN` if the look or all messages failed.
        """
        try:
            facts, now = self._looker.look(), datetime.now(UTC)
            problems = find_problems(facts, self._settings, now)
            failed = self._tell(problems, facts, now)
        except Exception as error:  # whatever it is: the next look may go well
            return self._say(UNKNOWN, [], f"could not look: {type(error).__name__}: {error}")
        code = UNKNOWN if failed else exit_code(problems)
        if self._limits.heartbeat and not failed:
            failed += give_sign(self._limits.heartbeat)
        what = [problem.what for problem in problems] or ["all well"]
        return self._say(code, [problem.key for problem in problems] + failed, "; ".join(what + failed))

    def send_test(self) -> int:
        """Send a message that says that messages arrive; gives the exit code."""
        if not self._limits.notify:
            return say(UNKNOWN, "watchdog.notify names nobody")
        text = f"Messages of the watchdog arrive.\n\n{self._where}"
        failed = send_to_all(self._limits.notify, "TiDES bridge: a test", text, "info")
        return say(UNKNOWN if failed else 0, "; ".join(failed) or "a message was sent")

    def _tell(self, problems: Sequence[Problem], facts: Facts, now: datetime) -> list[str]:
        """Send what is new, and keep that it was told if anybody has it; gives what failed."""
        known = incidents.read_incidents(self._file) if self._known is None else self._known
        news = incidents.news_of(known, problems, lambda key: is_unknown(key, facts))
        if not news:
            return []
        colour: Kind = "success"
        if news.begun:
            colour = "failure" if exit_code(news.begun) == 2 else "warning"
        failed = send_to_all(self._limits.notify, *incidents.message(news, self._where, now), colour)
        if failed and len(failed) == len(self._limits.notify):
            return failed  # nobody has it: the next look tells it again
        try:
            # Kept only after somebody was told: killed in between we tell it twice, which is better than never.
            self._known = incidents.after(known, news, now)
            incidents.write_incidents(self._file, self._known)
        except OSError as error:
            failed.append(f"what was told cannot be kept, and may be told again: {error}")
        return failed

    def _say(self, code: int, about: list[str], text: str) -> int:
        """Print a line, unless it was the same before: how long something lasts is no news."""
        if (code, about) != self._last_line:
            say(code, text)
        self._last_line = code, about
        return code


def exit_code(problems: Sequence[Problem]) -> int:
    """Give 2 if a problem is critical, 1 if all are warnings, 0 if there is none."""
    return max((2 if problem.severity == "critical" else 1 for problem in problems), default=0)
