import pytest

from stageflow_actors import (
    AmbiguousInputError,
    ContextSnapshot,
    StageInputs,
    StageOutput,
    UndeclaredDependencyError,
)


@pytest.fixture
def inputs():
    outputs = {
        "greet": StageOutput.ok(text="hello", lang="en", nothing=None),
        "count": StageOutput.ok(n=3, lang="de"),
        "idle": StageOutput.skip("no work"),
    }
    return StageInputs(ContextSnapshot(), outputs, stage_name="shout")


def test_get_finds_a_key_in_whichever_dependency_offers_it(inputs):
    assert inputs.get("text") == "hello"
    assert inputs.get("n") == 3


def test_get_gives_the_default_only_where_no_dependency_offers_the_key(inputs):
    assert inputs.get("missing") is None
    assert inputs.get("missing", 7) == 7
    assert inputs.get("nothing", 7) is None


def test_get_of_a_key_that_several_offer_is_refused_and_names_them(inputs):
    with pytest.raises(AmbiguousInputError) as refused:
        inputs.get("lang")
    assert refused.value.key == "lang"
    assert refused.value.stages == ("greet", "count")
    assert "get_from('greet', 'lang')" in str(refused.value)


def test_get_from_reads_one_dependency(inputs):
    assert inputs.get_from("greet", "lang") == "en"
    assert inputs.get_from("count", "lang") == "de"
    assert inputs.get_from("count", "text", "none") == "none"


def test_require_from_gives_the_value_even_where_it_is_none(inputs):
    assert inputs.require_from("greet", "nothing") is None
    assert inputs.require_from("count", "n") == 3


def test_require_from_of_a_missing_key_lists_those_there_are(inputs):
    with pytest.raises(KeyError, match="'count' has no key 'text'; available: n, lang"):
        inputs.require_from("count", "text")


def test_the_output_of_a_skipped_dependency_is_readable(inputs):
    assert inputs.get_output("idle").reason == "no work"
    assert inputs.get_from("idle", "reason") == "no work"


def test_has_output_tells_dependencies_from_other_stages(inputs):
    assert inputs.has_output("greet")
    assert not inputs.has_output("elsewhere")


@pytest.mark.parametrize(
    "read",
    [
        lambda inputs: inputs.get_output("elsewhere"),
        lambda inputs: inputs.get_from("elsewhere", "text", "default"),
        lambda inputs: inputs.require_from("elsewhere", "text"),
    ],
    ids=["get_output", "get_from", "require_from"],
)
def test_reading_a_stage_that_is_no_dependency_is_refused_and_says_how_to_declare_it(inputs, read):
    with pytest.raises(UndeclaredDependencyError) as refused:
        read(inputs)
    error = refused.value
    assert error.stage_name == "elsewhere"
    assert error.accessing_stage == "shout"
    assert error.declared_deps == ("greet", "count", "idle")
    assert "Add 'elsewhere' to dependencies= of 'shout'" in str(error)


def test_a_root_stage_may_read_no_stage_at_all():
    inputs = StageInputs(ContextSnapshot(), stage_name="first")
    with pytest.raises(UndeclaredDependencyError, match="declared: none"):
        inputs.get_output("greet")
    assert inputs.get("anything", "default") == "default"


@pytest.mark.parametrize("key", [None, 1, b"text"])
def test_a_key_that_is_no_string_is_a_type_error(inputs, key):
    for read in (inputs.get, lambda key: inputs.get_from("greet", key)):
        with pytest.raises(TypeError, match=type(key).__name__):
            read(key)
    with pytest.raises(TypeError):
        inputs.require_from("greet", key)


def test_an_empty_key_is_a_value_error(inputs):
    for read in (inputs.get, lambda key: inputs.get_from("greet", key)):
        with pytest.raises(ValueError, match="empty"):
            read("")


def test_outputs_lists_the_dependencies_in_order_and_is_read_only(inputs):
    assert list(inputs.outputs) == ["greet", "count", "idle"]
    with pytest.raises(TypeError):
        inputs.outputs["mine"] = StageOutput.ok()
    assert not inputs.has_output("mine")
