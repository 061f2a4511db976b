"""Random data and random graphs for the tests of the model."""

from __future__ import annotations

from datetime import UTC

from hypothesis import strategies as st

ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.binary(max_size=8)
    | st.uuids()
    | st.decimals(allow_nan=False)
    | st.fractions()
    | st.dates()
    | st.datetimes(timezones=st.just(UTC))
    | st.timedeltas()
)
KEYS = st.text(max_size=4) | st.integers() | st.tuples(st.integers(), st.text(max_size=2))
JSON_ATOMS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
)


def _nested(items: st.SearchStrategy) -> st.SearchStrategy:
    return (
        st.lists(items, max_size=4)
        | st.lists(items, max_size=4).map(tuple)
        | st.dictionaries(KEYS, items, max_size=4)
        | st.sets(st.integers() | st.text(max_size=4), max_size=4)
    )


PLAIN_DATA = st.recursive(ATOMS, _nested, max_leaves=20)
JSON_DATA = st.recursive(
    JSON_ATOMS,
    lambda items: (
        st.lists(items, max_size=4) | st.dictionaries(st.text(max_size=4), items, max_size=4)
    ),
    max_leaves=20,
)


@st.composite
def random_dags(draw: st.DrawFn, max_stages: int = 12) -> dict[str, tuple[str, ...]]:
    """Name -> dependencies of an acyclic graph, its stages in an order of their own."""
    count = draw(st.integers(1, max_stages))
    earlier = [
        draw(st.sets(st.integers(0, index - 1))) if index else set() for index in range(count)
    ]
    shuffled = draw(st.permutations(range(count)))
    return {f"s{index}": tuple(f"s{e}" for e in sorted(earlier[index])) for index in shuffled}
