"""What a ``FairQueue`` should do, by looking through all that waits each time."""

from typing import Any, NamedTuple


class Waiting(NamedTuple):
    key: int
    group: str
    item: Any
    is_background: bool
    size: int


class NaiveQueue:
    """One list. Of each group it knows when it last had a turn, or came: the oldest is next."""

    def __init__(self, share):
        self.share = share
        self.waiting = []
        self.last = {}
        self.held = set()
        self.passed = 0
        self.now = 0

    def stamp(self, group, is_background):
        self.now += 1
        self.last[group, is_background] = self.now

    def put(self, key, group, item, *, is_background, size=0):
        if not [w for w in self.waiting if (w.group, w.is_background) == (group, is_background)]:
            self.stamp(group, is_background)
        self.waiting.append(Waiting(key, group, item, is_background, size))

    def first(self, is_background):
        able = [w for w in self.waiting if w.is_background == is_background]
        able = [w for w in able if w.group not in self.held]
        return min(able, key=lambda w: self.last[w.group, w.is_background], default=None)

    def next(self):
        interactive, background = self.first(False), self.first(True)
        if interactive and background:
            return background if self.passed == self.share - 1 else interactive
        return interactive or background

    def take(self):
        taken = self.next()
        was_passed = self.first(True) is not None and not taken.is_background
        self.passed = self.passed + 1 if was_passed else 0
        self.waiting.remove(taken)
        self.stamp(taken.group, taken.is_background)
        return taken

    def find(self, key):
        return next((w for w in self.waiting if w.key == key), None)

    def remove(self, key):
        found = self.find(key)
        if found:
            self.waiting.remove(found)
        return found

    def hold(self, group):
        self.held.add(group)

    def release(self, group):
        if group in self.held:
            self.held.remove(group)
            self.stamp(group, False)
            self.stamp(group, True)
