"""Laws of allotments: whatever replicas do, and whichever of them are killed, a budget is exceeded by less than one
turn, with what lists of people have reserved; and as long as something is left of it, a replica can spend it."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import Connection, Engine, create_engine, insert, update
from sqlalchemy.pool import StaticPool

from runtime.budgets.budgets import RENEW_SECONDS
from runtime.budgets.client_budget import FIRST_ESTIMATE, HOLD_SECONDS, SETTLE_SECONDS, ClientBudget
from runtime.store.tables import budget_allotments, metadata, outbox, usage
from runtime.store.usage import budgets
from runtime.store.usage.budgets import ListBound, NoRoom

CLIENT, MONTH = "la-cocina", "2026-11"
MESSAGE = 25_000_000
"""What a message costs, in 10⁻⁹ USD."""
DEADLINE = 200.0
"""Seconds after which every turn has ended."""
REPLICAS = st.integers(0, 2)


def store() -> Engine:
    """An empty store with the tables that allotments need."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    metadata.create_all(engine, tables=[usage, outbox, budget_allotments])
    return engine


def charge(connection: Connection, turn: int, amount: int) -> None:
    """A row of the ledger."""
    row = {"at": "2026-11-22T12:00:00.000Z", "month": MONTH, "client": CLIENT, "turn_id": turn}
    connection.execute(insert(usage).values(**row, kind="model_output", price_id=1, quantity=1, amount=amount))


def send(connection: Connection, turn: int) -> None:
    """A message on its way."""
    texts = dict.fromkeys(("account_sid", "sender", "recipient", "body", "channel", "created_at"), "")
    connection.execute(insert(outbox).values(**texts, turn_id=turn, part=0, state="sent", charged=1))


@dataclass
class Replica:
    """One process: its account, and the turns that run there with what each was taken to cost."""

    name: str
    account: ClientBudget = field(default_factory=lambda: ClientBudget(CLIENT))
    running: dict[int, int] = field(default_factory=dict)
    since: dict[int, float] = field(default_factory=dict)


