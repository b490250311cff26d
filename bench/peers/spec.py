"""The workloads for Python; the same numbers as ../spec.ts, which describes them."""

import json
import resource
import time

import numpy as np

SEQ, VOCAB, POSITIONS, WIDTH, HIDDEN, HEADS, LAYERS = 128, 30522, 512, 384, 1536, 12, 6


def dense(name, i, o):
    return [(f"{name}.w", (i, o)), (f"{name}.b", (o,))]


def conv(name, i, o):
    return [(f"{name}.w", (3, 3, i, o)), (f"{name}.b", (o,))]


def norm(name):
    return [(f"{name}.g", (WIDTH,)), (f"{name}.b", (WIDTH,))]


def encoder_layer(l):
    projections = [p for n in "qkvo" for p in dense(f"l{l}.{n}", WIDTH, WIDTH)]
    feed_forward = dense(f"l{l}.f1", WIDTH, HIDDEN) + dense(f"l{l}.f2", HIDDEN, WIDTH)
    return projections + norm(f"l{l}.ln1") + feed_forward + norm(f"l{l}.ln2")


WORKLOADS = {
    "w1": dict(batch=128, input=(784,), classes=10, params=dense("d1", 784, 512) + dense("d2", 512, 512) + dense("d3", 512, 10)),
    "w2": dict(batch=64, input=(32, 32, 3), classes=10,
               params=conv("c1", 3, 32) + conv("c2", 32, 32) + conv("c3", 32, 64) + conv("c4", 64, 64) + dense("d1", 4096, 256) + dense("d2", 256, 10)),
    "w3": dict(batch=16, input=(), classes=2,
               params=[("tok", (VOCAB, WIDTH)), ("pos", (POSITIONS, WIDTH))] + norm("lne")
               + [p for l in range(LAYERS) for p in encoder_layer(l)] + dense("head", WIDTH, 2)),
    "w4": dict(batch=32, input=(100, 64), classes=10,
               params=[("lstm.w", (64, 512)), ("lstm.r", (128, 512)), ("lstm.b", (512,))] + dense("d1", 128, 10)),
    "w5": dict(batch=16, input=(4,), classes=3, params=dense("d1", 4, 16) + dense("d2", 16, 3)),
    "w6": dict(batch=64, input=(8, 8, 256), classes=10,
               params=conv("c1", 256, 256) + conv("c2", 256, 256) + conv("c3", 256, 512) + conv("c4", 512, 512) + dense("d1", 512, 10)),
}


def uniform(seed, n):
    """mulberry32 as arithmetic on a counter."""
    with np.errstate(over="ignore"):
        a = np.uint32(seed) + np.arange(1, n + 1, dtype=np.uint32) * np.uint32(0x6D2B79F5)
        t = (a ^ (a >> np.uint32(15))) * (a | np.uint32(1))
        t = (t + (t ^ (t >> np.uint32(7))) * (t | np.uint32(61))) ^ t
        return (t ^ (t >> np.uint32(14))).astype(np.float64) / 4294967296


def symmetric(seed, shape, scale=1.0):
    return ((2 * uniform(seed, int(np.prod(shape))) - 1) * scale).astype(np.float32).reshape(shape)


def integers(seed, n, below, start=0):
    return (start + np.floor(uniform(seed, n) * (below - start))).astype(np.int64)


def initial_params(w):
    out = {}
    for k, (name, shape) in enumerate(w["params"]):
        if name.endswith(".g"):
            out[name] = np.ones(shape, np.float32)
        elif name.endswith(".b"):
            out[name] = np.zeros(shape, np.float32)
        else:
            scale = 0.035 if name in ("tok", "pos") else 1 / np.sqrt(np.prod(shape) / shape[-1])
            out[name] = symmetric(1000 + k, shape, scale)
    return out


def batch_data(w):
    """(inputs of the model, class indices)"""
    y = integers(2, w["batch"], w["classes"])
    if w["input"]:
        return (symmetric(1, (w["batch"], *w["input"])),), y
    lengths = integers(3, w["batch"], SEQ + 1, SEQ // 2)
    mask = (np.arange(SEQ)[None] < lengths[:, None]).astype(np.float32)
    return (integers(1, w["batch"] * SEQ, VOCAB).reshape(w["batch"], SEQ), mask), y


def resident_mb():
    """Resident size of this process now."""
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * resource.getpagesize() // 2**20


def measure(version, step, seconds, base_rss_mb):
    """The loop of spec.ts."""
    losses, times = [], []
    begin, first, i = time.perf_counter(), 0.0, 0
    while True:
        start = time.perf_counter()
        loss = step()
        end = time.perf_counter()
        if i == 0:
            first = end - start
        if len(losses) < 10:
            losses.append(loss)
        if seconds == 0:
            break
        slow = first > 10
        if i > 0 if slow else i >= 3 and end - begin > seconds / 10:
            times.append(end - start)
        if end - begin > seconds and len(times) >= (1 if slow else 3):
            break
        i += 1
    times.sort()
    print(json.dumps({
        "version": version, "medianMs": 1000 * (times[len(times) // 2] if times else first), "minMs": 1000 * (times[0] if times else first),
        "firstStepMs": 1000 * first, "steps": len(times), "losses": losses,
        "peakRssMb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, "baseRssMb": base_rss_mb,
    }), flush=True)
