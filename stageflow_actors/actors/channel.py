"""``Channel``: the sending end of a mailbox: many messages to one actor, in few calls.

A call to an actor costs a millisecond, whatever it carries. An idle channel sends at once; a busy
one gathers. Replies come back in the calls' own returns, gathered as they are ready: one call is
kept open as long as replies are due, and the other end answers it when a newer one arrives.

Each call has a number. One whose request or reply was lost is made again, and the other end knows
it; replies are numbered, too, and kept there until it is known that they arrived. So every message
is worked on once, and every reply is taken once and in order, as long as both processes live.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, NamedTuple, Protocol

from stageflow_actors.actors.asking import ASK_AGAIN_S
from stageflow_actors.actors.direct_line import DirectCall, DirectCallError
from stageflow_actors.actors.parcels import Parcel, unwrap, wrap
from stageflow_actors.actors.ray_errors import CallFault, FaultKind, fault_of
from stageflow_actors.model.settings import Settings

_MOST_CALLS = 2
"""Calls in flight: one that listens, and one on its way."""
_MADE_AGAIN = (FaultKind.UNANSWERED, FaultKind.NEVER_RAN)


class Post(NamedTuple):
    """One call. ``floor`` is the first call that may be made again, ``have`` the last reply that
    has arrived; with ``is_lossy`` those after it are wanted again. ``listens``: wait for replies.
    ``serial`` counts repetitions, too: a post may arrive after one that was made later.
    """

    serial: int
    number: int
    floor: int
    have: int
    is_lossy: bool
    listens: bool
    messages: Sequence[Any]


class Sender(Protocol):
    """Makes calls. What it returns has a ``future()``, as a reference of Ray has."""

    def send(self, parcel: Parcel) -> Any:
        """The call, by whatever way."""

    def send_by_ray(self, parcel: Parcel) -> Any:
        """The call, for one that another way could not bring to an end."""


class _Call:
    __slots__ = ("has_refs", "messages", "number", "tries")

    def __init__(self, number: int, messages: Sequence[Any], *, has_refs: bool) -> None:
        self.has_refs = has_refs
        self.number = number
        self.messages = messages
        self.tries = 1


class Channel:
    """``sender`` makes calls to the other end, an ``Exchange``; ``take`` gets each reply.

    ``listens`` says whether replies are due. ``broken`` is called once, when nothing can be sent
    any more; what was sent by then may have been worked on, ``unsent`` was not. All on the event
    loop on which it was made.
    """

    __slots__ = (
        "_broken",
        "_calls",
        "_early",
        "_have",
        "_is_closed",
        "_is_lossy",
        "_is_scheduled",
        "_last",
        "_listens",
        "_loop",
        "_most_bytes",
        "_most_messages",
        "_most_tries",
        "_owes_word",
        "_posts",
        "_sender",
        "_take",
        "_unsent",
        "calls",
        "repeated",
    )

    def __init__(
        self,
        sender: Sender,
        listens: Callable[[], bool],
        take: Callable[[Any], None],
        broken: Callable[[CallFault], None],
        settings: Settings,
    ) -> None:
        self._sender = sender
        self._listens = listens
        self._take = take
        self._broken = broken
        self._loop = asyncio.get_running_loop()
        self._most_messages = settings.max_messages_per_call
        self._most_bytes = settings.max_bytes_per_call
        self._most_tries = settings.max_unanswered_calls
        self._unsent: deque[tuple[Any, int, bool]] = deque()
        self._calls: dict[int, _Call] = {}
        self._last = 0
        self._posts = 0
        self._have = 0
        self._early: dict[int, Sequence[Any]] = {}
        self._owes_word = False
        self._is_lossy = False
        self._is_scheduled = False
        self._is_closed = False
        self.calls = 0
        self.repeated = 0

    def put(self, message: Any, size: int, *, has_refs: bool = False) -> None:
        """Send ``message``, of about ``size`` bytes, with all others of this turn of the loop.

        ``has_refs``: references to objects of Ray may be in it.
        """
        self._unsent.append((message, size, has_refs))
        if len(self._unsent) == self._most_messages:  # no more fit into one call
            self._flush()
        else:
            self.wake()

    def wake(self) -> None:
        """Look again whether there is anything to send or to listen for."""
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self._flush)

    def unsent(self) -> list[Any]:
        """Close, and give back what was not sent."""
        self._is_closed = True
        unsent = [message for message, _size, _has_refs in self._unsent]
        self._unsent.clear()
        return unsent

    def _flush(self) -> None:
        self._is_scheduled = False
        if self._is_closed:
            return
        calls = self._calls
        while self._unsent and len(calls) < _MOST_CALLS:
            messages, has_refs = self._next_messages()
            self._begin(messages, has_refs=has_refs)
        if not calls and (self._owes_word or self._listens()):
            self._begin((), has_refs=False)

    def _next_messages(self) -> tuple[list[Any], bool]:
        unsent, room = self._unsent, self._most_bytes
        messages: list[Any] = []
        any_refs = False
        while unsent and len(messages) < self._most_messages:
            message, size, has_refs = unsent[0]
            if size > room and messages:
                break
            room -= size
            unsent.popleft()
            messages.append(message)
            any_refs = any_refs or has_refs
        return messages, any_refs

    def _begin(self, messages: Sequence[Any], *, has_refs: bool) -> None:
        self._last += 1
        self._owes_word = False
        call = self._calls[self._last] = _Call(self._last, messages, has_refs=has_refs)
        self._make(call, self._sender.send)

    def _make(self, call: _Call, send: Callable[[Parcel], Any]) -> None:
        if self._is_closed:
            return
        self.calls += 1
        self._posts += 1
        post = Post(
            self._posts,
            call.number,
            next(iter(self._calls)),
            self._have,
            self._is_lossy,
            self._listens(),
            call.messages,
        )
        try:
            answer: Future[Parcel] = send(wrap(tuple(post), has_refs=call.has_refs)).future()
        except Exception as error:
            self._loop.call_soon(self._miss, call, fault_of(error))
            return
        self._is_lossy = False
        # A direct call is done on this event loop, one of Ray on any thread.
        done = self._made if isinstance(answer, DirectCall) else self._answered
        answer.add_done_callback(partial(done, call))

    def _answered(self, call: _Call, answer: Future[Parcel]) -> None:
        """From another thread, too."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is waiting any more
            self._loop.call_soon_threadsafe(self._made, call, answer)

    def _made(self, call: _Call, answer: Future[Parcel]) -> None:
        if self._is_closed:
            return
        try:
            parcel = answer.result()
            replies = unwrap(parcel)
        except DirectCallError:
            self._is_lossy = True
            self._make(call, self._sender.send_by_ray)
            return
        except Exception as error:
            self._miss(call, fault_of(error))
            return
        del self._calls[call.number]
        # References are kept at the other end until it knows that they are here.
        self._owes_word = not isinstance(parcel, bytes)
        for number, items in replies:
            if number > self._have:
                self._early[number] = items
        while self._have + 1 in self._early:
            self._have += 1
            for item in self._early.pop(self._have):
                try:
                    self._take(item)
                except Exception as error:  # whatever it is, the others are not to miss theirs
                    told = {"message": "A reply could not be taken.", "exception": error}
                    self._loop.call_exception_handler(told)
        self._flush()

    def _miss(self, call: _Call, fault: CallFault) -> None:
        if fault.kind not in _MADE_AGAIN or call.tries > self._most_tries:
            self._break(fault)
            return
        self._is_lossy = True
        self.repeated += 1
        self._loop.call_later(call.tries * ASK_AGAIN_S, self._make, call, self._sender.send_by_ray)
        call.tries += 1

    def _break(self, fault: CallFault) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        if fault.kind is FaultKind.NEVER_RAN:  # this call; what others brought may have been begun
            fault = fault._replace(kind=FaultKind.UNANSWERED)
        self._broken(fault)
