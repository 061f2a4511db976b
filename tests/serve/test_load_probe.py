import asyncio, time, json
import pytest, ray
from tests.serve.door import Door, SOON
from tests.serve import inside
from tests.serve.wire import Wire, EVENTS
from tests.serving.live import until
pytestmark = pytest.mark.ray
N = 200
S = SOON.model_copy(update=dict(max_stream_bytes=2**20, max_streams_per_tenant=1000, max_live_runs_per_tenant=1000, heartbeat_s=60, max_tape_bytes=2*2**20))
async def test_probe(serve_session):
    t=time.time()
    door = Door(serve_session, "probe")
    door.deploy(pipelines={n: f"tests.serve.load_flows:{n}" for n in ("flooding","dripping","counting")}, settings=S)
    print("deployed", time.time()-t)
    replica = inside.named("serve", "REPLICA::probe#")
    proxy = inside.named("serve", "SERVE_PROXY")
    keeper = inside.named("stageflow_actors", "probe/flooding/")
    pids = {n: inside.asked(a, inside.pid) for n, a in (("replica", replica), ("proxy", proxy), ("keeper", keeper))}
    print(pids, inside.living_actors())
    w = Wire(door.url)
    r = await w.post("/v1/pipelines/flooding/runs", {}, **EVENTS)
    print(r.status, len(r.body), r.events()[-1])
    r = await w.post("/v1/pipelines/counting/runs", {})
    print(r.status, r.json()["state"])
    print("tasks", inside.asked(replica, inside.tasks), inside.asked(keeper, inside.tasks), inside.asked(proxy, inside.tasks))
    before = {n: inside.resident_bytes(p) for n, p in pids.items()}
    peak = dict(before)
    def look():
        for n, p in pids.items():
            peak[n] = max(peak[n], inside.resident_bytes(p))
    async def watch():
        while True:
            look(); await asyncio.sleep(0.05)
    wt = asyncio.create_task(watch())
    t = time.time()
    clients = [Wire(door.url) for _ in range(N)]
    await asyncio.gather(*(c.ask("/v1/pipelines/flooding/runs", {}, EVENTS) for c in clients))
    most = 0
    while True:
        s, l = inside.asked(replica, inside.streams), inside.asked(keeper, inside.live_runs)
        most = max(most, s)
        if most >= N and not s and not l: break
        if time.time()-t > 100: print("STUCK", s, l); break
        await asyncio.sleep(0.1)
    print("SSE", N, time.time()-t, {n: (peak[n]-before[n])/2**20 for n in pids}, {n: (inside.resident_bytes(p)-before[n])/2**20 for n,p in pids.items()})
    r = await clients[0].rest()
    print(r.status, len(r.body), r.events()[-1])
    for c in clients: c.drop()
    await asyncio.sleep(1)
    print("tasks", inside.asked(replica, inside.tasks), inside.asked(keeper, inside.tasks), inside.asked(proxy, inside.tasks))
    print({n: (inside.resident_bytes(p)-before[n])/2**20 for n,p in pids.items()})
    wt.cancel()
    t = time.time()
    door.delete()
    print("deleted", time.time()-t)
