"""Options of librdkafka as people give them to a command, and what is said of those that it refuses."""

from collections.abc import Mapping, Sequence

from confluent_kafka import KafkaException

from tides_bridge.errors import SettingsError


def options_of(given: Sequence[str]) -> dict[str, str]:
    """
    Read options that are given as KEY=VALUE.

    Raises
    ------
    SettingsError
        If one has no key or no equals sign; it does not show the value, which may be a secret.

    >>> options_of(["sasl.username=tides", "ssl.ca.location=/a=b"])
    {'sasl.username': 'tides', 'ssl.ca.location': '/a=b'}
    """
    pairs = [each.partition("=") for each in given]
    for key, sign, _ in pairs:
        if not key.strip() or not sign:
            raise SettingsError("--option", "", "write each as KEY=VALUE, such as security.protocol=SASL_SSL")
    return {key.strip(): value for key, _, value in pairs}


def refused_options(
    error: KafkaException, options: Mapping[str, str], where: tuple[str, str] = ("options of Kafka", "")
) -> SettingsError:
    """
    Make our error of librdkafka's, whose text may show a secret: only the names of options are told.

    Parameters
    ----------
    error
        What librdkafka said.
    options
        Those that a person gave.
    where
        File and key in which they were given.
    """
    named = [name for name in options if name in error.args[0].str()]
    return SettingsError(*where, f"librdkafka refuses {', '.join(named or options)}")
