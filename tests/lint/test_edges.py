from stageflow_actors import Pipeline
from tests.lint.checking import found_in, mistakes, other


def pipeline_of(**options):
    pipeline = Pipeline("p")
    for name, its in options.items():
        its = {"dependencies": its} if isinstance(its, str | tuple) else its
        pipeline = pipeline.with_stage(name, other, "work", **its)
    return pipeline


def rules(pipeline):
    return [(str(finding.rule), finding.stage) for finding in mistakes(pipeline)]


def test_a_sound_pipeline_has_no_findings():
    assert found_in(pipeline_of(a=(), b="a", c={"after": "b"}, d={"after_any": "c"})) == []


def test_an_empty_pipeline_is_found():
    assert rules(Pipeline("p")) == [("empty", "")]


def test_an_unknown_stage_is_found_in_every_parameter_that_names_stages():
    pipeline = pipeline_of(
        a=(), b=("a", "aa"), c={"after": ("a", "x")}, d={"after_any": ("a", "y")}
    )
    assert rules(pipeline) == [
        ("unknown-stage", "b"),
        ("unknown-stage", "c"),
        ("unknown-stage", "d"),
    ]
    messages = [finding.message for finding in mistakes(pipeline)]
    assert messages[0] == "'b' names 'aa' in dependencies=, but there is no such stage."
    assert [message.split(" in ")[1].split("=")[0] for message in messages] == [
        *("dependencies", "after", "after_any")
    ]


def test_a_near_name_is_suggested():
    hints = [each.hint for each in mistakes(pipeline_of(transcribe=(), b="transcibe"))]
    assert hints[0] == "Did you mean 'transcribe'?"


def test_every_circle_is_found():
    pipeline = pipeline_of(a="b", b="a", c={"after": "d"}, d="c", e=("a", "c"))
    assert sorted(rules(pipeline)) == [("cycle", "a"), ("cycle", "c")]
    assert mistakes(pipeline)[0].message == ("Stages wait for each other in a circle: a -> b -> a.")


def test_circles_that_share_a_stage_are_told_one_by_one():
    pipeline = pipeline_of(a=("b", "c"), b="a", c="a")
    assert [rule for rule, _stage in rules(pipeline)] == ["cycle", "cycle"]


def test_a_stage_that_waits_for_itself_is_a_circle():
    assert rules(pipeline_of(a="a")) == [("cycle", "a")]


def test_an_isolated_stage_is_found_unless_it_is_the_only_one():
    assert rules(pipeline_of(a=(), b="a", c=())) == [("isolated-stage", "c")]
    assert rules(pipeline_of(a=())) == []


def test_a_stage_that_is_only_named_is_not_isolated():
    assert rules(pipeline_of(a=(), b={"after_any": "a"})) == []
