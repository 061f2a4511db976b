"""One run for one ``Idempotency-Key``, however often it is asked for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.serving.live import ended, until

PATH = "/v1/pipelines/gated/runs"


def keyed(client, key, text, **headers):
    return client.post(PATH, json={"input_text": text}, headers={"Idempotency-Key": key, **headers})


def pass_all(gates, text):
    for number in range(1, 5):
        gates.of(f"{text}.{number}").set()


def test_all_who_ask_with_one_key_get_the_answer_of_one_run(live, client, gates):
    before = set(live.desk("gated").live())
    with ThreadPoolExecutor(8) as pool:
        asking = [pool.submit(keyed, client, "k-1", "one") for _ in range(8)]
        fresh = until(lambda: set(live.desk("gated").live()) - before, "the run")
        pass_all(gates, "one")
        answers = [each.result() for each in asking]
    assert len(fresh) == 1
    assert {each.status_code for each in answers} == {200}
    assert len({each.content for each in answers}) == 1
    later = keyed(client, '"k-1"', "one")  # the quotes are not the key's
    assert later.content == answers[0].content
    assert later.headers["location"] == answers[0].headers["location"]


def test_a_key_that_stands_for_another_request_is_refused(client, gates):
    pass_all(gates, "first")
    first = keyed(client, "k-2", "first")
    other = keyed(client, "k-2", "second")
    assert (other.status_code, other.json()["code"]) == (409, "SERVE-KEY-REUSED")
    assert other.json()["run_id"] == first.json()["run_id"]


def test_a_key_is_its_tenants(live, client, gates):
    pass_all(gates, "mine")
    pass_all(gates, "hers")
    mine = keyed(client, "k-3", "mine").json()
    with live.client("eve") as other:
        assert keyed(other, "k-3", "hers").json()["run_id"] != mine["run_id"]


def test_a_run_that_could_not_start_leaves_its_key_free(client):
    path, headers = "/v1/pipelines/typed/runs", {"Idempotency-Key": "k-4"}
    wrong = {"input_text": "x", "data": {"city": "y" * 30}}
    assert client.post(path, json=wrong, headers=headers).status_code == 422
    right = {"input_text": "x", "data": {"city": "Rome"}}
    assert client.post(path, json=right, headers=headers).json()["state"] == "ok"


def test_who_gave_a_key_and_goes_finds_the_run_when_it_comes_back(live, client, gates):
    asked = keyed(client, "k-5", "back", Prefer="respond-async")
    assert asked.status_code == 202
    with live.client() as hasty:
        hasty.timeout = 0.2
        with pytest.raises(httpx.ReadTimeout):
            keyed(hasty, "k-5", "back")
    pass_all(gates, "back")
    assert keyed(client, "k-5", "back").json() == ended(client, asked.headers["location"])


@pytest.mark.parametrize("wrong", ["", "a b", "x" * 256, "\u00e4", '"', '"a', 'a"b'])
def test_a_key_without_the_form_of_one_is_refused(client, wrong):
    answer = client.post(PATH, json={}, headers=[("Idempotency-Key", wrong.encode("latin-1"))])
    assert (answer.status_code, answer.json()["code"]) == (400, "SERVE-HEADER")
