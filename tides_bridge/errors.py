"""
Every error the bridge raises.

::

    BridgeError
    ├── SettingsError            a setting is wrong: exit code 2
    ├── RunOvertaken             another run has begun: this one ends
    ├── TransientError           the other side is away: worth another try
    │   ├── BrokerUnavailable        Kafka or the light-curve API
    │   ├── DatabaseUnavailable      PostgreSQL
    │   ├── FourmostUnavailable      the 4MOST Transient API
    │   ├── TomUnavailable           the survey's TOM
    │   ├── PrefectUnavailable       the Prefect server of a flow
    │   ├── BackupFailed             a copy of the database
    │   └── WorkerLost               a Dask worker
    └── RejectedError            this input will never work as it is
        ├── MalformedAlert           one message or light curve
        ├── FourmostRejected         one target
        └── ScriptError              one SQL script

Only a TransientError is retried. All arguments go to ``super().__init__`` and the text is made in ``__str__``, so that
an error survives the way between processes.
"""


class BridgeError(Exception):
    """The root of all errors of the bridge."""

    exit_code = 1
    """With which a command ends."""


class SettingsError(BridgeError):
    """
    A setting is missing, unknown or wrong.

    Parameters
    ----------
    file
        The settings or selection file.
    key
        The key inside it, dotted from the configuration's name; empty when the file itself is the problem.
    problem
        What is wrong and what to do.
    """

    exit_code = 2

    def __init__(self, file: str, key: str, problem: str) -> None:
        super().__init__(file, key, problem)
        self.file, self.key, self.problem = file, key, problem

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: {self.problem}" if self.key else f"{self.file}: {self.problem}"


class RunOvertaken(BridgeError):
    """
    Another run has begun: this one, which lost its lock or stood still, changes nothing any more.

    Parameters
    ----------
    database
        Which both work on.
    """

    def __init__(self, database: str) -> None:
        super().__init__(database)
        self.database = database

    def __str__(self) -> str:
        return f"{self.database}: another run has begun there: this one ends, and leaves to it what is not done yet"


class TransientError(BridgeError):
    """
    The other side is away or overloaded: worth another try.

    Parameters
    ----------
    service
        Which service, with its address.
    problem
        What was seen.
    remedy
        What a person can do; may be empty.
    """

    def __init__(self, service: str, problem: str, remedy: str = "") -> None:
        super().__init__(service, problem, remedy)
        self.service, self.problem, self.remedy = service, problem, remedy

    def __str__(self) -> str:
        return f"{self.service}: {self.problem}" + (f" ({self.remedy})" if self.remedy else "")


class BrokerUnavailable(TransientError):
    """Kafka or the light-curve API does not answer as it should."""


class DatabaseUnavailable(TransientError):
    """PostgreSQL does not answer."""


class FourmostUnavailable(TransientError):
    """The 4MOST Transient API does not answer as it should."""


class TomUnavailable(TransientError):
    """The survey's TOM does not answer as it should."""


class PrefectUnavailable(TransientError):
    """The Prefect server does not answer: a flow cannot begin, or not go on."""


class BackupFailed(TransientError):
    """A backup was not made, or not restored: nothing was changed."""


class WorkerLost(TransientError):
    """A Dask worker ended, or failed, while it judged light curves."""


class RejectedError(BridgeError):
    """
    An input that will never work as it is.

    Parameters
    ----------
    what
        Which message, target or script.
    problem
        Why it was refused.
    """

    def __init__(self, what: str, problem: str) -> None:
        super().__init__(what, problem)
        self.what, self.problem = what, problem

    def __str__(self) -> str:
        return f"{self.what}: {self.problem}"


class MalformedAlert(RejectedError):
    """A message or light curve that cannot be read."""


class FourmostRejected(RejectedError):
    """
    A target that the 4MOST format or service refuses.

    Parameters
    ----------
    what, problem
        As of any RejectedError.
    status
        HTTP status of the service's answer; 0 if it was not asked.
    """

    def __init__(self, what: str, problem: str, status: int = 0) -> None:
        super().__init__(what, problem)
        self.args = (what, problem, status)
        self.status = status


class ScriptError(RejectedError):
    """An SQL script that failed or was changed after it was applied."""
