"""Golden values of torchvision.ops.nms and batched_nms: `python detection.py` writes detection.json."""

import json
from pathlib import Path

import numpy as np
import torch
import torchvision
from torchvision.ops import batched_nms, nms

SEED = 20261124
rng = np.random.default_rng(SEED)
cases = []
for n, classes, threshold in [(0, 1, 0.5), (1, 1, 0.5), (12, 1, 0.5), (12, 1, 0.1), (20, 3, 0.3), (40, 4, 0.5), (40, 2, 0.7), (20, 2, 0.0), (20, 2, 1.0)]:
    corner = np.round(rng.uniform(0, 60, (n, 2)), 1)
    size = np.round(rng.uniform(5, 50, (n, 2)), 1)
    boxes = np.concatenate([corner, corner + size], 1).round(1)
    scores = rng.permutation(n) / max(n, 1)
    if n == 40:  # ties: of equal scores the first box counts
        scores = np.floor(scores * 8) / 8
    labels = rng.integers(0, classes, n)
    b, s, l = torch.tensor(boxes, dtype=torch.float64).reshape(-1, 4), torch.tensor(scores, dtype=torch.float64), torch.tensor(labels)
    # Class after class: batched_nms itself moves the boxes apart, which rounds.
    per_class = torch.cat([torch.zeros(0, dtype=torch.int64)] + [(i := (l == c).nonzero()[:, 0])[nms(b[i], s[i], threshold)] for c in range(classes)])
    assert set(per_class.tolist()) == set(batched_nms(b, s, l, threshold).tolist())
    cases.append({"boxes": boxes.tolist(), "scores": scores.tolist(), "labels": labels.tolist(), "iouThreshold": threshold,
                  "nms": nms(b, s, threshold).tolist(), "batchedNms": sorted(per_class.tolist())})
head = {"generator": "test/golden/detection.py", "torch": torch.__version__.split("+")[0], "torchvision": torchvision.__version__.split("+")[0], "seed": SEED}
lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
Path(__file__).with_name("detection.json").write_text(json.dumps(head)[:-1] + f', "cases": [\n{lines}\n]}}\n')
