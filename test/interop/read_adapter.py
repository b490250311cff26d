"""Checks that Python's peft loads an adapter that Gradus trained, with equal outputs.

Run: npx tsx -C gradus-source test/interop/write_adapter.ts /tmp/adapter && python test/interop/read_adapter.py /tmp/adapter
"""
import sys
from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification

golden = Path(__file__).parent.parent / "golden" / "peft"
folder = Path(sys.argv[1])
base = AutoModelForSequenceClassification.from_pretrained(golden / "base").eval()
batch = load_file(golden / "batch.safetensors")
batch.pop("labels")
before = base(**batch).logits
model = PeftModel.from_pretrained(base, folder).eval()
expected = load_file(folder / "expected.safetensors")["logits"]
logits = model(**batch).logits
merged = model.merge_and_unload()(**batch).logits
print("moved", (logits - before).abs().max().item())
print("difference", (logits - expected).abs().max().item(), "merged", (merged - expected).abs().max().item())
assert (logits - before).abs().max() > 0.1
assert torch.allclose(logits, expected, atol=2e-5) and torch.allclose(merged, expected, atol=2e-5)
print("ok")
