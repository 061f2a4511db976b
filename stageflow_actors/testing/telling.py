"""``Story``: a history read from its beginning, and what is known at each moment of it."""

from __future__ import annotations

from collections import defaultdict

from stageflow_actors.engine.facts import Ending, Timer, TimerKind
from stageflow_actors.model.plan import StagePlan
from stageflow_actors.model.policies.effects import Effects
from stageflow_actors.model.policies.retry import RetryPolicy, RetrySchedule
from stageflow_actors.testing.history import History, Record, What
from stageflow_actors.testing.lanes import (
    FAILURES,
    Cause,
    Change,
    Lane,
    Note,
    Outcome,
    Rank,
)

_OUTCOMES = (
    (Ending.OK, Outcome.OK),
    (Ending.SKIP, Outcome.SKIPPED),
    (Ending.CANCEL, Outcome.CANCELLED),
    (Ending.CANCEL_BRANCH, Outcome.BRANCH_CANCELLED),
    (Ending.INTERRUPTED, Outcome.INTERRUPTED),
)
_STOPS_OF_TIME = (TimerKind.ATTEMPT, TimerKind.TOTAL)


_NO_PASS = (Outcome.FELL_BACK, Outcome.BRANCH_CANCELLED)


class Story:
    """What somebody outside knows once the records so far have been read with ``read``.

    ``changes`` has every outcome so far, and ``change`` the one that the last record brought.
    ``causes`` are the reasons to stop so far, ``live`` the bodies that really are, ``answered``
    the first stage that answered a stop by asking for one. ``is_cancelled``: there has been
    something after which nothing starts, be it a cancel, the run's deadline or an escalation.
    ``announced`` are stages that are said to have begun ahead of the run; it is at ``tick``.
    """

    def __init__(self, history: History) -> None:
        self.history = history
        self.stages = history.plan.stages
        self.lanes = [Lane() for _ in self.stages]
        self.changes: list[Change] = []
        self.change: Change | None = None
        self.causes: list[Cause] = []
        self.live: set[tuple[int, int]] = set()
        self.announced: set[int] = set()
        self.tick = 0
        self.armed: set[Timer] = set()
        self.retries_spent = 0
        self.is_cancelled = False
        self.answered: tuple[int, int] | None = None
        self.verdicts = 0
        self._by_tick: defaultdict[tuple[int, What, int], list[Record]] = defaultdict(list)
        for record in history.records:
            self._by_tick[record.tick, record.what, record.stage].append(record)

    def in_tick(self, tick: int, what: What, stage: int) -> list[Record]:
        """The records of one tick about one stage, later ones included."""
        return self._by_tick.get((tick, what, stage), [])

    def has_timer(self, tick: int, what: What, stage: int, *kinds: TimerKind) -> bool:
        """Whether a timer of one of these kinds was armed, disarmed or fired in a tick."""
        return any(
            each.timer is not None and each.timer.kind in kinds
            for each in self.in_tick(tick, what, stage)
        )

    @property
    def cause(self) -> Cause | None:
        """What the run stops for, as far as is known by now."""
        if not self.causes:
            return None
        first = min(cause.tick for cause in self.causes)
        return min((cause for cause in self.causes if cause.tick == first), key=_by_rank)

    @property
    def may_finalize(self) -> bool:
        """Whether the run stops, and finalizers still run."""
        cause = self.cause
        is_failure = cause is not None and cause.rank in (Rank.FAILURE, Rank.TIMEOUT)
        return is_failure and not self.is_cancelled

    def is_caught_up_with(self, record: Record) -> bool:
        """Whether a start is none: the stage was begun ahead of the run, as that has heard."""
        return record.what is What.STARTED and record.stage in self.announced

    def read(self, record: Record) -> None:
        """Take note of the next record."""
        self.change, self.tick = None, record.tick
        match record.what:
            case What.ACCEPTED | What.CANCEL_ASKED | What.ESCALATED | What.FIRED:
                self._read_stop(record)
            case What.STARTED | What.BEGUN_AHEAD | What.BODY_OVER:
                self._read_body(record)
            case What.TOLD_TO_STOP:
                self._read_told(record)
            case What.END_TOLD:
                self._read_end(record)
            case What.SKIPPED:
                lane = self.lanes[record.stage]
                lane.note = self.why_skipped(record.stage) or Note.REASON
                self._settle(record, lane.last or 1, Outcome.SKIPPED, None)
            case What.FORGOTTEN:
                self.lanes[record.stage].forget()
            case What.ARMED | What.DISARMED:
                self._read_timer(record)
            case What.VERDICT:
                self.verdicts += 1

    def why_skipped(self, index: int) -> Note | None:
        """Why this stage is skipped now that all it waits for is over; ``None`` if it runs."""
        stage, lanes = self.stages[index], self.lanes
        if stage.router is not None:
            router = lanes[stage.router]
            if router.note is Note.UNSELECTED:
                return Note.UNSELECTED
            fell_out = router.is_tolerated or router.note is Note.BLOCKED
            if not fell_out and router.route not in stage.route:
                return Note.UNSELECTED
        notes = [lanes[other].note for other in stage.dependencies]
        if notes and all(note is Note.UNSELECTED for note in notes):
            return Note.UNSELECTED
        for other in stage.strict:
            is_missing = lanes[other].is_tolerated or lanes[other].note is Note.BLOCKED
            if is_missing and (other not in stage.optional or other == stage.router):
                return Note.BLOCKED
        if any(lanes[guard].outcome in _NO_PASS for guard in stage.gates):
            return Note.BLOCKED
        return Note.REASON if stage.conditional and Note.REASON in notes else None

    def _read_body(self, record: Record) -> None:
        lane, body = self.lanes[record.stage], (record.stage, record.attempt)
        if record.what is What.BODY_OVER:
            self.live.discard(body)
        elif record.what is What.BEGUN_AHEAD:
            lane.is_ahead = True
            self.live.add(body)
        else:
            if not self.is_caught_up_with(record):
                self.live.add(body)
            self.announced.discard(record.stage)
            lane.start(record.attempt, is_alone=record.is_alone)

    def _read_stop(self, record: Record) -> None:
        if record.what is What.CANCEL_ASKED:
            self._note_the_end_of_starts(record, Rank.EXTERNAL_CANCEL)
        elif record.what is What.ESCALATED:
            self._note_the_end_of_starts(record, Rank.ESCALATION)
        elif record.what is What.ACCEPTED:
            limit_s = self.history.limit_s
            if limit_s is not None and limit_s <= 0:
                self._note_the_end_of_starts(record, Rank.DEADLINE)
        elif record.timer is not None and record.timer.kind is TimerKind.RUN:
            self._note_the_end_of_starts(record, Rank.DEADLINE)
        elif record.timer is not None and record.timer.kind is TimerKind.TOTAL:
            self.lanes[record.stage].is_out_of_time = True
        elif record.timer is not None and record.timer.kind is TimerKind.GUARD:
            lane = self.lanes[record.stage]
            lane.guard_time_up = record.tick if lane.rejections else None

    def _note_the_end_of_starts(self, record: Record, rank: Rank) -> None:
        self.is_cancelled = True
        self.causes.append(Cause(record.tick, rank, -1))

    def _read_told(self, record: Record) -> None:
        lane = self.lanes[record.stage]
        lane.is_told = True
        if not self.has_timer(record.tick, What.FIRED, record.stage, *_STOPS_OF_TIME):
            return
        lane.is_late = True
        is_first = all(cause.tick >= record.tick for cause in self.causes)
        if is_first and self._is_fatal(record.stage) and not self._may_repeat_timeout(record):
            self.causes.append(Cause(record.tick, Rank.TIMEOUT, record.stage))

    def _is_fatal(self, index: int) -> bool:
        stage = self.stages[index]
        return stage.fallback is None and not stage.mode.is_tolerant

    def _may_repeat_timeout(self, told: Record) -> bool:
        """Whether another attempt may follow; where both limits are up, that of them all counts."""
        stage, lane = self.stages[told.stage], self.lanes[told.stage]
        if stage.retry is None or not stage.retry.covers_timeout:
            return False
        if lane.is_out_of_time:
            return False
        has_left = self.retries_spent < self.history.settings.max_retries_per_run
        is_within = lane.retries + 1 < stage.retry.max_attempts
        return has_left and is_within and stage.effects is not Effects.ONCE_ONLY

    def _read_end(self, record: Record) -> None:
        lane = self.lanes[record.stage]
        if lane.open != record.attempt:
            return  # told before, or of an attempt that is of no interest any more
        lane.open = 0
        self.announced.update(record.ahead)
        if record.ahead:
            lane.is_late = False  # others go on from it: it was in time
        lane.deaths += is_death(record) and not lane.is_told
        outcome = self._outcome_of(record, lane)
        if lane.is_late or record.ending in (Ending.LOST, Ending.TIMED_OUT):
            lane.in_doubt = True
        signal = record.signal
        if record.ending is Ending.SKIP or (signal is not None and signal.skip_reason):
            lane.note = Note.REASON
        if record.ending is Ending.CANCEL_BRANCH:
            lane.note = Note.UNSELECTED
        lane.route = None if signal is None else signal.route
        if outcome not in (Outcome.OK, Outcome.SKIPPED, Outcome.BRANCH_CANCELLED):
            lane.note = lane.route = None
        self._settle(record, record.attempt, outcome, record)

    def _outcome_of(self, record: Record, lane: Lane) -> Outcome:
        ending = Ending.TIMED_OUT if lane.is_late else record.ending
        if ending not in FAILURES:
            return next(outcome for each, outcome in _OUTCOMES if each is ending)
        tick, stage = record.tick, record.stage
        if self.has_timer(tick, What.ARMED, stage, TimerKind.RETRY):
            return Outcome.RETRYING
        if self.in_tick(tick, What.FORGOTTEN, stage):
            return Outcome.REJECTED
        if self.in_tick(tick, What.FELL_BACK, stage):
            return Outcome.FELL_BACK
        if ending is Ending.LOST and lane.is_told:
            return Outcome.INTERRUPTED
        return Outcome.TIMED_OUT if ending is Ending.TIMED_OUT else Outcome.FAILED

    def _settle(self, at: Record, attempt: int, outcome: Outcome, told: Record | None) -> None:
        index = at.stage
        stage, lane = self.stages[index], self.lanes[index]
        was_stopped = lane.is_told and not lane.is_late
        lane.outcome = outcome
        has_failed = outcome in (Outcome.FAILED, Outcome.TIMED_OUT)
        lane.is_tolerated = has_failed and stage.mode.is_tolerant and not was_stopped
        if has_failed and not lane.is_tolerated and not was_stopped:
            rank = Rank.TIMEOUT if outcome is Outcome.TIMED_OUT else Rank.FAILURE
            self.causes.append(Cause(at.tick, rank, index))
        has_stopped = outcome in (Outcome.CANCELLED, Outcome.INTERRUPTED) and told is not None
        if has_stopped and not lane.is_told:
            self.causes.append(Cause(at.tick, Rank.STAGE_CANCEL, index))
        if outcome is Outcome.CANCELLED and was_stopped:
            answer = (at.tick, index)
            self.answered = answer if self.answered is None else min(self.answered, answer)
        is_free = outcome is Outcome.RETRYING and self._is_free(index, told)
        if outcome is Outcome.RETRYING:
            lane.retries += not is_free
            self.retries_spent += not is_free
        elif outcome is Outcome.REJECTED:
            hint = None if told is None else told.hint
            lane.count_rejection("" if hint is None else hint.fingerprint)
        else:
            lane.rejections = lane.equal_rejections = 0
            lane.guard_time_up = None
        self.change = Change(at.tick, index, attempt, outcome, told, is_free, lane.is_tolerated)
        self.changes.append(self.change)

    def _is_free(self, index: int, told: Record | None) -> bool:
        stage, lane = self.stages[index], self.lanes[index]
        is_loss = told is not None and told.ending is Ending.LOST and not lane.is_late
        if told is None or not is_loss or stage.effects is Effects.ONCE_ONLY:
            return False
        policy_covers = stage.retry is not None and stage.retry.covers_loss
        return stage.effects.allow_repeats or (policy_covers and not is_death(told))

    def _read_timer(self, record: Record) -> None:
        timer, lane = record.timer, self.lanes[record.stage]
        if timer is None:
            return
        if record.what is What.ARMED:
            self.armed.add(timer)
            if timer.kind is TimerKind.RETRY:
                lane.retry_due = record.at + record.seconds
            return
        self.armed.discard(timer)
        is_waiting = timer.kind is TimerKind.RETRY and lane.outcome is Outcome.RETRYING
        if not is_waiting or self.in_tick(record.tick, What.STARTED, record.stage):
            return
        if not self.has_timer(record.tick, What.FIRED, record.stage, TimerKind.TOTAL):
            self._settle(record, lane.last, Outcome.INTERRUPTED, None)
        elif self.in_tick(record.tick, What.FELL_BACK, record.stage):
            self._settle(record, lane.last, Outcome.FELL_BACK, None)
        else:
            self._settle(record, lane.last, Outcome.TIMED_OUT, None)


def schedule_of(stage: StagePlan) -> RetrySchedule:
    """The policy of a stage, or what one without a policy gets that asks for a retry."""
    return stage.retry or RetryPolicy().schedule


def is_death(told: Record) -> bool:
    """Whether an attempt killed its process, as far as anybody knows."""
    is_innocent = told.hint is not None and told.hint.is_innocent
    return told.ending is Ending.LOST and not is_innocent


def _by_rank(cause: Cause) -> tuple[Rank, int]:
    return cause.rank, cause.stage
