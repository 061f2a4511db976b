"""Random pipelines with every kind of edge and policy."""

from __future__ import annotations

from random import Random

ROUTES = ("left", "right", "straight")


def random_graph(random: Random, most: int = 9) -> dict[str, str]:
    """Up to ``most`` stages, declared in an order of their own."""
    graph = {}
    repeats = random.random() < 0.7  # else there are stages that must not be repeated, no guards
    gentle = random.random() < 0.7  # most pipelines survive failures, some have no policy at all
    for index in range(random.randint(1, most)):
        words = _edges(random, index)
        reads = [word.removeprefix("opt:") for word in words if _is_read(word)]
        if reads and random.random() < 0.3:
            routes = random.sample(ROUTES, random.randint(1, 2))
            words += [f"route:{route}" for route in routes]
            words.append(f"router:{random.choice(reads)}")
        if random.random() < 0.3:
            words.append("conditional")
        if gentle:
            words += _policies(random, "keyed" if repeats else "once_only")
            words += _guard(random, words) if repeats else []
        graph[f"s{index}"] = " ".join(words)
    names = random.sample(list(graph), len(graph))
    return {name: graph[name] for name in names}


def _edges(random: Random, index: int) -> list[str]:
    words = []
    for earlier in range(index):
        kind = random.choice(["", "", "opt:", "after:", "any:", *[None] * (1 + index // 2)])
        if kind is not None:
            words.append(f"{kind}s{earlier}")
    return words


def _is_read(word: str) -> bool:
    return ":" not in word or word.startswith("opt:")


def _policies(random: Random, effects: str) -> list[str]:
    words = []
    if random.random() < 0.4:
        words.append("tolerant")
    if random.random() < 0.1:
        words.append("fallback")
    if random.random() < 0.4:
        words.append(f"retry:{random.randint(1, 3)}")
        words += [f"covers:{what}" for what in ("timeout", "loss") if random.random() < 0.6]
    if random.random() < 0.6:
        words.append(f"effects:{random.choice(['none', effects])}")
    if random.random() < 0.2:
        words.append("total:2")
    return words


def _guard(random: Random, words: list[str]) -> list[str]:
    """Most stages that come after others could be guards of one of these."""
    before = [word.rpartition(":")[2] for word in words if word.rpartition(":")[2][:1] == "s"]
    producers = [name for name in before if name[1:].isdigit()]
    if not producers or random.random() < 0.6:
        return []
    said = [f"guard:{random.choice(producers)}", f"rejects:{random.randint(1, 5)}"]
    if random.random() < 0.5:
        said.append("stagnant:1")
    if random.random() < 0.5:
        said.append("within:3")
    return said
