"""Times as they travel: whatever is packed comes back the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stageflow_actors.model.plain import packed_time, time_of

ZONES = [UTC, timezone(timedelta(hours=2)), ZoneInfo("Europe/Lisbon")]


@given(st.datetimes(timezones=st.sampled_from(ZONES)))
def test_a_time_comes_back_to_the_microsecond_and_in_its_zone(time):
    back = time_of(packed_time(time))
    assert (back.replace(tzinfo=None), back.tzinfo) == (time.replace(tzinfo=None), time.tzinfo)


@pytest.mark.parametrize("year", [1, 1899, 1900, 1969, 1970, 2026, 2099, 2100, 9999])
def test_the_last_microsecond_of_a_year_is_not_lost(year):
    time = datetime(year, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    assert time_of(packed_time(time)) == time


def test_a_time_of_now_travels_as_a_number():
    assert isinstance(packed_time(datetime.now(UTC)), float)
