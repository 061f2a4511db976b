"""What an exception asks for before it is tried again, whatever its attributes are and do."""

import math
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from enum import IntEnum
from types import SimpleNamespace

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stageflow_actors.errors import RateLimitError
from stageflow_actors.model.policies.retry_after import RetryAfter, retry_after_of

NOW = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC).timestamp()
LONGEST = 60.0
NO_NUMBER = "it is neither a number of seconds nor an HTTP date"


class Seconds(float):
    def __float__(self):
        raise RuntimeError("no number")

    __ge__ = __le__ = __lt__ = __repr__ = __float__


class Words(str):
    __slots__ = ()

    def __len__(self):
        raise RuntimeError("no length")

    __str__ = __repr__ = __getitem__ = __format__ = __len__


class Count(IntEnum):
    SEVEN = 7


def of(given, longest_s=LONGEST):
    return retry_after_of(RateLimitError(retry_after=given), NOW, longest_s)


def with_response(response):
    error = ValueError("from a client library")
    error.response = response
    return error


def with_header(value):
    return with_response(SimpleNamespace(headers={"Retry-After": value}))


# --- what counts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (0, 0),
        (7, 7),
        (1.5, 1.5),
        (60, 60),
        (-0.0, 0),
        ("7", 7),
        (" 1.5 ", 1.5),
        ("0", 0),
        ("Sun, 06 Nov 1994 08:50:07 GMT", 30),
        ("Sunday, 06-Nov-94 08:50:07 GMT", 30),
        ("Sun Nov  6 08:50:07 1994", 30),
        ("Sun, 06 Nov 1994 10:50:07 +0200", 30),
    ],
)
def test_seconds_and_dates_are_read(given, seconds):
    read = of(given)
    assert read == (seconds, None)
    assert type(read.seconds) is float
    assert math.copysign(1, read.seconds) == 1


@pytest.mark.parametrize("kind", [Seconds, Count, Words])
def test_what_a_subclass_makes_of_text_or_a_number_does_not_matter(kind):
    assert of(kind("7") if kind is Words else kind(7)) == (7, None)


@pytest.mark.parametrize("kind", [Seconds, Words])
def test_what_a_subclass_makes_of_text_or_a_number_is_not_told(kind):
    assert of(kind("-7")).ignored in [
        "retry_after=-7.0 was ignored: it is negative",
        "retry_after='-7' was ignored: it is negative",
    ]


def test_a_date_counts_from_a_fraction_of_a_second():
    error = RateLimitError(retry_after="Sun, 06 Nov 1994 08:49:38 GMT")
    assert retry_after_of(error, NOW + 0.25, LONGEST).seconds == 0.75


@pytest.fixture
def far_from_greenwich(monkeypatch):
    """This process is in a zone nine hours ahead of UTC."""
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "JST-9")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("far_from_greenwich")
def test_a_date_without_a_zone_is_in_utc_wherever_it_is_read():
    assert time.localtime(0).tm_hour == 9
    assert of("Sun Nov  6 08:50:07 1994").seconds == 30


@pytest.mark.parametrize("date", ["Sun, 06 Nov 1994 08:49:36 GMT", "Sun Nov  6 08:49:36 1904"])
def test_a_date_that_is_past_means_at_once(date):
    assert of(date) == (0.0, None)


@settings(deadline=None)
@given(st.integers(-10_000, 10_000))
def test_every_date_is_read_to_the_second(offset):
    date = format_datetime(datetime.fromtimestamp(NOW, UTC) + timedelta(seconds=offset), True)
    assert of(date, 10_000) == (max(0, offset), None)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no attribute"),
        RateLimitError(),
        with_response(None),
        with_response({"Error": {"Code": "Throttling"}}),
        with_response(SimpleNamespace(headers=None)),
        with_response(SimpleNamespace(headers={})),
    ],
    ids=["plain", "not given", "no response", "a dict", "no headers", "no header"],
)
def test_an_exception_that_asks_for_nothing_gets_nothing(error):
    assert retry_after_of(error, NOW, LONGEST) == RetryAfter(None, None)


# --- where it is read -----------------------------------------------------------------------------


def test_the_header_of_a_response_is_read():
    assert retry_after_of(with_header("7"), NOW, LONGEST) == (7.0, None)
    assert "'soon'" in retry_after_of(with_header("soon"), NOW, LONGEST).ignored


def test_the_header_of_an_httpx_exception_is_read():
    request = httpx.Request("GET", "http://localhost/")
    response = httpx.Response(429, headers={"retry-after": "7"}, request=request)
    with pytest.raises(httpx.HTTPStatusError) as failed:
        response.raise_for_status()
    assert retry_after_of(failed.value, NOW, LONGEST) == (7.0, None)


def test_an_httpx_exception_without_a_response_asks_for_nothing():
    assert retry_after_of(httpx.ConnectError("refused"), NOW, LONGEST) == (None, None)


