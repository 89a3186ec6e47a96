"""What has this user complained about, or reviewed so badly that somebody must look after it?

Order-insensitive: an opening that is not later than a closing of its complaint, read before or after it, is over.
"""

from __future__ import annotations

from msgspec import Struct

OPEN_LIMIT = 16  # complaints; one that was told makes room first, then the oldest
OPENINGS_LIMIT = 4  # of one complaint: the first and the latest ones
CLOSED_LIMIT = 16
REVIEWS_LIMIT = 8
TOPIC_LENGTH = 128


class Opening(Struct, array_like=True, gc=False):
    at: int
    event_id: str
    topic: str


class Complaint(Struct, array_like=True, gc=False):
    """Open since the first of `openings`; the others repeat it, or open it again once that one is closed.

    `told`: event id of the opening of which complaint_care has spoken.
    """

    openings: list[Opening]
    told: str = ""

    @property
    def first(self) -> Opening:
        return self.openings[0]

    def open(self, opening: Opening) -> None:
        self.openings = sorted((*self.openings, opening), key=lambda o: (o.at, o.event_id))
        if len(self.openings) > OPENINGS_LIMIT:
            del self.openings[1]

    def close(self, ts: int) -> None:
        """What was opened by `ts` is over."""
        self.openings = [opening for opening in self.openings if opening.at > ts]
        if all(opening.event_id != self.told for opening in self.openings):
            self.told = ""


class Closed(Struct, array_like=True, gc=False):
    """When a complaint was closed for the last time, and the event that had opened it if that was known."""

    at: int
    opening: str


class Service(Struct, array_like=True, gc=False):
    """`reviews`: the low ones that complaint_care has told and nobody has closed, by event id."""

    complaints: dict[str, Complaint] = {}
    closed: dict[str, Closed] = {}
    reviews: dict[str, int] = {}

    def open(self, ts: int, event_id: str, complaint_id: str, topic: str) -> None:
        if self.was_closed(complaint_id, ts):
            return
        known = self.complaints.get(complaint_id)
        if known is None:
            known = self.complaints[complaint_id] = Complaint([])
        known.open(Opening(ts, event_id, topic[:TOPIC_LENGTH]))
        self._bound()

    def close(self, ts: int, complaint_id: str) -> None:
        """Of a complaint, or of the case of a review, whose id is that of its event."""
        known = self.complaints.get(complaint_id)
        before = self.closed.get(complaint_id, Closed(-1, ""))
        opening = known.first.event_id if known is not None and known.first.at <= ts else before.opening
        self.closed[complaint_id] = Closed(max(ts, before.at), opening)
        self._settle(complaint_id)
        self._bound()

    def was_closed(self, complaint_id: str, ts: int) -> bool:
        closed = self.closed.get(complaint_id)
        return closed is not None and ts <= closed.at

    def note_review(self, event_id: str, ts: int) -> None:
        self.reviews[event_id] = ts
        self._bound()

    def unite(self, other: Service) -> None:
        """Two ids are one person: what is open with either is open, unless the other has closed it."""
        for complaint_id, closed in other.closed.items():
            own = self.closed.get(complaint_id, closed)
            self.closed[complaint_id] = max(own, closed, key=lambda c: (c.at, c.opening))
        for complaint_id, theirs in other.complaints.items():
            known = self.complaints.get(complaint_id)
            if known is None:
                self.complaints[complaint_id] = theirs
                continue
            known.told = max(known.told, theirs.told)
            for opening in theirs.openings:
                known.open(opening)
        self.reviews |= other.reviews
        for complaint_id in self.closed:
            self._settle(complaint_id)
        self._bound()

    def _settle(self, complaint_id: str) -> None:
        """Let go of what was open before it was closed."""
        closed_at, known = self.closed[complaint_id].at, self.complaints.get(complaint_id)
        if known is not None:
            known.close(closed_at)
            if not known.openings:
                del self.complaints[complaint_id]
        if self.reviews.get(complaint_id, closed_at + 1) <= closed_at:
            del self.reviews[complaint_id]

    def _bound(self) -> None:
        complaints, closed, reviews = self.complaints, self.closed, self.reviews
        while len(complaints) > OPEN_LIMIT:
            del complaints[min(complaints, key=lambda c: (not complaints[c].told, complaints[c].first.at, c))]
        while len(closed) > CLOSED_LIMIT:
            del closed[min(closed, key=lambda c: (closed[c].at, c))]
        while len(reviews) > REVIEWS_LIMIT:
            del reviews[min(reviews, key=lambda review: (reviews[review], review))]
