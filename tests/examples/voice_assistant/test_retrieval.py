"""Looking things up: ranking, misheard words, and questions that have no answer here."""

from __future__ import annotations

import pytest

from examples.voice_assistant.answer import ENOUGH, UNKNOWN, compose
from examples.voice_assistant.knowledge import guest_passages, hotel_passages, rooms
from examples.voice_assistant.near_words import likeness_of
from examples.voice_assistant.passages import Passage, PassageIndex
from examples.voice_assistant.words import content_words, is_about_the_speaker

ANSWERABLE = """
breakfast | until when can i get breakfast
lunch | can we have lunch outside
dinner | what time does the restaurant open in the evening
bar | i would like a glass of wine
room-service | how do i order food to my room
diet | my wife is a vegetarian
coffee | where do i get a cup of coffee
pool | when can i go swimming
pool-towels | do you have towels for the pool
pool-children | can my daughter swim alone
sauna | when does the sauna open
gym | i would like to exercise where do i go
bicycles | we want to go for a bike ride
charging | can i charge my electric car
shuttle | when does the next shuttle leave for the airport
train | where is the railway station
taxi | i need a taxi right now
check-in | how early can we arrive
late-check-out | can i stay in my room a little longer
luggage | can i leave my bags here this afternoon
internet | i cannot connect to the internet
laundry | can somebody wash my shirts
safe | where should i put my jewelry
blankets | i need one more blanket
heating | how can i change the temperature in the room
quiet | the people next door are too loud
smoking | am i allowed to smoke in my room
doctor | i feel sick can you call a doctor
lost | i forgot my coat did you find it
payment | do you accept credit cards
cash | where can i withdraw money
gift-shop | where can i buy a stamp
tour | i would like to see the old town with a guide
boats | how much does it cost to rent a boat
umbrella | where do i get an umbrella
history | when was the hotel built
size | how many floors does the hotel have
cancel | what happens if i cancel my reservation
"""
MISHEARD = """
pool | how the lakers the swimming pool open
museum | here's the museum's open on monday
parking | where can i parked my car
bicycles | how can my rent a bicycle
massage | my back hurts can i get to massage it
quiet | there's too much noise in the next room
"""
UNANSWERABLE = """
who won the football game last night
is there a casino in the hotel
what is the capital of france
how tall is the president
tell me a joke
where can i buy a new car
can i rent a horse
how much does a helicopter flight cost
how far away is the moon
what is the price of gold today
how do i cook a turkey
what is the stock market doing today
who wrote the bible
do you have a golf course
where can i buy a guitar
what is your favorite color
what did the senator say yesterday
"""


def pairs_of(table):
    return [tuple(part.strip() for part in line.split("|")) for line in table.strip().splitlines()]


@pytest.fixture(scope="module")
def hotel():
    index = PassageIndex(hotel_passages())
    yield index
    index.close()


@pytest.fixture(scope="module")
def memory():
    index = PassageIndex(guest_passages("memory"))
    yield index
    index.close()


def plain(hits):
    return [
        {"url": f"x/{hit.key}", "title": hit.title, "snippet": hit.text, "score": hit.score}
        for hit in hits
    ]


@pytest.mark.parametrize(("key", "question"), pairs_of(ANSWERABLE + MISHEARD.lstrip("\n")))
def test_right_passage_is_found_first_and_is_enough(hotel, key, question):
    best = hotel.search(question)[0]
    assert best.key == key
    assert best.score >= ENOUGH


@pytest.mark.parametrize("question", UNANSWERABLE.strip().splitlines())
def test_question_without_an_answer_is_known_by_its_score(hotel, question):
    assert all(hit.score < ENOUGH for hit in hotel.search(question))
    found = {"documents": plain(hotel.search(question))}
    assert compose(question, found, is_short=False) == (UNKNOWN, ())


def test_answer_follows_the_passages_not_the_question(hotel):
    question = "what time is breakfast served"
    other = PassageIndex([Passage("b", "Breakfast", "There is none.", "time served")])
    for index in (hotel, other):
        best = index.search(question)[0]
        answer = compose(question, {"documents": plain([best])}, is_short=False)
        assert answer.text == best.text
    other.close()


