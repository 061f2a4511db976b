"""The pipelines that stages may start, by name."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from stageflow_actors import Pipeline
from stageflow_actors.actors.registry import PipelineRegistry, unknown_pipeline
from stageflow_actors.errors import (
    PipelineValidationError,
    StageDefinitionError,
    UnknownPipelineError,
    plain_text,
)


class Text(str):
    """A ``str`` of the user's, unlike any other."""

    def __eq__(self, other):
        raise AssertionError("compared by code of the user's")

    __hash__ = None

    def strip(self, *args):
        raise AssertionError("stripped by code of the user's")


class Unspeakable:
    def __repr__(self):
        raise OSError("no words")


def pipeline(name="words"):
    return Pipeline(name).with_stage("read", lambda ctx: None, "work")


def deployable(**other):
    made = pipeline()
    parts = ("plan", "specs", "execution", "interceptors", "admissions")
    return SimpleNamespace(**{part: getattr(made, part) for part in parts} | other)


# --- what is in it --------------------------------------------------------------------------------


def test_a_pipeline_is_found_by_its_own_name():
    words, numbers = pipeline("words"), pipeline("numbers").build()
    registry = PipelineRegistry([words, numbers])
    assert registry.get("words") is words
    assert registry.get("numbers") is numbers


def test_a_mapping_gives_the_names():
    words = pipeline("words")
    registry = PipelineRegistry({"first": words, "again": words})
    assert registry.get("first") is registry.get("again") is words
    assert "words" not in registry


@pytest.mark.parametrize("nothing", [None, [], {}], ids=repr)
def test_it_may_be_empty(nothing):
    registry = PipelineRegistry(nothing)
    assert len(registry) == 0
    assert [*registry] == []
    assert registry.items() == ()


def test_names_and_items_are_sorted():
    made = {name: pipeline(name) for name in ("b", "c", "a")}
    registry = PipelineRegistry(made.values())
    assert [*registry] == ["a", "b", "c"]
    assert registry.items() == tuple((name, made[name]) for name in "abc")
    assert len(registry) == 3


def test_it_says_what_it_contains_of_anything():
    registry = PipelineRegistry([pipeline("words")])
    assert "words" in registry
    assert Text("words") in registry
    for other in ("word", "", None, 7, [], {}):
        assert other not in registry


def test_two_registries_know_nothing_of_each_other():
    first, second = PipelineRegistry(), PipelineRegistry()
    first.register(pipeline())
    assert len(second) == 0


# --- registering ----------------------------------------------------------------------------------


def test_registering_tells_the_name():
    registry = PipelineRegistry()
    assert registry.register(pipeline("words")) == "words"
    assert registry.register(pipeline("words"), name="others") == "others"
    assert [*registry] == ["others", "words"]


def test_the_same_object_may_come_again():
    words = pipeline()
    registry = PipelineRegistry([words, words])
    registry.register(words)
    registry.register(words, name="words")
    assert len(registry) == 1


@pytest.mark.parametrize("name", [None, "words"])
def test_another_pipeline_of_a_name_is_refused_and_the_first_stays(name):
    words = pipeline("words")
    registry = PipelineRegistry([words])
    with pytest.raises(StageDefinitionError, match="registered as 'words' already") as refused:
        registry.register(pipeline("words"), name=name)
    assert refused.value.code == "REGISTRY-NAME"
    assert registry.get("words") is words


def test_threads_that_register_at_once_agree_on_one_pipeline():
    registry, made = PipelineRegistry(), [pipeline() for _ in range(60)]

    def is_in(one):
        try:
            registry.register(one)
        except StageDefinitionError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        taken = [one for one, was in zip(made, threads.map(is_in, made)) if was]
    assert taken == [registry.get("words")]


@pytest.mark.parametrize("name", ["", "  ", 7, b"words", ["words"], Unspeakable()], ids=type)
def test_a_name_is_a_text_that_says_something(name):
    registry = PipelineRegistry()
    with pytest.raises(StageDefinitionError, match="Pipeline 'words' was registered under") as no:
        registry.register(pipeline(), name=name)
    assert no.value.code == "STAGE-DEFINITION"
    assert len(registry) == 0


@pytest.mark.parametrize("name", ["", None, 7], ids=repr)
def test_a_mapping_is_held_to_the_same(name):
    with pytest.raises(StageDefinitionError, match="was registered under the name"):
        PipelineRegistry({name: pipeline()})


