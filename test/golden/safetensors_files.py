"""Writes tiny safetensors files with the reference library, and their values as JSON.

Run: python test/golden/safetensors_files.py   (needs safetensors and torch)
"""
import json
import pathlib

import safetensors
import torch
from safetensors.torch import save_file

out = pathlib.Path(__file__).parent / "safetensors"
out.mkdir(exist_ok=True)

tensors = {
    "f32": torch.tensor([[1.5, -2.25, 3e38], [float("inf"), -0.0, 1e-45]]),
    "f64": torch.tensor([0.1, -1e300], dtype=torch.float64),
    "f16": torch.tensor([1.0, -2.0, 65504.0, 6e-8], dtype=torch.float16),
    "bf16": torch.tensor([[1.0], [-3.0], [3.4e38]], dtype=torch.bfloat16),
    "i8": torch.tensor([-128, 127], dtype=torch.int8),
    "u8": torch.tensor([0, 255, 7], dtype=torch.uint8),
    "i16": torch.tensor([-32768, 32767], dtype=torch.int16),
    "u16": torch.tensor([0, 65535], dtype=torch.uint16),
    "i32": torch.tensor([-(2**31), 2**31 - 1], dtype=torch.int32),
    "u32": torch.tensor([0, 2**32 - 1], dtype=torch.uint32),
    "i64": torch.tensor([0, 1, -1, 2**32, -(2**32) - 5, 2**53 - 1, -(2**53) + 1]),
    "u64": torch.tensor([0, 2**53 - 1], dtype=torch.uint64),
    "bool": torch.tensor([[True, False, True]]),
    "scalar": torch.tensor(42.0),
    "empty": torch.zeros(0, 3),
    "10": torch.tensor([10], dtype=torch.int32),
    'ünïcode "名"/\n': torch.tensor([1.0]),
}
save_file(tensors, out / "all.safetensors", {"format": "pt"})
save_file({}, out / "none.safetensors")
save_file({"big": torch.tensor([0, 2**53])}, out / "int64_beyond.safetensors")
save_file({"fp8": torch.ones(3).to(torch.float8_e4m3fn), "ok": torch.ones(2)}, out / "float8.safetensors")


def values(t):
    if t.dtype in (torch.float16, torch.bfloat16):
        return t.view(torch.uint16).flatten().tolist()  # Gradus holds the raw bits
    return [repr(float(v)) if t.is_floating_point() else int(v) for v in t.flatten().tolist()]


expected = {
    "versions": {"safetensors": safetensors.__version__, "torch": torch.__version__},
    "tensors": {
        name: {"dtype": str(t.dtype).removeprefix("torch."), "shape": list(t.shape), "values": values(t)}
        for name, t in tensors.items()
    },
}
(out / "all.json").write_text(json.dumps(expected, indent=1) + "\n")
