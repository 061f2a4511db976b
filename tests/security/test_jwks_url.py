"""Keys that are fetched: when, how often, and what is left when they cannot be."""

from __future__ import annotations

import asyncio
import logging
import pickle
import queue
import threading

import pytest

from stageflow_actors import JwksUrl
from stageflow_actors.security import jwks_url
from stageflow_actors.security.jwks_fetch import MAX_BYTES, fetch, read_address
from tests.security.key_server import Issuer, serving
from tests.security.made_tokens import (
    claims,
    code_of,
    header,
    jwk,
    private,
    signed,
    token,
    verifier,
)

NEW = "rsa-new"


class Clock:
    """Goes on when it is told to."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def issuer():
    return Issuer()


@pytest.fixture
def port(issuer):
    issuer.answer = [jwk("rsa")]
    with serving(issuer) as port:
        yield port


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def reading(port, clock):
    """A verifier with the keys of the server; they are refreshed after 300, kept for 3600."""
    keys = JwksUrl(f"http://127.0.0.1:{port}/jwks?of=us", clock=clock, interval_s=30)
    return verifier(keys=keys, algorithms=["RS256"])


def signed_by(name):
    return signed(header(kid=name), claims(), private(name))


# --- how often ------------------------------------------------------------------------------------


async def test_nothing_is_fetched_before_the_first_token_and_then_once(reading, issuer):
    assert issuer.asked == []
    for _ in range(3):
        assert await code_of(reading, token()) is None
    assert issuer.asked == ["/jwks?of=us"]


async def test_a_new_key_is_found_and_one_that_was_withdrawn_is_not(reading, issuer, clock):
    assert await code_of(reading, token()) is None
    issuer.answer = [jwk(NEW)]
    clock.now += 30
    assert await code_of(reading, signed_by(NEW)) is None
    assert await code_of(reading, token()) == "AUTH-TOKEN-KEY"


async def test_a_withdrawn_key_is_noticed_when_the_keys_are_refreshed(reading, issuer, clock):
    assert await code_of(reading, token()) is None
    issuer.answer = [jwk(NEW)]
    clock.now += 300
    assert await code_of(reading, token()) is None
    clock.now += 1
    assert await code_of(reading, token()) == "AUTH-TOKEN-KEY"


async def test_tokens_with_unknown_keys_cause_one_fetch_per_interval(reading, issuer, clock):
    assert await code_of(reading, token()) is None
    for second in range(29):
        clock.now = 1000 + second
        assert await code_of(reading, token(kid=f"k{second}")) == "AUTH-TOKEN-KEY"
    assert len(issuer.asked) == 1
    clock.now = 1030
    await asyncio.gather(*[code_of(reading, token(kid=f"k{each}")) for each in range(50)])
    assert len(issuer.asked) == 2


async def test_a_key_for_another_algorithm_is_an_unknown_one(port, clock, issuer):
    keys = JwksUrl(f"http://127.0.0.1:{port}/", clock=clock)
    several = verifier(keys=keys, algorithms=["RS256", "ES256"])
    text = signed(header(alg="ES256"), claims(), private("ec"))
    assert await code_of(several, text) == "AUTH-TOKEN-KEY"
    assert len(issuer.asked) == 1


async def test_what_is_refused_without_a_key_fetches_nothing(reading, issuer):
    for text in ("x", token(kid=...), token(alg="HS256"), token(crit=["exp"])):
        assert await code_of(reading, text) is not None
    assert issuer.asked == []


async def test_no_token_says_where_its_key_is(reading, issuer):
    with serving(Issuer()) as stray:
        url = f"http://127.0.0.1:{stray}/"
    for text in (token(jku=url), token(x5u=url), token(kid=url)):
        await code_of(reading, text)
    assert issuer.asked == ["/jwks?of=us"]


async def test_failed_fetches_are_no_more_frequent(reading, issuer, clock):
    issuer.answer = 500
    for _ in range(5):
        assert await code_of(reading, token()) == "AUTH-KEYS-UNAVAILABLE"
    assert len(issuer.asked) == 1
    issuer.answer = [jwk("rsa")]
    clock.now += 30
    assert await code_of(reading, token()) is None


# --- what is left ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [500, 302, 204, b"", b"[]", b"{", b'{"keys": 7}', b'{"keys": [], "keys": []}', b"\xff"],
    ids=repr,
)
async def test_keys_that_cannot_be_fetched_again_go_on_for_a_while(reading, issuer, clock, answer):
    assert await code_of(reading, token()) is None
    issuer.answer = answer
    clock.now += 3600
    assert await code_of(reading, token()) is None
    assert set(issuer.asked) == {"/jwks?of=us"}  # no redirect is followed
    assert len(issuer.asked) == 2
    clock.now += 1
    assert await code_of(reading, token()) == "AUTH-KEYS-UNAVAILABLE"


async def test_an_empty_set_is_one_that_has_withdrawn_all_keys(reading, issuer, clock):
    assert await code_of(reading, token()) is None
    issuer.answer = []
    clock.now += 301
    assert await code_of(reading, token()) == "AUTH-TOKEN-KEY"


async def test_a_set_that_is_too_large_is_not_read(reading, issuer):
    good = b'{"keys": [], "x": "%s"}'
    issuer.answer = good % (b"x" * (MAX_BYTES - len(good) + 3))
    assert await code_of(reading, token()) == "AUTH-KEYS-UNAVAILABLE"


async def test_a_set_as_large_as_may_be_is_read(reading, issuer):
    good = b'{"keys": [], "x": "%s"}'
    issuer.answer = good % (b"x" * (MAX_BYTES - len(good) + 2))
    assert await code_of(reading, token()) == "AUTH-TOKEN-KEY"


async def test_a_server_that_is_not_there_denies_and_is_logged(reading, issuer, caplog):
    with serving(Issuer()) as port:
        pass
    gone = JwksUrl(f"http://127.0.0.1:{port}/?key=s3cret")
    absent = verifier(keys=gone, algorithms=["RS256"])
    assert await code_of(absent, token()) == "AUTH-KEYS-UNAVAILABLE"
    assert "The JWK Set of 127.0.0.1 was not fetched: ConnectionRefusedError" in caplog.text
    assert "s3cret" not in caplog.text


# --- while it is fetched --------------------------------------------------------------------------


async def test_the_loop_goes_on_and_all_wait_for_the_same_fetch(reading, issuer):
    issuer.gate.clear()
    waiting = [asyncio.create_task(code_of(reading, token())) for _ in range(50)]
    await asyncio.to_thread(issuer.is_asked.wait)
    assert not any(each.done() for each in waiting)
    issuer.gate.set()
    assert set(await asyncio.gather(*waiting)) == {None}
    assert len(issuer.asked) == 1


async def test_one_that_gives_up_waiting_ends_the_fetch_for_nobody(reading, issuer):
    issuer.gate.clear()
    first, second = (asyncio.create_task(code_of(reading, token())) for _ in range(2))
    await asyncio.to_thread(issuer.is_asked.wait)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    issuer.gate.set()
    assert await second is None


async def test_a_server_that_does_not_answer_is_not_waited_for(port, issuer):
    issuer.gate.clear()
    keys = JwksUrl(f"http://127.0.0.1:{port}/", timeout_s=0.05)
    assert await code_of(verifier(keys=keys, algorithms=["RS256"]), token()) == (
        "AUTH-KEYS-UNAVAILABLE"
    )


async def test_a_fetch_that_hangs_is_not_waited_for(monkeypatch):
    gate = threading.Event()
    monkeypatch.setattr(jwks_url, "fetch", lambda *_args: gate.wait(60))
    keys = JwksUrl("https://login.example.org/", timeout_s=0.05)
    asked = code_of(verifier(keys=keys, algorithms=["RS256"]), token())
    assert await asked == "AUTH-KEYS-UNAVAILABLE"
    assert not gate.is_set()
    gate.set()


async def test_a_fetch_that_hangs_keeps_no_later_one_from_being_made(monkeypatch, clock):
    gate, begun = threading.Event(), queue.Queue()

    def hang(*_args):
        begun.put(clock.now)
        gate.wait(60)

    monkeypatch.setattr(jwks_url, "fetch", hang)
    keys = JwksUrl("https://login.example.org/", timeout_s=0.05, clock=clock)
    for _ in range(2):
        await code_of(verifier(keys=keys, algorithms=["RS256"]), token())
        clock.now += 30
    assert [begun.get(timeout=60) for _ in range(2)] == [1000, 1030]
    gate.set()


def test_a_fetch_that_ends_after_its_loop_disturbs_nobody(monkeypatch, caplog):
    gate = threading.Event()
    monkeypatch.setattr(jwks_url, "fetch", lambda *_args: gate.wait(60))
    keys = JwksUrl("https://login.example.org/", timeout_s=0.05)
    before = threading.enumerate()
    asyncio.run(code_of(verifier(keys=keys, algorithms=["RS256"]), token()))
    started = [each for each in threading.enumerate() if each not in before]
    (fetching,) = [each for each in started if each.name == "jwks"]
    gate.set()
    fetching.join()
    assert [each.name for each in caplog.records if each.levelno > logging.WARNING] == []


def test_no_step_of_a_fetch_takes_longer_than_it_may(port, issuer):
    issuer.gate.clear()
    with pytest.raises(TimeoutError):
        fetch(read_address(f"http://127.0.0.1:{port}/"), 0.05)


def test_it_serves_several_event_loops(reading, issuer):
    def run():
        results.append(asyncio.run(code_of(reading, token())))

    results = []
    threads = [threading.Thread(target=run) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert results == [None] * 4
    assert len(issuer.asked) == 1


async def test_a_copy_fetches_for_itself_and_says_the_same(port, issuer):
    keys = JwksUrl(f"http://127.0.0.1:{port}/", refresh_s=7, keep_s=8, interval_s=9, timeout_s=10)
    ours = verifier(keys=keys, algorithms=["RS256"])
    before = pickle.dumps(ours)
    assert await code_of(ours, token()) is None
    assert pickle.dumps(ours) == before
    assert await code_of(pickle.loads(before), token()) is None
    assert len(issuer.asked) == 2
    copied = pickle.loads(pickle.dumps(keys))
    assert copied.__reduce__()[0].keywords == keys.__reduce__()[0].keywords
    assert copied.__reduce__()[0].keywords["interval_s"] == 9


async def test_no_proxy_comes_between(reading, issuer, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert await code_of(reading, token()) is None