def test_misheard_word_counts_less_than_the_word_itself(hotel):
    right, near = hotel.search("laundry")[0], hotel.search("laundery")[0]
    assert right.key == near.key == "laundry"
    assert near.score < right.score == 1.0


def test_short_word_is_not_taken_for_another_one(hotel):
    assert hotel.search("plum") == []  # as near to "plug" as "laundery" is to "laundry"


def test_question_without_a_word_that_says_something_finds_nothing(hotel):
    assert hotel.search("what is it that you would like me to do") == []
    assert hotel.search("") == []


def test_quotes_and_operators_of_the_search_language_are_only_words(hotel):
    assert hotel.search('"pool" AND (NOT title : *') == hotel.search("pool not title")


def test_guest_finds_only_what_is_theirs(memory):
    mine, theirs = (memory.search("when is my wake up call", owner=room) for room in ("312", "205"))
    assert "half past six" in mine[0].text
    assert "at eight" in theirs[0].text
    assert memory.search("when is my wake up call", owner="999") == []
    assert memory.search("when is my massage", owner="205") == []


def test_what_others_have_does_not_change_a_score():
    mine = Passage("pool", "Lesson", "Your lesson is in the pool.", owner="1")
    tea = Passage("tea", "Tea", "You like tea.", owner="1")
    others = [mine._replace(key=str(number), owner=str(number)) for number in range(2, 9)]
    alone, among_others = PassageIndex([mine, tea]), PassageIndex([mine, tea, *others])
    question = "lesson with tea in the laguna"
    assert alone.search(question, owner="1") == among_others.search(question, owner="1")


def test_word_is_found_in_its_other_forms():
    index = PassageIndex([Passage("dogs", "Dogs", "Dogs may stay.")])
    assert index.search("dog")[0].score == 1.0


def test_guest_comes_first_where_the_question_is_about_them(hotel, memory):
    def answer(question):
        found = {
            "memory": plain(memory.search(question, owner="312")),
            "documents": plain(hotel.search(question)),
        }
        return compose(question, found, is_short=True).text

    assert answer("when is my massage") == "Your massage is on Saturday at two in the afternoon."
    assert answer("how much is a massage").startswith("A massage costs")


def test_other_source_adds_what_stands_out_unless_it_should_be_short():
    passage = {"url": "x/1", "title": "", "snippet": "One.", "score": 1.0}
    second = {**passage, "snippet": "Two.", "score": 0.9}
    third = {**passage, "snippet": "Three.", "score": 0.9}
    alone = {"documents": [passage], "profile": [second]}
    one_of_many = {"documents": [passage], "profile": [second, third]}
    assert compose("what", alone, is_short=False).text == "One. Two."
    assert compose("what", alone, is_short=True).text == "One."
    assert compose("what", one_of_many, is_short=False).text == "One."


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("when is my wake up call", True),
        ("which room am i in", True),
        ("when did we book a table", True),
        ("how do i get to the airport", False),
        ("is there an army museum", False),
    ],
)
def test_question_about_the_speaker_is_recognised(question, answer):
    assert is_about_the_speaker(question) is answer


def test_words_that_say_little_are_left_out_and_no_word_comes_twice():
    asked = "Where's the pool, and when is the Pool open?"
    assert content_words(asked) == ["pool", "open"]


@pytest.mark.parametrize(
    ("left", "right", "likeness"),
    [("pool", "pool", 1), ("", "", 1), ("abc", "xyz", 0), ("warmer", "former", 4 / 6)],
)
def test_likeness_is_the_share_of_letters_that_stay(left, right, likeness):
    assert likeness_of(left, right) == likeness_of(right, left) == pytest.approx(likeness)


def test_there_is_something_to_know_and_every_fact_has_a_name_of_its_own():
    passages = hotel_passages()
    assert len({passage.key for passage in passages}) == len(passages) >= 40
    assert len(rooms()) >= 2
