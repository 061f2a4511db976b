"""A producer and its guard, and rejections one after the other."""

from tests.engine.scene import Scene

PAIR = {"make": "", "check": "make guard:make rejects:9 stagnant:9"}


def begun(graph=PAIR, settings=None, /, **timeouts):
    scene = Scene(graph, settings, **timeouts)
    scene.begin()
    return scene


def rejected(scene, *fingerprints, make="make", guard="check"):
    """Have the producer make and the guard reject, time after time; what the last commanded."""
    for fingerprint in fingerprints:
        scene.tick(scene.ok(make))
        told = scene.tick(scene.reject(guard, fingerprint))
    return told