def test_the_attribute_comes_before_the_header():
    error = with_header("7")
    error.retry_after = 3
    assert retry_after_of(error, NOW, LONGEST).seconds == 3
    error.retry_after = None
    assert retry_after_of(error, NOW, LONGEST).seconds == 7


# --- what is ignored, and how it is told ----------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "shown", "reason"),
    [
        (-1, "-1", "it is negative"),
        ("-0.5", "-0.5", "it is negative"),
        (-math.inf, "-inf", "it is negative"),
        (math.nan, "nan", "it is not a number"),
        ("nan", "nan", "it is not a number"),
        (math.inf, "inf", "it is more than 60 seconds"),
        ("1e999", "1e999", "it is more than 60 seconds"),
        (60.001, "60.001", "it is more than 60 seconds"),
        (10**5000, "an integer of 16610 bits", "it is more than 60 seconds"),
        (-(10**5000), "an integer of 16610 bits", "it is negative"),
        ("Sun, 06 Nov 1994 08:50:38 GMT", "Sun, 06 Nov 1994", "it is more than 60 seconds"),
        ("Fri, 31 Dec 9999 23:59:59 -2300", "9999", "it is more than 60 seconds"),
        ("soon", "'soon'", NO_NUMBER),
        ("", "''", NO_NUMBER),
        ("1994-11-06T08:50:07Z", "1994-11-06", NO_NUMBER),
        ("Sun, 06 Nov 1994 25:00:00 GMT", "25:00:00", NO_NUMBER),
        ("Sun, 06 Nov 1994 08:50:07 +99999999999", "+9999", NO_NUMBER),
        ("9" * 101, "'999", NO_NUMBER),
        (True, "True", NO_NUMBER),
        (False, "False", NO_NUMBER),
        (b"7", "'bytes'", NO_NUMBER),
        (Decimal(7), "'Decimal'", NO_NUMBER),
        ([7], "'list'", NO_NUMBER),
        (timedelta(seconds=7), "'timedelta'", NO_NUMBER),
    ],
    ids=lambda part: f"{type(part).__name__}",
)
def test_what_does_not_count_is_told_with_its_reason(given, shown, reason):
    seconds, ignored = of(given)
    assert seconds is None
    assert ignored.startswith("retry_after=")
    assert shown in ignored
    assert ignored.endswith(reason)


def test_the_longest_that_counts_is_that_of_the_caller():
    assert of(90, longest_s=90).seconds == 90
    assert of(0, longest_s=0).seconds == 0
    assert of(0.1, longest_s=0).ignored == (
        "retry_after=0.1 was ignored: it is more than 0 seconds"
    )


@pytest.mark.parametrize(
    "given",
    ["x" * 10**6, "\0" * 10**6, "\ud800\n", "9" * 10**6, 10**5000, type("X" * 10**6, (), {})()],
    ids=["text", "unprintable", "surrogate", "digits", "integer", "class"],
)
def test_what_is_told_is_short_and_printable(given):
    ignored = of(given).ignored
    assert type(ignored) is str
    assert len(ignored) <= 220
    assert ignored.isprintable()


# --- attributes that misbehave --------------------------------------------------------------------


class Nameless(type):
    @property
    def __name__(cls):
        raise RuntimeError("no name")


class Strange(metaclass=Nameless):
    @property
    def __class__(self):
        raise RuntimeError("no class")


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit, RecursionError])
def test_an_attribute_that_raises_is_ignored_and_told(kind):
    class Broken(Exception):
        @property
        def retry_after(self):
            raise kind("broken")

    seconds, ignored = retry_after_of(Broken(), NOW, LONGEST)
    assert seconds is None
    assert ignored == "retry_after was ignored: reading it raised an exception"


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit, RecursionError])
def test_a_response_that_raises_is_none(kind):
    class Broken(Exception):
        @property
        def response(self):
            raise kind("broken")

    assert retry_after_of(Broken(), NOW, LONGEST) == (None, None)


def test_an_object_without_class_or_name_is_ignored():
    assert of(Strange()).seconds is None
    assert of(Strange()).ignored


def test_an_exception_that_answers_everything_with_itself_is_ignored():
    class Mirror(Exception):
        def __getattr__(self, name):
            return self

        def __getitem__(self, key):
            return self

    assert "'Mirror'" in retry_after_of(Mirror(), NOW, LONGEST).ignored


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.text("0123456789.,:+-eE naifMonSunJGT", max_size=40),
    st.binary(),
    st.datetimes().map(lambda moment: format_datetime(moment.replace(tzinfo=UTC), True)),
    st.datetimes(),
    st.lists(st.integers()),
)


@settings(deadline=None)
@given(ANYTHING, st.booleans())
def test_whatever_is_given_is_within_bounds_or_ignored(given, in_header):
    error = with_header(given) if in_header else RateLimitError(retry_after=given)
    seconds, ignored = retry_after_of(error, NOW, LONGEST)
    if given is None:
        assert (seconds, ignored) == (None, None)
    elif seconds is None:
        assert ignored
    else:
        assert ignored is None
        assert 0 <= seconds <= LONGEST
