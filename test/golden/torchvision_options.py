"""Golden outputs of image networks with other options and odd sizes: `python torchvision_options.py`.

One picture of 33 x 47 in evaluation; weights and picture are drawn as in torchvision_models.py. Writes torchvision_options.json.
"""

import json
from pathlib import Path

import torch
import torchvision
from torchvision import models

from common import number
from torchvision_models import drawn, weight

SIZE = [33, 47]
CASES = [
    ("resnet18", {"num_classes": 1}),
    ("mobilenet_v2", {"num_classes": 3, "width_mult": 0.35}),
    ("mobilenet_v2", {"num_classes": 4, "width_mult": 1.4, "dropout": 0.1}),
    ("mobilenet_v3_small", {"num_classes": 3, "width_mult": 0.5}),
    ("mobilenet_v3_large", {"num_classes": 3, "width_mult": 0.75}),
    ("efficientnet_b0", {"num_classes": 3, "dropout": 0.4}),
]

cases = []
for name, options in CASES:
    net = getattr(models, name)(**options)
    net.load_state_dict({k: v if v.dtype == torch.int64 else weight(k, v.shape) for k, v in net.state_dict().items()})
    with torch.no_grad():
        y = net.double().eval()(2 * drawn("input", (1, 3, *SIZE)).double())
    shapes = sum(p.numel() for p in net.parameters())
    cases.append({"name": name, "options": options, "parameters": shapes, "evaluated": [number(v) for v in y.flatten()]})
head = {"generator": "test/golden/torchvision_options.py", "torch": torch.__version__.split("+")[0],
        "torchvision": torchvision.__version__.split("+")[0], "size": SIZE}
lines = ",\n".join(json.dumps(c, separators=(",", ":"), allow_nan=False) for c in cases)
Path(__file__).with_name("torchvision_options.json").write_text(json.dumps(head)[:-1] + f', "cases": [\n{lines}\n]}}\n')
