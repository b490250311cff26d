"""Checks that PyTorch and the reference library read a safetensors file written by Gradus.

Run: npx tsx -C gradus-source test/interop/write_safetensors.ts /tmp/x.safetensors && python test/interop/read_safetensors.py /tmp/x.safetensors
"""
import sys

import torch
from safetensors import safe_open
from safetensors.torch import load_file

path = sys.argv[1]
tensors = load_file(path)
expected = {
    "weight": torch.tensor([[1.5, -2.0], [0.25, 1e-3]]),
    "double": torch.tensor([0.1, -1e300], dtype=torch.float64),
    "half": torch.tensor([1.0, -2.0], dtype=torch.float16),
    "brain": torch.tensor([1.0, -3.0], dtype=torch.bfloat16),
    "steps": torch.tensor([2**53 - 1, -1, -(2**32) - 5]),
    "mask": torch.tensor([True, False, True]),
    "bytes": torch.tensor([0, 255], dtype=torch.uint8),
    "scalar": torch.tensor(42, dtype=torch.int32),
    "empty": torch.zeros(0, 3),
    "名": torch.tensor([7], dtype=torch.int16),
}
assert tensors.keys() == expected.keys(), (sorted(tensors), sorted(expected))
for name, value in expected.items():
    assert tensors[name].dtype == value.dtype and tensors[name].shape == value.shape, name
    assert torch.equal(tensors[name], value), (name, tensors[name], value)
with safe_open(path, "pt") as file:
    assert file.metadata() == {"format": "pt", "note": 'a "quoted" text'}, file.metadata()
print(f"{len(expected)} tensors agree")
