"""What may the fields of an event hold? Their types, with the limits that are checked at the door."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

MAX_ID_LENGTH = 128
LAST_TS = 7_258_118_400_000  # year 2200: later stamps are seconds/micros mistaken for milliseconds
MAX_MONEY = 10**15
MAX_LINES = (
    1000  # wholesale: UCI Online Retail has an order of 542; what is past this is not a shopping order
)

Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID_LENGTH)]
PersonId = Annotated[str, Meta(min_length=1, max_length=MAX_ID_LENGTH, title="names a person")]
"""What pseudonymisation is to replace: an id by which somebody, or a device or visit of somebody, is known."""
Text = Annotated[str, Meta(max_length=1024)]
Quantity = Annotated[int, Meta(gt=0, le=1_000_000)]
Count = Annotated[int, Meta(ge=0, le=MAX_MONEY)]
Money = Annotated[int, Meta(ge=0, le=MAX_MONEY)]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z")]
Birthday = Annotated[str, Meta(pattern=r"^([0-9]{4}-)?[0-9]{2}-[0-9]{2}\Z")]

if TYPE_CHECKING:
    Millis = int
else:
    Millis = Annotated[int, Meta(ge=0, le=LAST_TS)] | Annotated[datetime, Meta(tz=True)]