class Budget(RuleBasedStateMachine):
    """Replicas that begin and end turns, are killed and start again, as time passes."""

    @initialize(budget=st.integers(1, 12))
    def begin(self, budget: int) -> None:
        """`budget`: how many turns of the first estimate it is enough for."""
        self.engine = store()
        self.budget = budget * FIRST_ESTIMATE
        self.names, self.turns = count(), count(1)
        self.replicas = [Replica(f"replica-{next(self.names)}") for _ in range(3)]
        self.on_their_way: dict[int, float] = {}
        self.lists: dict[str, int] = {}
        self.now, self.most = 1000.0, FIRST_ESTIMATE

    @rule(at=REPLICAS)
    def begin_turn(self, at: int) -> None:
        self.try_to_begin(self.replicas[at])

    @rule(at=REPLICAS, share=st.integers(0, 100), messages=st.integers(0, 1))
    def end_turn(self, at: int, share: int, messages: int) -> None:
        """`share`: percent of the estimate that it cost, besides its message."""
        replica = self.replicas[at]
        if not replica.running:
            return
        turn, estimate = next(iter(replica.running.items()))
        sent = messages if estimate > MESSAGE else 0
        cost = (estimate - sent * MESSAGE) * share // 100
        with self.engine.begin() as connection:
            charge(connection, turn, cost)
            if sent:
                send(connection, turn)
                self.on_their_way[turn] = self.now
        del replica.running[turn]
        replica.account.end(turn, cost, sent, MESSAGE, self.now)

    @rule(at=REPLICAS)
    def give_back(self, at: int) -> None:
        """What it does not use; as the runtime does it near the end of a budget."""
        replica = self.replicas[at]
        if replica.running:
            return
        replica.account.begin(MONTH, self.budget)
        with self.engine.begin() as connection:
            taken = budgets.take(connection, replica.account.giving_back(replica.name, 0, "", self.now))
        replica.account.taken(taken, self.now, self.now)

    @rule(people=st.integers(1, 40))
    def begin_list(self, people: int) -> None:
        """One that the budget has no room for does not begin."""
        name, cost = f"lista-{next(self.names)}", people * MESSAGE
        bound = ListBound(CLIENT, MONTH, self.budget)
        try:
            with self.engine.begin() as connection:
                budgets.reserve_within(connection, bound, name, cost)
        except NoRoom:
            return
        self.lists[name] = cost

    @rule()
    def send_to_one_of_a_list(self) -> None:
        """It is in the ledger before it is not reserved any more."""
        for name in list(self.lists)[:1]:
            self.lists[name] -= MESSAGE
            with self.engine.begin() as connection:
                charge(connection, next(self.turns), MESSAGE)
                budgets.reserve(connection, CLIENT, name, self.lists[name])
            if not self.lists[name]:
                del self.lists[name]

    @rule()
    def deliver(self) -> None:
        self.deliver_before(self.now + 1)

    @rule(at=REPLICAS)
    def kill(self, at: int) -> None:
        """What it had sent is delivered; what it was doing is begun again elsewhere, or never."""
        self.deliver_before(self.now + 1)
        self.replicas[at] = Replica(f"replica-{next(self.names)}")

    @rule(seconds=st.floats(0.1, 100))
    def wait(self, seconds: float) -> None:
        """Time passes; living replicas renew what they hold, and messages arrive."""
        while seconds > 0:
            step = min(seconds, RENEW_SECONDS)
            seconds -= step
            self.now += step
            with self.engine.begin() as connection:
                for replica in self.replicas:
                    if replica.account.is_under_way(self.now):
                        budgets.renew(connection, replica.name, [CLIENT])
            self.deliver_before(self.now - HOLD_SECONDS / 2)
            for at, replica in enumerate(self.replicas):
                while any(self.now - replica.since[turn] > DEADLINE for turn in replica.running):
                    self.end_turn(at, 100, 0)

    @invariant()
    def it_is_exceeded_by_less_than_one_turn(self) -> None:
        assert self.spent() + self.under_way() + sum(self.lists.values()) < self.budget + self.most

    def try_to_begin(self, replica: Replica) -> bool:
        """As the runtime does it, without waiting."""
        account, turn = replica.account, next(self.turns)
        account.begin(MONTH, self.budget)
        if not account.admit(turn, self.now):
            if account.is_exceeded(self.now):
                return False
            with self.engine.begin() as connection:
                taken = budgets.take(connection, account.request(replica.name, 0, "", self.now))
            account.taken(taken, self.now, self.now)
            if not account.admit(turn, self.now):
                return False
        replica.running[turn] = account.running[turn].estimate
        replica.since[turn] = self.now
        self.most = max(self.most, account.running[turn].estimate)
        return True

    def deliver_before(self, moment: float) -> None:
        """Delivers what was sent before that."""
        due = [turn for turn, at in self.on_their_way.items() if at < moment]
        with self.engine.begin() as connection:
            for turn in due:
                charge(connection, turn, MESSAGE)
                connection.execute(update(outbox).where(outbox.c.turn_id == turn).values(charged=2))
                del self.on_their_way[turn]

    def spent(self) -> int:
        """What the ledger has."""
        with self.engine.begin() as connection:
            return budgets.spent(connection, CLIENT, MONTH).amount

    def under_way(self) -> int:
        """What turns that run, and messages that arrive later, will add at most."""
        running = sum(sum(replica.running.values()) for replica in self.replicas)
        return running + len(self.on_their_way) * MESSAGE

    def teardown(self) -> None:
        """Once nothing is under way and what ended is known to have ended, any replica can spend the rest."""
        if not hasattr(self, "engine"):
            return
        for at, replica in enumerate(self.replicas):
            while replica.running:
                self.end_turn(at, 0, 0)
        self.deliver()
        while self.lists:
            self.send_to_one_of_a_list()
        for at, one in enumerate(self.replicas):
            self.wait(SETTLE_SECONDS + HOLD_SECONDS)  # what it had seen of the others is old
            self.try_to_begin(one)
            self.end_turn(at, 0, 0)
            self.wait(SETTLE_SECONDS + HOLD_SECONDS)
            assert self.try_to_begin(one) is (self.spent() < self.budget)
            self.end_turn(at, 0, 0)
        self.engine.dispose()


Budget.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestAllotments = Budget.TestCase
