"""Do the brokers answer, may we do there what we need, and are the topics as they must be?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from config.layers import variable_of
from config.settings import Settings
from connectors.brokers import Brokers
from connectors.log import LogError, LogUnavailable
from connectors.transactions import check_transactions
from console.check import Finding, User
from flows import rights, startup, topics
from flows.assemble import ledger_of
from state.ledger import LedgerError
from state.redis_ledger import StoreUnavailable

_ANSWER_SECONDS: Final = 5.0
_PASSWORD: Final = "kafka.options.sasl.password"  # noqa: S105 - the name of a setting

# What brokers and TLS say, and what an operator can do about it. The first that is found in the text counts.
_MENDS: Final = {
    "SASL": (
        "kafka.options sasl.username and sasl.mechanism, and the password in "
        f"{variable_of(_PASSWORD)} or {variable_of(_PASSWORD)}_FILE"
    ),
    "certificate verify failed": (
        "kafka.options ssl.ca.location: the certificate of the authority that has signed the brokers'; and "
        "kafka.bootstrap_servers as their certificates name them"
    ),
    "alert": (
        "the brokers ask for a certificate of ours: kafka.options ssl.certificate.location and ssl.key.location, "
        "signed by an authority that they believe"
    ),
}


def findings(settings: Settings, user: User) -> Iterator[Finding]:
    """As `flow` or `service`."""
    yield from (found := list(_files(settings)))
    if found:
        return
    kafka = settings.kafka
    try:
        brokers = Brokers(
            kafka.bootstrap_servers, kafka.options, answer_seconds=_ANSWER_SECONDS, group_id=kafka.group_id
        )
        brokers.partitions()
    except LogError as error:
        text = f"{kafka.bootstrap_servers}: {error}"
        yield Finding("kafka", False, text, _mend(settings, str(error)))
        return
    yield Finding("kafka", True, kafka.bootstrap_servers)
    denied = [*(rights.problems(settings) if user == "flow" else rights.service_problems(settings))]
    denied += _transactions(settings) if user == "flow" else []
    for problem in denied:
        text, _, mend = problem.partition(" Mend: ")
        yield Finding("rights", False, text, mend)
    if not denied:
        yield Finding("rights", True, "all that it needs at the brokers")
    if user == "flow":
        yield from _topics(settings)


def _files(settings: Settings) -> Iterator[Finding]:
    """Certificates and keys that are not there: librdkafka says only that something failed."""
    for option, path in settings.kafka.options.items():
        if option.endswith(".location") and not Path(str(path)).exists():
            yield Finding(
                "kafka", False, f"kafka.options {option}: there is no {path}", "name a file that is"
            )


def _mend(settings: Settings, text: str) -> str:
    for sign, mend in _MENDS.items():
        if sign in text:
            return mend
    mend = "start a broker, or set kafka.bootstrap_servers"
    if str(settings.kafka.options.get("security.protocol", "plaintext")).lower() == "plaintext":
        return f"{mend}; does it ask for TLS or a login? Then kafka.options security.protocol"
    return f"{mend}; is this the port for {settings.kafka.options['security.protocol']}?"


def _transactions(settings: Settings) -> Iterator[str]:
    if settings.delivery.guarantee != "exactly_once":
        return
    try:
        check_transactions(settings.kafka.bootstrap_servers, f"{settings.app}.check", settings.kafka.options)
    except (LogError, LogUnavailable) as error:
        yield f"{error} Mend: {rights.transactions_mend(settings)}"


def _topics(settings: Settings) -> Iterator[Finding]:
    wrong = _problems(settings)
    for problem in wrong:
        yield Finding("topics", False, problem, "beckon topics create" if "do not exist" in problem else "")
    if not wrong:
        yield Finding("topics", True, f"all {len(topics.names(settings))} as needed")


def _problems(settings: Settings) -> list[str]:
    """What is wrong with them, by what the state was built from where that can be asked."""
    if settings.state.kind == "redis" and settings.redis.url:
        ledger = ledger_of(settings, settings.redis.url)
        try:
            return startup.topic_problems(settings, ledger)
        except (StoreUnavailable, LedgerError):
            pass  # told already, with what helps
        finally:
            ledger.close()
    return topics.problems(settings, {})
