"""``Rule``: what every run keeps to, whatever happens in it."""

from __future__ import annotations

from enum import StrEnum


class Rule(StrEnum):
    """Each violation begins with one of these."""

    ONE_VERDICT = "one verdict, and nothing after it"
    ENDS = "every accepted run ends"
    STATUS = "the verdict is that of the first cause"
    TOLERATED = "a tolerated failure decides nothing"
    NO_LIVE_BODY = "no verdict while a body is live"
    ORDER = "a stage waits for what comes before it"
    ROUTES = "a stage runs or is skipped as routes, conditions and failures say"
    GATE = "nobody reads what a guard may still reject"
    NO_LATE_START = "what stops a run keeps stages from starting"
    FINALIZERS = "finalizers run after a failure"
    AHEAD = "a run catches up with what was begun ahead of it"
    ATTEMPTS = "attempts follow each other, as often as the policy says"
    ONE_RESULT = "a result comes from the last attempt, once"
    ONCE_ONLY = "what may happen once only is not repeated in doubt"
    POISON = "what kills its process is tried alone, and then not again"
    TOTAL_TIME = "no attempt after the time for all of them"
    BUDGET = "a run has so many retries"
    WAITS = "a retry waits as long as it has to"
    GUARD_ROUNDS = "a guard rejects so often"
    STOPS = "who has to stop is told, and killed if it does not"
    LEFT_ALONE = "an attempt that has ended is left alone"
    TIMERS = "every timer armed is disarmed once"
    EVENTS = "events say what happened"