def test_a_name_of_a_class_of_the_users_is_kept_as_plain_text():
    words = pipeline()
    registry = PipelineRegistry()
    assert type(registry.register(words, name=Text("mine"))) is str
    assert registry.get("mine") is words
    assert [type(name) for name in registry] == [str]


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (None, "lacks plan, specs, execution, interceptors, admissions"),
        ("words", "lacks plan"),
        (Pipeline, "its plan is no Plan"),
        (deployable(plan=None), "its plan is no Plan"),
        (SimpleNamespace(plan=pipeline().plan), "lacks specs, execution"),
        (Unspeakable(), "<Unspeakable> cannot be registered"),
    ],
    ids=["nothing", "a text", "a class", "no plan", "a plan alone", "unspeakable"],
)
def test_what_is_no_pipeline_is_refused(broken, why):
    registry = PipelineRegistry()
    for register in (registry.register, lambda given: registry.register(given, name="named")):
        with pytest.raises(StageDefinitionError, match=why) as refused:
            register(broken)
        assert refused.value.code == "STAGE-DEFINITION"
        assert len(refused.value.message) < 250
    assert len(registry) == 0


def test_anything_with_the_parts_of_a_pipeline_will_do():
    made = deployable()
    assert PipelineRegistry([made]).get("words") is made


@pytest.mark.parametrize("broken", [7, pipeline()], ids=["a number", "one pipeline"])
def test_pipelines_come_as_several(broken):
    with pytest.raises(StageDefinitionError, match="Give a list of pipelines"):
        PipelineRegistry(broken)


@pytest.mark.parametrize("name", [None, "named"])
@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (Pipeline("none"), "CONTRACT-004-EMPTY"),
        (
            pipeline().with_stage("late", lambda ctx: None, "work", "raed"),
            "CONTRACT-004-MISSING_DEP",
        ),
    ],
    ids=["empty", "missing"],
)
def test_stages_that_form_no_pipeline_are_refused_at_once(broken, code, name):
    registry = PipelineRegistry()
    with pytest.raises(PipelineValidationError) as refused:
        registry.register(broken, name=name)
    assert refused.value.code == code
    assert len(registry) == 0


# --- what is not in it ----------------------------------------------------------------------------


def test_an_unknown_name_is_an_error_that_tells_similar_ones_and_all():
    registry = PipelineRegistry([pipeline("words"), pipeline("numbers"), pipeline("images")])
    with pytest.raises(UnknownPipelineError) as unknown:
        registry.get("wrods")
    assert unknown.value.code == "SPAWN-UNKNOWN"
    assert unknown.value.message == "No pipeline is registered as 'wrods'."
    assert unknown.value.hint == "Did you mean 'words'? Registered: images, numbers, words."
    assert isinstance(unknown.value, KeyError)


def test_where_none_is_similar_none_is_suggested():
    assert unknown_pipeline("xyz", ["words"]).hint == "Registered: words."
    assert unknown_pipeline("xyz", []).hint == "Registered: none."


@pytest.mark.parametrize("name", ["", " ", None, 7, ["words"], b"words", Unspeakable()], ids=type)
def test_what_cannot_be_a_name_is_unknown_too(name):
    with pytest.raises(UnknownPipelineError, match="asked for by its name, not by") as unknown:
        PipelineRegistry([pipeline("words")]).get(name)
    assert unknown.value.hint == "Registered: words."


def test_a_name_of_a_class_of_the_users_is_found_as_plain_text():
    words = pipeline("words")
    assert PipelineRegistry([words]).get(Text("words")) is words
    assert "did you mean 'words'" in plain_text(unknown_pipeline(Text("word"), ["words"])).lower()


@pytest.mark.parametrize("name", ["w" * 1_000_000, ["w"] * 1_000_000], ids=["text", "list"])
def test_an_endless_name_makes_a_short_message(name):
    assert len(unknown_pipeline(name, ["words"]).message) < 150


def test_a_long_list_of_names_is_cut_and_says_so():
    error = unknown_pipeline("x", (f"words{number:03}" for number in reversed(range(50))))
    listed = ", ".join(f"words{number:03}" for number in range(20))
    assert error.hint == f"Registered: {listed} and 30 more."
