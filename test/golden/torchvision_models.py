"""Golden values of whole image networks: `python torchvision_models.py` writes torchvision_models.json.

Weights, inputs and outgoing gradients are drawn by a hash of (key, index) that both sides compute, so that none of them
is stored. Of outputs all elements are kept; of each parameter's gradient two numbers: its norm and its product with a
vector drawn the same way; of running statistics after the training pass likewise. Dropout and stochastic depth are 0.
Everything is evaluated in float64 and in float32. Where an activation lies so near to a kink that the two differ by more
than 3e-4, other inputs are tried; the difference of the best is kept as "precision".
"""

import json
import zlib
from pathlib import Path

import numpy as np
import torch
import torchvision
from torch import nn
from torchvision import models

from common import number

torch.set_num_threads(2)
CLASSES, SIZE, BATCH = 5, 64, 2


def drawn(key, shape):
    """Uniform in [-0.5, 0.5): a hash of the element's index (Wellons' lowbias32), seeded by the CRC-32 of the key."""
    n = int(np.prod(shape)) if len(shape) else 1
    x = np.arange(n, dtype=np.uint32) + np.uint32(zlib.crc32(key.encode()))
    x ^= x >> 16
    x *= np.uint32(0x7FEB352D)
    x ^= x >> 15
    x *= np.uint32(0x846CA68B)
    x ^= x >> 16
    return torch.tensor((x.astype(np.float64) / 2**32 - 0.5).astype(np.float32)).reshape(shape)


def weight(key, shape):
    u = drawn(key, shape)
    if key.endswith("running_var"):
        return 1 + u
    if key.endswith("running_mean"):
        return 0.2 * u
    if len(shape) <= 1:  # biases; scales of normalisations
        return 1 + 0.2 * u if ".weight" in key else 0.2 * u
    fan_in = int(np.prod(shape[1:]))
    return u * np.float32((24 / fan_in) ** 0.5)  # deviation sqrt(2 / fan in)


class UNet(nn.Module):
    """src/models/vision/unet.ts line for line."""

    def __init__(self, num_classes, width, depth):
        super().__init__()

        def twice(a, b):
            def one(a, b):
                return nn.Sequential(nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU())

            return nn.Sequential(one(a, b), one(b, b))

        ch = [width * 2**i for i in range(depth + 1)]
        self.down = nn.ModuleList([twice(ch[i - 1] if i else 3, c) for i, c in enumerate(ch)])
        self.up = nn.ModuleList([twice(c * 3, c) for c in reversed(ch[:-1])])
        self.head = nn.Conv2d(width, num_classes, 1)

    def forward(self, x):
        kept = []
        for i, block in enumerate(self.down):
            if i:
                kept.append(x)
                x = nn.functional.max_pool2d(x, 2)
            x = block(x)
        for block in self.up:
            x = nn.functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = block(torch.cat([kept.pop(), x], 1))
        return self.head(x)


def vgg(name, hidden=32):
    """With narrow dense layers: 120 million weights would say no more."""
    net = getattr(models, name)(num_classes=CLASSES, init_weights=False, dropout=0.0)
    net.classifier = nn.Sequential(
        nn.Linear(512 * 49, hidden), nn.ReLU(), nn.Identity(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Identity(),
        nn.Linear(hidden, CLASSES))
    return net


CASES = {
    **{name: (lambda name=name: vgg(name)) for name in
       ["vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn"]},
    **{name: (lambda name=name: getattr(models, name)(num_classes=CLASSES)) for name in
       ["resnet18", "resnet34", "resnet50"]},
    **{name: (lambda name=name: getattr(models, name)(num_classes=CLASSES, dropout=0.0)) for name in
       ["mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large"]},
    "efficientnet_b0": lambda: models.efficientnet_b0(num_classes=CLASSES, dropout=0.0, stochastic_depth_prob=0.0),
    "unet": lambda: UNet(CLASSES, 8, 3),
}


def run(make, dtype, draw):
    net = make().to(dtype)
    net.load_state_dict({k: v if v.dtype == torch.int64 else weight(k, v.shape).to(dtype) for k, v in net.state_dict().items()})
    x = (drawn(f"input {draw}", (BATCH, 3, SIZE, SIZE)) * 2).to(dtype)
    with torch.no_grad():
        evaluated = net.eval()(x)
    out = net.train()(x)
    (out * drawn("output", out.shape).to(dtype)).sum().backward()
    grads = {}
    for key, p in net.named_parameters():
        grads[key] = [p.grad.norm(), (p.grad * drawn(f"probe {key}", p.shape).to(dtype)).sum()]
    stats = {k: v.sum() for k, v in net.state_dict().items() if "running" in k}
    return {"evaluated": evaluated.flatten(), "trained": out.detach().flatten(), "grads": grads, "stats": stats}


def difference(exact, single):
    worst = max(float((exact[k] - single[k]).norm() / exact[k].norm()) for k in ["evaluated", "trained"])
    largest = max(float(n) for n, _ in exact["grads"].values())
    for key, (norm, probe) in exact["grads"].items():
        # The bias of a layer before a normalisation has a gradient of 0.
        worst = max(worst, abs(float(probe - single["grads"][key][1])) / max(float(norm), 1e-3 * largest))
    return worst


def main():
    cases = []
    for name, make in CASES.items():
        tries = []
        for draw in range(8):
            exact, single = run(make, torch.float64, draw), run(make, torch.float32, draw)
            tries.append((difference(exact, single), draw))
            print(f"{name}, draw {draw}: float32 differs by {tries[-1][0]:.1e}", flush=True)
            if tries[-1][0] < 3e-4:
                break
        precision, draw = min(tries)
        assert precision < 1e-2
        exact = run(make, torch.float64, draw)
        some = slice(None) if name != "unet" else slice(None, None, 97)
        cases.append({
            "name": name,
            "draw": draw,
            "precision": float(f"{precision:.1e}"),
            "evaluated": [number(v) for v in exact["evaluated"][some]],
            "trained": [number(v) for v in exact["trained"][some]],
            "grads": {k: [number(n), number(p)] for k, (n, p) in exact["grads"].items()},
            "stats": {k: number(v) for k, v in exact["stats"].items()},
        })
    head = {"generator": "test/golden/torchvision_models.py", "torch": torch.__version__.split("+")[0],
            "torchvision": torchvision.__version__.split("+")[0], "classes": CLASSES, "size": SIZE, "batch": BATCH}
    lines = ",\n".join(json.dumps(c, separators=(",", ":"), allow_nan=False) for c in cases)
    path = Path(__file__).with_name("torchvision_models.json")
    path.write_text(json.dumps(head)[:-1] + f', "cases": [\n{lines}\n]}}\n')
    print(f"{path.name}: {len(cases)} cases, {path.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
