from lineman.brokers.cluster_clock import MAX_AGE, TOLERANCE, ClusterClock


class Time:
    """A machine's clocks."""

    def __init__(self, wall: float) -> None:
        self.passed = 0.0
        self.wall = wall

    def clock(self) -> ClusterClock:
        return ClusterClock(lambda: self.passed, lambda: self.wall)


def test_it_runs_evenly_though_the_machines_clock_is_set() -> None:
    time = Time(1000.0)
    clock = time.clock()
    assert clock.now() == 1_000_000
    time.passed, time.wall = 5.0, 77.0
    assert clock.now() == 1_005_000


def test_a_clock_that_is_behind_catches_up_with_what_it_hears() -> None:
    behind, ahead = Time(1000.0).clock(), Time(5000.0).clock()
    assert not ahead.may_begin(behind.now())
    behind.hear(ahead.now())
    assert behind.now() == ahead.now()
    assert ahead.may_begin(behind.now())


def test_a_clock_is_never_set_back() -> None:
    clock = Time(1000.0).clock()
    clock.hear(5)
    assert clock.now() == 1_000_000


def test_a_recorded_session_is_too_old_to_begin() -> None:
    time = Time(1000.0)
    clock = time.clock()
    time.passed = 100.0
    recorded = clock.now()
    time.passed += MAX_AGE
    assert clock.may_begin(recorded)
    time.passed += 0.1
    assert not clock.may_begin(recorded)
    assert clock.hear(recorded) > MAX_AGE


def test_what_is_from_before_the_start_is_not_for_this_process() -> None:
    clock = Time(1000.0).clock()
    assert clock.may_begin(int((1000 - TOLERANCE) * 1000))
    assert not clock.may_begin(int((1000 - TOLERANCE) * 1000) - 1)
