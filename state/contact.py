"""What may we say to this user, what did we say, and what is waiting to be said?"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

CHANNELS_LIMIT = 16
SENT_LIMIT = 20
PENDING_LIMIT = 16
EPISODES_LIMIT = 8  # a rule's episodes remembered; the oldest makes room
ALERTS_LIMIT = 16
INTERESTS = ("cart", "favourite", "viewed")  # best prospects first


class Consent(Struct, array_like=True, gc=False):
    granted: bool
    at: int


class Sent(Struct, array_like=True, gc=False):
    """One published trigger; `counts` is False for transactional rules, which no cap sees."""

    id: str
    rule: str
    step: int
    channel: str
    at: int
    counts: bool


class Episode(Struct, array_like=True, gc=False):
    """The highest step of one episode that became a candidate, sent or not."""

    anchor: str
    step: int
    at: int


class Pending(Struct, array_like=True, gc=False):
    """A deferred candidate: released at `until`, its facts and gates asked again; no `channels`: the rule's."""

    rule: str
    step: int
    anchor: str
    at: int
    until: int
    version: int
    skus: list[str]
    fields: dict[str, Any]
    reason: str
    offer: str | None
    claim: tuple[str, str, int] | None  # key, sku, limit
    channels: list[str]


class Alert(Struct, array_like=True, gc=False):
    """A stock edge of a SKU this user cares about, why, and when the user last showed it (`seen_at`).

    `since` is when the SKU had run out (edge `back`), else 0; `available` pieces at the edge.
    """

    edge: str
    sku: str
    anchor: str
    at: int
    since: int
    interest: str
    seen_at: int
    available: int


class Contact(Struct, array_like=True, gc=False):
    consent: dict[str, Consent] = {}
    preferred_channels: list[str] = []
    timezone: str | None = None
    region: str | None = None
    locale: str | None = None
    birthday: str | None = None
    child_birthdays: list[str] = []
    profile_at: int = -1
    sent: list[Sent] = []
    pending: list[Pending] = []
    episodes: dict[str, list[Episode]] = {}
    alerts: list[Alert] = []

    def step_of(self, rule: str, anchor: str) -> int:
        """The highest step of this episode that has become a candidate; 0 if none has."""
        episode = self.episode(rule, anchor)
        return 0 if episode is None else episode.step

    def episode(self, rule: str, anchor: str) -> Episode | None:
        return next((e for e in self.episodes.get(rule, ()) if e.anchor == anchor), None)

    def remember(self, rule: str, anchor: str, step: int, at: int) -> None:
        episode = self.episode(rule, anchor)
        if episode is not None:
            episode.step, episode.at = max(step, episode.step), at
            return
        episodes = self.episodes.setdefault(rule, [])
        episodes.append(Episode(anchor, step, at))
        del episodes[:-EPISODES_LIMIT]

    def note_sent(self, sent: Sent) -> None:
        """What no cap counts makes room first, so that a cap up to SENT_LIMIT is exact."""
        self.sent.append(sent)
        if len(self.sent) > SENT_LIMIT:
            uncounted = [i for i, s in enumerate(self.sent) if not s.counts]
            del self.sent[uncounted[0] if uncounted else 0]

    def set_consent(self, channel: str, granted: bool, ts: int) -> None:
        known = self.consent.get(channel)
        if known is not None and ts < known.at:
            return
        if known is None and len(self.consent) >= CHANNELS_LIMIT:
            del self.consent[min(self.consent, key=lambda c: self.consent[c].at)]
        self.consent[channel] = Consent(granted, ts)
