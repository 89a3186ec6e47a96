"""Does it hold when the faults are chosen, not diced? Hypothesis drives a schedule, and shrinks what goes wrong."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.simulation.schedule import FAIR, Guards, Schedule, check
from tests.simulation.world import Faults

KINDS = ("lost_reply", "lost_commit", "lost_request", "late_request")


class Shop(RuleBasedStateMachine):
    """Two processes, zombies among them; requests lost or late; a store that forgets."""

    @initialize(seed=st.integers(0, 1000), shop_seed=st.integers(0, 3))
    def open(self, seed: int, shop_seed: int) -> None:
        self.shop_seed = shop_seed
        self.schedule = Schedule(seed, shop_seed, FAIR, Guards())
        self.world = self.schedule.world
        self.schedule.begin()

    @rule(steps=st.integers(1, 200))
    def go_on(self, steps: int) -> None:
        self.schedule.go_on(steps)

    @rule(kind=st.sampled_from(KINDS), steps=st.integers(1, 6))
    def lose(self, kind: str, steps: int) -> None:
        """Everything of this kind goes wrong for a few steps."""
        self.world.faults = Faults(**{kind: 1.0})
        self.schedule.go_on(steps)
        self.world.faults = FAIR

    @rule(which=st.integers(0, 3))
    def kill(self, which: int) -> None:
        living = self.world.living
        if living:  # the last one may have died of what was lost
            self.world.crash(living[which % len(living)])
        self.schedule.go_on(1)

    @rule(which=st.integers(0, 3))
    def stop(self, which: int) -> None:
        living = self.world.living
        if living:
            living[which % len(living)].stop()

    @rule(operations=st.integers(1, 60))
    def forget(self, operations: int) -> None:
        self.schedule.store.roll_back(operations)

    @rule()
    def join(self) -> None:
        if len(self.world.living) < 4:
            self.schedule.start_process()

    def teardown(self) -> None:
        if hasattr(self, "schedule"):
            check(self.schedule, self.shop_seed)


TestShop = Shop.TestCase
TestShop.settings = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
