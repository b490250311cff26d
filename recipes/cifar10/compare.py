"""Repeats in PyTorch the steps that compare.ts kept: same weights, same batches. `python compare.py runs/cifar10-compare`

Needs torch, torchvision, numpy, safetensors. Exits with 1 where the running mean of the losses over ten steps (their
noise is the batches', the same on both sides) differs by more than 1%.
"""

import glob
import gzip
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torchvision
from safetensors.torch import load_file
from torch import nn

folder = Path(sys.argv[1])
record = json.loads((folder / "steps.json").read_text())
batch, losses = record["batch"], np.array(record["losses"])

parts = []
for path in sorted(glob.glob(f"{record['source']}/data_batch_*.bin*")):
    raw = (gzip.open if path.endswith(".gz") else open)(path, "rb").read()
    parts.append(np.frombuffer(raw, np.uint8).reshape(-1, 3073))
data = np.concatenate(parts)[: len(losses) * batch]
mean = torch.tensor(record["mean"]).view(1, 3, 1, 1)
std = torch.tensor(record["std"]).view(1, 3, 1, 1)
x = (torch.tensor(data[:, 1:].reshape(-1, 3, 32, 32)) / 255.0 - mean) / std
y = torch.tensor(data[:, 0].astype(np.int64))

torch.manual_seed(1)
net = torchvision.models.vgg16(num_classes=10) if record["network"] == "vgg16" else torchvision.models.vgg16_bn(num_classes=10)
net.avgpool = nn.AdaptiveAvgPool2d(1)
net.classifier = nn.Sequential(
    nn.Linear(512, 512), nn.ReLU(), nn.Identity(), nn.Linear(512, 512), nn.ReLU(), nn.Identity(), nn.Linear(512, 10))
net.load_state_dict(load_file(folder / "model.safetensors"))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-4)
found, start = [], time.perf_counter()
for i in range(len(losses)):
    at = slice(i * batch, (i + 1) * batch)
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(net(x[at]), y[at])
    loss.backward()
    optimizer.step()
    found.append(loss.item())
seconds = time.perf_counter() - start
found = np.array(found)
single = np.abs(losses / found - 1)
window = np.ones(min(10, len(found)))
smooth = np.abs(np.convolve(losses, window, "valid") / np.convolve(found, window, "valid") - 1)
print(f"{record['network']}, batch {batch}, {len(found)} steps: loss {found[0]:.4f} to {found[-1]:.4f}")
print(f"differences: first step {single[0]:.1e}, any step {single.max():.1e}, mean of ten {smooth.max():.1e}")
print(f"seconds: Gradus {record['seconds']:.1f} (compilation included), PyTorch {torch.__version__} {seconds:.1f}")
sys.exit(int(smooth.max() > 0.01))
