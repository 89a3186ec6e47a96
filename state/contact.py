"""What may we say to this user, what did we say, and what is waiting to be said?"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

CHANNELS_LIMIT = 16
SENT_LIMIT = 20
PENDING_LIMIT = 16
EPISODES_LIMIT = 8  # a rule's episodes remembered; the oldest makes room
ALERTS_LIMIT = 16
OFFERS_LIMIT = 8  # live at once, one per need; what ends first makes room
PROFILE = ("preferred_channels", "timezone", "region", "locale", "birthday", "child_birthdays")
INTERESTS = ("cart", "favourite", "viewed")  # best prospects first


class Consent(Struct, array_like=True, gc=False):
    granted: bool
    at: int


class Sent(Struct, array_like=True, gc=False):
    """One published trigger; `counts` is False for transactional rules, which no cap sees.

    `anchor`, `due` and `skus` are kept where the rule can be refuted by an event that comes late; `retracted`: it was.
    `instant`: an event called for it, so that what happened in the same moment does not refute it.
    `ghost`: held out, and so not said; it takes its place all the same. `offer`, `variant`: as made. `stanza`: the
    number of the settings it was decided by.
    """

    id: str
    rule: str
    step: int
    channel: str
    at: int
    counts: bool
    anchor: str = ""
    due: int = -1
    skus: list[str] = []
    retracted: bool = False
    instant: bool = False
    ghost: bool = False
    offer: str | None = None
    variant: str | None = None
    stanza: int = 0


class Episode(Struct, array_like=True, gc=False):
    """The highest step of one episode that became a candidate, sent or not."""

    anchor: str
    step: int
    at: int


class Pending(Struct, array_like=True, gc=False):
    """A deferred candidate: released at `until`, its facts and gates asked again; no `channels`: the rule's.

    `why`: the reason of the deferral (triggers.trigger.Reason). `stanza`: the number of the settings it goes by. Those
    of a rule in `shadow` take no place of the others.
    """

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
    why: str = "quiet_hours"
    stanza: int = 0
    shadow: bool = False


class Offer(Struct, array_like=True, gc=False):
    """What was offered to this user for one need, and until when it stands."""

    name: str
    until: int


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
    """`profile_at`: when the profile was last updated; `said_at`: when each field of it (PROFILE) was last said.

    Not saying a field changes nothing; an empty list says that there are none.
    """

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
    offers: dict[str, Offer] = {}  # by need
    said_at: list[int] = []

    def live_offer(self, need: str, now: int) -> Offer | None:
        offer = self.offers.get(need)
        return offer if offer is not None and now < offer.until else None

    def note_offer(self, need: str, name: str, until: int, now: int) -> None:
        """Made, or made again; what is over goes."""
        self.offers = {need: offer for need, offer in self.offers.items() if now < offer.until}
        self.offers[need] = Offer(name, until)
        self._bound_offers()

    def _bound_offers(self) -> None:
        while len(self.offers) > OFFERS_LIMIT:
            del self.offers[min(self.offers, key=lambda need: (self.offers[need].until, need))]

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

    def say(self, ts: int, said: Any) -> None:
        """Of each field the latest word counts, in whatever order they are read; `said` has those of PROFILE."""
        times = self._said_at()
        for place, name in enumerate(PROFILE):
            value = getattr(said, name)
            if value is not None and ts >= times[place]:
                setattr(self, name, list(value) if isinstance(value, tuple) else value)
                times[place] = ts
        self.said_at, self.profile_at = times, max(ts, self.profile_at)

    def unite(self, other: Contact) -> list[Pending]:
        """Two ids are one person: what was sent to either was sent, and what waits for either waits.

        A decision on a channel wins over silence, the later one over the earlier, a no over a yes of the same
        moment. Answers with what there was no room to keep waiting.
        """
        for channel, theirs in other.consent.items():
            own = self.consent.get(channel, theirs)
            self.consent[channel] = max(own, theirs, key=lambda said: (said.at, not said.granted))
        while len(self.consent) > CHANNELS_LIMIT:
            del self.consent[min(self.consent, key=lambda c: (self.consent[c].at, c))]
        self._unite_profile(other)
        for need, offer in other.offers.items():
            own_offer = self.offers.get(need, offer)
            self.offers[need] = max(own_offer, offer, key=lambda made: (made.until, made.name))
        self._bound_offers()
        told = {sent.id: sent for sent in (*other.sent, *self.sent)}
        sent = sorted(told.values(), key=lambda sent: (sent.at, sent.id))
        self.sent = []
        for each in sent:
            self.note_sent(each)
        for rule, episodes in other.episodes.items():
            for episode in episodes:
                self._recall(rule, episode)
        alerts = sorted((*self.alerts, *other.alerts), key=_weight)
        latest = {(alert.sku, alert.edge): alert for alert in alerts}.values()
        self.alerts = sorted(latest, key=_weight)[-ALERTS_LIMIT:]
        unsaid = {(p.rule, p.anchor, p.step): p for p in (*other.pending, *self.pending)}
        pending = sorted(unsaid.values(), key=lambda p: (p.until, p.at, p.rule, p.anchor, p.step))
        own_places = [[p for p in pending if p.shadow is shadow] for shadow in (False, True)]
        self.pending = [each for waiting in own_places for each in waiting[:PENDING_LIMIT]]
        return [each for waiting in own_places for each in waiting[PENDING_LIMIT:]]

    def _unite_profile(self, other: Contact) -> None:
        own, theirs = self._said_at(), other._said_at()
        for place, name in enumerate(PROFILE):
            known, told = getattr(self, name), getattr(other, name)
            if (theirs[place], str(told)) > (own[place], str(known)):
                setattr(self, name, told)
        if other.profile_at >= 0:
            self.said_at = [max(times) for times in zip(own, theirs, strict=True)]
            self.profile_at = max(self.profile_at, other.profile_at)

    def _said_at(self) -> list[int]:
        """Of a profile from before each field had its time, what is known was said at the last update."""
        return self.said_at or [self.profile_at if getattr(self, name) else -1 for name in PROFILE]

    def _recall(self, rule: str, episode: Episode) -> None:
        """Remember what was said to another id of this person; the latest episodes stay."""
        own = self.episode(rule, episode.anchor)
        if own is not None:
            own.step, own.at = max(own.step, episode.step), max(own.at, episode.at)
            return
        episodes = self.episodes.setdefault(rule, [])
        episodes.append(episode)
        episodes.sort(key=lambda e: (e.at, e.anchor))
        del episodes[:-EPISODES_LIMIT]


def _weight(alert: Alert) -> tuple[int, int, int, str]:
    """The later edge counts; of the same edge, the stronger interest."""
    return alert.at, -INTERESTS.index(alert.interest), alert.seen_at, alert.anchor
