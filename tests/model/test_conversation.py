import copy
import pickle
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from stageflow_actors import Conversation, ConversationRouting, FrozenDataError, Message

NAIVE = datetime.fromisoformat("2024-05-06")
ASKED = Message(role="user", content="Where is my order?")
ANSWERED = Message(role="assistant", content="On its way.")
THANKED = Message(role="user", content="Thanks!")


def path_of(refused):
    return refused.value.errors()[0]["loc"]


def test_a_message_says_when_it_was_made_unless_told_otherwise():
    before = datetime.now(UTC)
    made = Message(role="user", content="hi").timestamp
    assert made.tzinfo is UTC
    assert before <= made <= datetime.now(UTC)
    assert Message(role="user", content="hi", timestamp=None).timestamp is None


def test_metadata_of_a_message_is_frozen_at_every_depth_and_its_own():
    given = {"tags": ["a"]}
    message = Message(role="user", content="hi", metadata=given)
    given["tags"].append("b")
    assert message.metadata == {"tags": ["a"]}
    with pytest.raises(FrozenDataError):
        message.metadata["new"] = 1
    with pytest.raises(FrozenDataError):
        message.metadata["tags"].append("b")
    for nothing in (ASKED, Message(role="user", content="hi", metadata={})):
        with pytest.raises(FrozenDataError):
            nothing.metadata["new"] = 1


@pytest.mark.parametrize("made", [ASKED, ConversationRouting(), Conversation(messages=[ASKED])])
def test_no_field_can_be_assigned(made):
    for name in type(made).model_fields:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(made, name, None)


def test_the_last_messages_are_the_newest_of_their_roles():
    conversation = Conversation(messages=[ASKED, ANSWERED, THANKED])
    assert conversation.message_count == 3
    assert conversation.last_user_message is THANKED
    assert conversation.last_assistant_message is ANSWERED


def test_a_conversation_may_be_empty():
    assert Conversation().messages == ()
    assert Conversation().message_count == 0
    assert Conversation().last_user_message is None
    assert Conversation(messages=[ASKED]).last_assistant_message is None


def test_adding_a_message_leaves_the_conversation_as_it_was():
    first = Conversation(messages=[ASKED], routing_decision=ConversationRouting(agent_id="a"))
    second = first.with_message(ANSWERED)
    assert first.messages == (ASKED,)
    assert second.messages == (ASKED, ANSWERED)
    assert second.routing_decision == first.routing_decision


def test_what_is_no_message_cannot_be_added():
    with pytest.raises(ValidationError) as refused:
        Conversation(messages=[ASKED]).with_message("hello")
    assert path_of(refused) == ("messages", 1)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"messages": "hello"}, ("messages",)),
        ({"messages": [5]}, ("messages", 0)),
        ({"messages": [ASKED, {"role": "user"}]}, ("messages", 1, "content")),
        ({"messages": [{"role": 1, "content": ""}]}, ("messages", 0, "role")),
        ({"messages": [{"role": "", "content": "", "x": 1}]}, ("messages", 0, "x")),
        ({"routing_decision": {"agent_id": 5}}, ("routing_decision", "agent_id")),
        ({"routing": None}, ("routing",)),
    ],
)
def test_a_wrong_type_is_refused_with_its_path(fields, path):
    with pytest.raises(ValidationError) as refused:
        Conversation(**fields)
    assert path_of(refused) == path


# --- times ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("naive", [NAIVE, "2024-05-06T00:00:00", "2024-05-06"], ids=str)
def test_a_time_without_a_zone_is_refused_with_its_path(naive):
    with pytest.raises(ValidationError, match="needs its zone") as refused:
        Conversation(messages=[{"role": "user", "content": "", "timestamp": naive}])
    assert path_of(refused) == ("messages", 0, "timestamp")


def test_a_time_without_a_zone_inside_metadata_is_refused_with_its_path():
    with pytest.raises(ValidationError, match="needs its zone") as refused:
        Message(role="user", content="", metadata={"seen": [1, NAIVE]})
    assert path_of(refused) == ("metadata", "seen", 1)


