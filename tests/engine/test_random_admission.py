"""Who may run, wait or come back later: against a naive model of the same rules."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from stageflow_actors.engine.admission import Admission, Admitted, Limits, Refused, TenantLoad
from tests.engine.naive_queue import NaiveQueue

RUN, WAIT = Admitted.RUN, Admitted.WAIT
SHARE = 4
TENANTS = st.sampled_from("abc")
ARRIVE = st.tuples(st.just("arrive"), TENANTS, st.integers(0, 6), st.booleans())
NEXT = st.tuples(st.just("next"))
LEAVE = st.tuples(st.just("leave"), st.integers(0, 7))
HISTORIES = st.lists(ARRIVE | ARRIVE | NEXT | LEAVE, max_size=60)
LIMITS = st.builds(
    Limits,
    st.integers(1, 3),
    st.integers(0, 5),
    st.integers(0, 20),
    st.none() | st.integers(1, 2),
    st.none() | st.integers(0, 3),
)


class NaiveAdmission:
    """Counts everything anew each time it is asked."""

    def __init__(self, limits):
        self.limits = limits
        self.queue = NaiveQueue(SHARE)
        self.running = {}

    def is_full(self, tenant):
        return list(self.running.values()).count(tenant) == self.limits.max_running_per_tenant

    def has_room(self):
        return len(self.running) < self.limits.max_running

    def run(self, key, tenant):
        self.running[key] = tenant
        if self.is_full(tenant):
            self.queue.hold(tenant)

    def arrive(self, key, tenant, size, is_background):
        if self.has_room() and not self.is_full(tenant) and self.queue.next() is None:
            self.run(key, tenant)
            return RUN
        waiting, limits = self.queue.waiting, self.limits
        of_tenant = [each for each in waiting if each.group == tenant]
        most_of_tenant = limits.max_waiting_per_tenant
        if (
            len(waiting) + 1 > limits.max_waiting
            or sum(each.size for each in waiting) + size > limits.max_waiting_bytes
            or (most_of_tenant is not None and len(of_tenant) + 1 > most_of_tenant)
        ):
            return None
        self.queue.put(key, tenant, key, is_background=is_background, size=size)
        return WAIT

    def next(self):
        if not self.has_room() or self.queue.next() is None:
            return None
        taken = self.queue.take()
        self.run(taken.key, taken.group)
        return taken.key

    def leave(self, key):
        if key in self.running:
            tenant = self.running.pop(key)
            self.queue.release(tenant)
        else:
            self.queue.remove(key)

    def describe(self):
        running = Counter(self.running.values())
        waiting = Counter(each.group for each in self.queue.waiting)
        return {name: TenantLoad(running[name], waiting[name]) for name in running | waiting}

    def here(self):
        return [*self.running, *(each.key for each in self.queue.waiting)]


def perform(step, key, made, naive):
    """One step on both: what each says of it."""
    match step:
        case ("arrive", tenant, size, is_background):
            verdict = made.arrive(key, tenant, size, key, is_background=is_background)
            expected = naive.arrive(key, tenant, size, is_background)
            if expected is None:
                assert isinstance(verdict, Refused)
                assert 0.1 <= verdict.retry_after_s <= 60
            else:
                assert verdict is expected
        case ("next",):
            assert made.next() == naive.next()
        case ("leave", which):
            here = naive.here()
            gone = here[which % len(here)] if here else "nobody"
            made.leave(gone, float(len(key)))
            naive.leave(gone)


@given(LIMITS, HISTORIES)
def test_it_agrees_with_a_naive_model_over_random_histories(limits, history):
    made, naive = Admission(limits, SHARE), NaiveAdmission(limits)
    for number, step in enumerate(history):
        perform(step, str(number), made, naive)
        waiting = naive.queue.waiting
        assert (made.running, made.waiting) == (len(naive.running), len(waiting))
        assert made.waiting_bytes == sum(each.size for each in waiting)
        assert made.describe() == naive.describe()
