"""A tiny BERT with LoRA adapters of Python's peft: outputs, gradients, merged outputs, and the adapters as peft saves them.

Run: python test/golden/peft_models.py   (writes test/golden/peft/: base/ is the model, every other folder an adapter)

Each adapter folder holds adapter_config.json and adapter_model.safetensors as `save_pretrained` wrote them, and
golden.safetensors: `logits`, `merged`, `loss` and `grad.<key>` for every key of the adapter. The batch is in
batch.safetensors. Adapters are drawn at random (B too), so that they change the output.
"""

import json
import shutil
from pathlib import Path

import peft
import torch
import transformers
from safetensors.torch import save_file

out = Path(__file__).parent / "peft"
shutil.rmtree(out, ignore_errors=True)
out.mkdir()
seed = 2024


def make_base():
    torch.manual_seed(seed)
    config = transformers.BertConfig(
        vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
        max_position_embeddings=20, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, initializer_range=0.3, num_labels=3,
    )
    return transformers.BertForSequenceClassification(config)


make_base().save_pretrained(out / "base")
torch.manual_seed(seed)
batch = {
    "input_ids": torch.randint(0, 40, (3, 6)),
    "attention_mask": torch.tensor([[1] * 6, [1] * 4 + [0] * 2, [1] * 5 + [0]]),
    "labels": torch.tensor([2, 0, 1]),
}
save_file(batch, out / "batch.safetensors")

adapters = {
    "plain": dict(r=4, lora_alpha=8, target_modules=["query", "value"], modules_to_save=["classifier"]),
    "rslora": dict(r=3, lora_alpha=5, use_rslora=True, target_modules="all-linear", bias="lora_only", task_type="SEQ_CLS"),
    "patterns": dict(
        r=2, lora_alpha=4, target_modules=r".*layer\.\d+\.(attention\.self\.key|output\.dense)", bias="all",
        rank_pattern={"attention.self.key": 5}, alpha_pattern={r"layer\.1\.output\.dense": 7},
    ),
}

for name, options in adapters.items():
    torch.manual_seed(seed + 1)
    model = peft.get_peft_model(make_base(), peft.LoraConfig(init_lora_weights=False, **options))
    folder = out / name
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = None
    config["target_modules"] = sorted(config["target_modules"]) if isinstance(config["target_modules"], list) else config["target_modules"]
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    model.train()
    result = model(**batch)
    result.loss.backward()
    golden = {"logits": result.logits.detach(), "loss": result.loss.detach()}
    keys = peft.get_peft_model_state_dict(model)
    for key, p in model.named_parameters():
        if p.requires_grad:
            short = key.replace(".default", "").replace(".modules_to_save", "").replace(".base_layer", "")
            assert short in keys or not name == "plain", short
            golden[f"grad.{short}"] = p.grad.clone()
    golden["merged"] = model.merge_and_unload().eval()(**batch).logits.detach()
    save_file({k: v.contiguous() for k, v in golden.items()}, folder / "golden.safetensors")
    print(name, len(golden), "tensors", sorted(k for k in keys if "lora" not in k))

versions = {"peft": peft.__version__, "torch": torch.__version__, "transformers": transformers.__version__, "seed": str(seed)}
(out / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")
