"""P1: every row goes out until a receipt names it, in whatever order connections, losses and receipts come."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from broker.contract.seqset import SeqSet
from edge.core.delivery import AT_ONCE, Ask, Delivery, Flow, Pace, flow_of

S = 1_000_000_000
PACE = Pace(backfill_per_s=10, window=4, window_bytes=10_000, stuck=3, timeout_s=5, longest_s=60, kept_longest_s=20)


def connected(newest: int = 0, pace: Pace = PACE) -> Delivery:
    delivery = Delivery(pace)
    delivery.reset(newest=newest)
    delivery.connected(0)
    return delivery


def send(delivery: Delivery, seq: int, flow: Flow = Flow.LIVE, now_ns: int = 0, size: int = 100) -> None:
    delivery.appended(seq)
    delivery.sent(seq, flow, size, now_ns, 0.5)


def test_nothing_is_sent_without_a_connection() -> None:
    delivery = Delivery(PACE)
    delivery.reset(newest=9)
    assert not delivery.admits(Flow.KEPT)
    assert delivery.ask(keep=True, now_ns=0) is None
    assert delivery.due(0) == []
    assert delivery.wait_ns(0) is None


def test_each_flow_has_its_own_window_so_none_starves_another() -> None:
    delivery = connected()
    for seq in range(1, 5):
        send(delivery, seq, Flow.BACKFILL)
    assert not delivery.admits(Flow.BACKFILL)
    assert delivery.admits(Flow.LIVE)
    assert delivery.admits(Flow.KEPT)


def test_a_window_is_full_by_bytes_too() -> None:
    delivery = connected()
    send(delivery, 1, Flow.BACKFILL, size=10_000)
    assert not delivery.admits(Flow.BACKFILL)
    delivery.received([(1, 1)], S)
    assert delivery.admits(Flow.BACKFILL)


def test_the_past_goes_oldest_first_at_the_set_rate() -> None:
    delivery = connected(newest=100)
    ask = delivery.ask(keep=False, now_ns=0)
    assert ask == Ask(0, 2), "a fifth of a second's worth"
    delivery.sent(1, Flow.BACKFILL, 100, 0, 0.5)
    delivery.sent(2, Flow.BACKFILL, 100, 0, 0.5)
    delivery.scanned(keep=False, upto=2)
    assert delivery.ask(keep=False, now_ns=0) is None
    assert delivery.wait_ns(0) == S // 10
    assert delivery.ask(keep=False, now_ns=S // 10) == Ask(2, 1)


def test_presses_of_the_past_do_not_wait_for_that_rate() -> None:
    assert connected(newest=100).ask(keep=True, now_ns=0) == Ask(0, min(PACE.window, AT_ONCE))


def test_a_message_without_a_receipt_goes_again_with_growing_pauses() -> None:
    delivery = connected()
    send(delivery, 1)
    pauses, now_ns = [], 0
    for _ in range(6):
        last_ns = now_ns
        while not delivery.due(now_ns):
            now_ns += S
        pauses.append((now_ns - last_ns) // S)
        delivery.sent(1, Flow.LIVE, 100, now_ns, 0.5)
    assert pauses == [5, 10, 20, 40, 60, 60]


def test_a_press_is_tried_more_often() -> None:
    delivery = connected()
    send(delivery, 1, Flow.KEPT)
    for _ in range(8):
        delivery.sent(1, Flow.KEPT, 100, 0, 0.5)
    assert delivery.due(20 * S) == [1]


def test_jitter_spreads_the_pause_around_its_mean() -> None:
    early, late = connected(), connected()
    early.sent(1, Flow.LIVE, 100, 0, 0.0)
    late.sent(1, Flow.LIVE, 100, 0, 1.0)
    assert early.due(3_750_000_000) == [1]
    assert late.due(6_249_000_000) == []
    assert late.due(6_250_000_000) == [1]


def test_p1_after_a_reconnect_everything_on_the_way_is_due_again_presses_first() -> None:
    delivery = connected()
    send(delivery, 1, Flow.LIVE)
    send(delivery, 2, Flow.KEPT)
    delivery.disconnected()
    assert delivery.due(S) == []
    delivery.connected(S)
    assert delivery.due(S) == [2, 1]


def test_a_receipt_ends_it_and_what_it_names_is_to_be_forgotten() -> None:
    delivery = connected()
    for seq in (1, 2, 3):
        send(delivery, seq)
    delivery.received([(1, 2)], S)
    assert delivery.under_way == 1
    assert delivery.confirmed() == [(1, 2)]
    assert not delivery.fresh(2)
    assert not delivery.fresh(3)
    delivery.forgotten()
    assert delivery.confirmed() == []


def test_a_receipt_for_numbers_never_given_out_is_left_alone() -> None:
    delivery = connected()
    send(delivery, 1)
    delivery.received([(1, 2**53 - 1), (5, 9)], S)
    assert delivery.confirmed() == [(1, 1)]
    assert delivery.fresh(2)


def test_the_receipt_that_ends_a_silence_makes_what_was_missed_due_at_once() -> None:
    delivery = connected()
    for seq in (1, 2, 3):
        send(delivery, seq)
    for seq in (1, 2, 3):
        delivery.sent(seq, Flow.LIVE, 100, 5 * S, 0.5)
    delivery.received([(2, 2)], 6 * S)
    assert delivery.due(6 * S) == [1, 3]


def test_a_row_that_is_never_confirmed_is_passed_over_once_others_are_and_shows_as_stuck() -> None:
    delivery = connected()
    for seq in range(1, 5):
        send(delivery, seq)
    assert not delivery.admits(Flow.LIVE)
    for _ in range(2):
        delivery.sent(1, Flow.LIVE, 100, S, 0.5)
    assert delivery.stuck == 1
    delivery.received([(2, 2)], 2 * S)
    assert delivery.admits(Flow.LIVE)
    send(delivery, 5)
    assert delivery.admits(Flow.LIVE), "stuck 1 stands outside the window of 3, 4, 5"
    delivery.received([(1, 1)], 3 * S)
    assert delivery.stuck == 0


def test_in_a_silence_no_more_than_the_windows_are_on_the_way() -> None:
    delivery = connected()
    for seq in range(1, 5):
        send(delivery, seq)
    for seq in range(1, 5):
        for _ in range(5):
            delivery.sent(seq, Flow.LIVE, 100, S, 0.5)
    assert delivery.stuck == 4
    assert not delivery.admits(Flow.LIVE)


def test_a_row_that_the_cap_took_is_no_longer_tried() -> None:
    delivery = connected()
    send(delivery, 1)
    delivery.gone([1, 7])
    assert delivery.under_way == 0
    assert delivery.due(100 * S) == []


def test_kept_and_live_decide_the_flow() -> None:
    assert flow_of(keep=True, live=False) is flow_of(keep=True, live=True) is Flow.KEPT
    assert flow_of(keep=False, live=True) is Flow.LIVE
    assert flow_of(keep=False, live=False) is Flow.BACKFILL


class World(RuleBasedStateMachine):
    """An outbox, a link that loses whatever it likes, and a server; the delivery between them, as the sender uses it.

    Time passes only where a rule lets it. At any point the link may become good: then everything arrives.
    """

    def __init__(self) -> None:
        super().__init__()
        self.delivery = Delivery(PACE)
        self.rows: dict[int, tuple[bool, bool]] = {}
        self.newest = 0
        self.now_ns = 0
        self.up = False
        self.on_the_wire: list[int] = []
        self.arrived = SeqSet()
        self.owed_receipts: list[int] = []

    def send(self, seq: int, flow: Flow) -> None:
        self.delivery.sent(seq, flow, 3000, self.now_ns, 0.5)
        self.on_the_wire.append(seq)

    def pump(self) -> None:
        due = self.delivery.due(self.now_ns)
        self.delivery.gone(set(due) - self.rows.keys())
        for seq in due:
            if seq in self.rows:
                self.send(seq, Flow.LIVE)
        for keep in (True, False):
            ask = self.delivery.ask(keep=keep, now_ns=self.now_ns)
            if ask is not None:
                self.serve(ask, keep=keep)

    def serve(self, ask: Ask, *, keep: bool) -> None:
        found = [seq for seq in sorted(self.rows) if seq > ask.after and self.rows[seq][0] is keep][: ask.limit]
        for seq in found:
            if self.delivery.fresh(seq):
                if not self.delivery.admits(flow_of(keep=keep, live=False)):
                    self.delivery.scanned(keep=keep, upto=seq - 1)
                    return
                self.send(seq, flow_of(keep=keep, live=False))
        self.delivery.scanned(keep=keep, upto=found[-1] if len(found) == ask.limit else None)

    @rule(keep=st.booleans(), live=st.booleans(), size=st.integers(1, 6))
    def append(self, keep: bool, live: bool, size: int) -> None:
        for _ in range(size):
            self.newest += 1
            self.rows[self.newest] = (keep, live)
            self.delivery.appended(self.newest)
            flow = flow_of(keep=keep, live=live)
            if flow is not Flow.BACKFILL and self.delivery.admits(flow):
                self.send(self.newest, flow)

    @precondition(lambda self: not self.up)
    @rule()
    def connect(self) -> None:
        self.up = True
        self.delivery.connected(self.now_ns)

    @precondition(lambda self: self.up)
    @rule()
    def disconnect(self) -> None:
        self.up = False
        self.on_the_wire.clear()
        self.owed_receipts.clear()
        self.delivery.disconnected()

    @rule(seconds=st.integers(0, 30))
    def wait(self, seconds: int) -> None:
        self.now_ns += seconds * S
        self.pump()

    @rule(lose=st.lists(st.booleans(), max_size=20))
    def carry(self, lose: list[bool]) -> None:
        for index, seq in enumerate(self.on_the_wire):
            if index >= len(lose) or not lose[index]:
                self.arrived.add(seq)
                self.owed_receipts.append(seq)
        self.on_the_wire.clear()

    @rule(keep_some=st.lists(st.booleans(), max_size=20), again=st.booleans())
    def give_receipts(self, keep_some: list[bool], again: bool) -> None:
        named = [seq for index, seq in enumerate(self.owed_receipts) if index >= len(keep_some) or keep_some[index]]
        if not again:
            self.owed_receipts.clear()
        if self.up and named:
            self.delivery.received([(seq, seq) for seq in named], self.now_ns)

    @rule()
    def forget(self) -> None:
        for first, last in self.delivery.confirmed():
            for seq in range(first, last + 1):
                self.rows.pop(seq, None)
        self.delivery.forgotten()

    @rule(number=st.integers(1, 5))
    def evict(self, number: int) -> None:
        for seq in [seq for seq, (keep, _) in sorted(self.rows.items()) if not keep][:number]:
            del self.rows[seq]

    @rule()
    def kill_and_restart(self) -> None:
        self.delivery = Delivery(PACE)
        self.delivery.reset(newest=self.newest)
        self.up = False
        self.on_the_wire.clear()
        self.owed_receipts.clear()

    @rule()
    def hold_back_ends(self) -> None:
        self.delivery.rescan()

    @rule()
    def the_link_stays_up(self) -> None:
        """P1: whatever happened before, all that the outbox still holds arrives, and in bounded time.

        What the cap took while it was on its way is noticed when it would be sent again.
        """
        if not self.up:
            self.connect()
        limit_ns = self.now_ns + (120 + len(self.rows)) * S
        noticed_ns = limit_ns + int(PACE.longest_s * 1.25) * S
        while self.rows or self.delivery.under_way:
            assert self.now_ns < limit_ns or not self.rows, f"never delivered: {sorted(self.rows)[:9]}"
            assert self.now_ns < noticed_ns, f"{self.delivery.under_way} rows are on the way that are not there"
            self.carry([])
            self.give_receipts([], again=False)
            self.forget()
            wait_ns = self.delivery.wait_ns(self.now_ns)
            self.now_ns += max(1_000_000, min(S, S if wait_ns is None else wait_ns))
            self.pump()

    @invariant()
    def windows_hold(self) -> None:
        assert self.delivery.under_way <= 3 * PACE.window + PACE.stuck

    @invariant()
    def nothing_unconfirmed_is_forgotten(self) -> None:
        for first, last in self.delivery.confirmed():
            assert all(seq in self.arrived for seq in range(first, last + 1))


World.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestWorld = World.TestCase


def test_live_rows_are_not_starved_by_the_past_nor_the_past_by_live_rows() -> None:
    """At a rate that fills the live window all the time, both arrive; the past at its rate."""
    delivery = connected(newest=1000, pace=Pace(backfill_per_s=10, window=4))
    live_sent = past_sent = 0
    seq = 1000
    for step in range(1000):
        now_ns = step * S // 100
        for _ in range(6):
            seq += 1
            delivery.appended(seq)
            if delivery.admits(Flow.LIVE):
                delivery.sent(seq, Flow.LIVE, 100, now_ns, 0.5)
                live_sent += 1
        ask = delivery.ask(keep=False, now_ns=now_ns)
        if ask is not None:
            for past in range(ask.after + 1, ask.after + 1 + ask.limit):
                delivery.sent(past, Flow.BACKFILL, 100, now_ns, 0.5)
                past_sent += 1
            delivery.scanned(keep=False, upto=ask.after + ask.limit)
        delivery.received([(1, seq)], now_ns)
        delivery.forgotten()
    assert live_sent == 4000, "as many as its window takes"
    assert 95 <= past_sent <= 105, "ten a second for ten seconds"
