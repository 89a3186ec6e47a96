"""What does the record say whose bytes were left where they came in, as people are known by pseudonyms?"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Self

from msgspec.structs import replace

from config.settings import Settings
from connectors.dead_letters import DeadRecord
from connectors.originals import FileOriginals, KafkaOriginals, Originals
from flows.assemble import LINE_LIMIT
from flows.privacy import pseudonyms_of

NO_KEY: Final = "their contents were withheld, and privacy.pseudonymise is false"
GONE: Final = "their records are no longer in their topics"
ANOTHER: Final = "other records are in their places now, or it was another privacy.key"


class Withheld:
    """Opens the input topics when the first is asked for."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pseudonyms = pseudonyms_of(settings)
        self._originals: Originals | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._originals is not None:
            self._originals.close()

    def restored(self, record: DeadRecord) -> DeadRecord | str:
        """With its key and bytes, if it lacks them; or why they cannot be had."""
        if record.withheld is None:
            return record
        if self._pseudonyms is None:
            return NO_KEY
        self._originals = self._originals or _originals_of(self._settings)
        found = self._originals.of(record)
        if found is None:
            return GONE
        key, value = found
        if self._pseudonyms.seal(key, value) != record.withheld:
            return ANOTHER
        in_files = self._settings.source.kind == "files"
        whole = not in_files or len(value) <= LINE_LIMIT
        return replace(record, key=key, value=value, whole=whole)


def _originals_of(settings: Settings) -> Originals:
    if settings.source.kind == "kafka":
        kafka = settings.kafka
        return KafkaOriginals(
            bootstrap_servers=kafka.bootstrap_servers, app=settings.app, options=kafka.options
        )
    files = settings.files
    return FileOriginals(Path(files.directory), partitions=files.partitions, max_bytes=LINE_LIMIT)