@pytest.mark.parametrize(
    "wrong", [5, 5.0, True, "5", "soon", [], b"2024-05-06T00:00:00Z"], ids=repr
)
def test_what_is_no_time_is_refused(wrong):
    with pytest.raises(ValidationError) as refused:
        Message(role="user", content="", timestamp=wrong)
    assert path_of(refused) == ("timestamp",)


@pytest.mark.parametrize(
    "zone", [UTC, timezone(timedelta(hours=5, minutes=45)), ZoneInfo("Europe/Lisbon")], ids=str
)
def test_a_time_keeps_its_zone(zone):
    then = datetime(2024, 10, 27, 1, 30, tzinfo=zone, fold=1)
    kept = Message(role="user", content="", timestamp=then).timestamp
    assert kept is then


class Drifting(tzinfo):
    minutes = 5

    def utcoffset(self, _at):
        return timedelta(minutes=self.minutes)

    def dst(self, _at):
        return None


class Stamp(datetime):
    note = []


@pytest.mark.parametrize(
    "then",
    [datetime(2024, 5, 6, 7, 8, 9, 10, Drifting()), Stamp(2024, 5, 6, tzinfo=UTC)],
    ids=["zone", "time"],
)
def test_a_time_that_could_change_is_kept_as_what_it_says_now(then):
    kept = Message(role="user", content="", timestamp=then).timestamp
    assert kept == then
    assert kept.isoformat() == then.isoformat()
    assert (type(kept), type(kept.tzinfo)) == (datetime, timezone)


# --- what others make of it -----------------------------------------------------------------------


class Loose(Message):
    cache: list[int] = []


class Renamed(Message):
    """Adds no field, but its instances could have attributes."""

    model_config = {"frozen": False}


def test_an_instance_of_a_subclass_cannot_bring_in_what_could_change():
    with pytest.raises(ValidationError) as refused:
        Conversation(messages=[Loose(role="user", content="")])
    assert path_of(refused) == ("messages", 0, "cache")

    loose = Renamed(role="user", content="before")
    conversation = Conversation(messages=[loose])
    loose.content = "after"
    assert type(conversation.messages[0]) is Message
    assert conversation.messages[0].content == "before"


def test_a_copy_with_changes_is_validated():
    assert ASKED.model_copy(update={"role": "system"}).role == "system"
    for change in ({"role": 5}, {"colour": "red"}, {"timestamp": NAIVE}):
        with pytest.raises(ValidationError):
            ASKED.model_copy(update=change)
    changed = ASKED.model_copy(update={"metadata": {"tags": []}})
    with pytest.raises(FrozenDataError):
        changed.metadata["tags"].append(1)


def test_there_is_no_way_to_make_one_without_validation():
    with pytest.raises(ValidationError):
        Message.model_construct(role=5, content="")
    made = Message.model_construct(role="user", content="", metadata={"tags": []})
    with pytest.raises(FrozenDataError):
        made.metadata["tags"].append(1)
    with pytest.raises(FrozenDataError, match="model_copy"):
        ASKED.copy(update={"role": 5})


@pytest.mark.parametrize(
    "copied",
    [
        copy.copy,
        copy.deepcopy,
        lambda made: made.model_copy(),
        lambda made: made.model_copy(deep=True),
        lambda made: pickle.loads(pickle.dumps(made)),
        lambda made: pickle.loads(pickle.dumps(made, protocol=2)),
    ],
    ids=["copy", "deepcopy", "model_copy", "deep model_copy", "pickle", "old pickle"],
)
def test_a_copy_is_equal_and_just_as_frozen(copied):
    message = Message(role="user", content="hi", metadata={"tags": ["a"]})
    routing = ConversationRouting(agent_id="a", reason="asked for")
    conversation = Conversation(messages=[message, ASKED], routing_decision=routing)
    twin = copied(conversation)
    assert twin == conversation
    assert [type(part) for part in twin.messages] == [Message, Message]
    with pytest.raises(FrozenDataError):
        twin.messages[0].metadata["tags"].append("b")


class Chat(Conversation):
    messages: tuple[Loose, ...] = ()
    title: str = ""


def test_a_subclass_survives_pickling_with_all_its_fields():
    chat = Chat(messages=[Loose(role="user", content="", cache=[1])], title="t")
    back = pickle.loads(pickle.dumps(chat))
    assert back == chat
    assert back.messages[0].cache == [1]
