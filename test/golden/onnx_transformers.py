"""Tiny transformers exported as they are found on the hub: PyTorch's old (TorchScript) and new (dynamo) exporters.

Run: python test/golden/onnx_transformers.py   (writes test/golden/onnx_transformers/*.onnx and *.safetensors)

The same form as onnx_models.py: each .safetensors file holds `input.<name>`, `output.<name>`, `probe.<name>`, `loss` and
`grad.<initializer>`; here gradients are only kept for weights that the exporter renamed and for a few others. `losses` are
those of five steps of SGD on all parameters that have a gradient (lr 0.05) on the mean of output * probe, squared.
Node metadata that tells the module of a node stays in the files, as it does in exports that people make.
"""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import transformers
from onnx import numpy_helper
from safetensors.torch import save_file
from torch import nn

out = Path(__file__).parent / "onnx_transformers"
out.mkdir(exist_ok=True)
seed = 2025
scopes_key = "pkg.torch.onnx.name_scopes"


class Named(nn.Module):
    """A model that takes its inputs by position and gives the outputs that are asked for."""

    def __init__(self, model, names, results, **options):
        super().__init__()
        self.model, self.names, self.results, self.options = model, names, results, options

    def forward(self, *inputs):
        given = dict(zip(self.names, inputs))
        past = [given.pop(n) for n in self.names if n.startswith("past_key_values")]
        if past:
            cache = transformers.DynamicCache()
            for layer in range(len(past) // 2):
                cache.update(past[2 * layer], past[2 * layer + 1], layer)
            given["past_key_values"] = cache
        result = self.model(**given, **self.options)
        return tuple(result[r] for r in self.results)


def strip(model):
    def clean(nodes):
        for node in nodes:
            node.ClearField("doc_string")
            kept = [(p.key, p.value) for p in node.metadata_props if p.key == scopes_key]
            del node.metadata_props[:]
            for key, value in kept:
                p = node.metadata_props.add()
                p.key, p.value = key, value
            for a in node.attribute:
                a.ClearField("doc_string")
                if a.type == onnx.AttributeProto.GRAPH:
                    clean(a.g.node)
    clean(model.graph.node)
    for f in model.functions:
        clean(f.node)
    del model.graph.metadata_props[:]
    for v in [*model.graph.value_info, *model.graph.input, *model.graph.output]:
        del v.metadata_props[:]


def gradients(path, module):
    grads, trained = {}, 0
    for init in onnx.load(path).graph.initializer:
        value = torch.from_numpy(numpy_helper.to_array(init).copy())
        if not value.is_floating_point() or value.numel() < 2:
            continue
        for name, p in module.named_parameters():
            g = p.grad
            if g is None:
                continue
            for v, d in [(p.detach(), g)] + ([(p.detach().T, g.T)] if p.ndim == 2 else []):
                if value.shape == v.shape and torch.equal(value, v):
                    trained += 1
                    if name.split(".")[-1] == "weight" and (init.name not in name and not init.name.endswith(name) or ".1." in name):
                        grads[init.name] = d.clone().contiguous()
                    break
            else:
                continue
            break
    return grads, trained


def save(name, model, inputs, results, axes, how, prefix_free=True, **options):
    path = out / f"{name}-{how}.onnx"
    names = list(inputs)
    torch.manual_seed(seed)
    for p in model.parameters():
        if p.ndim == 1:
            p.data += 0.2 * torch.randn_like(p)
    module = Named(model, names, results, **options).eval()
    tensors = tuple(inputs.values())
    if how == "torchscript":
        torch.onnx.export(
            module, tensors, path, dynamo=False, opset_version=17, input_names=names, output_names=results, dynamic_axes=axes,
        )
    else:
        dims = tuple({i: torch.export.Dim(a, min=1, max=64) if not a.startswith("?") else torch.export.Dim.DYNAMIC for i, a in axes[n].items()} for n in names)
        torch.onnx.export(
            module, tensors, path, dynamo=True, opset_version=20, input_names=names, output_names=results,
            dynamic_shapes=(dims,), external_data=False, optimize=True, verbose=False,
        )
    file = onnx.load(path)
    strip(file)
    onnx.save(file, path)
    outputs = module(*tensors)
    generator = torch.Generator().manual_seed(seed)
    probes = [torch.randn(y.shape, generator=generator) for y in outputs]
    loss_of = lambda: sum((y * p).mean() for y, p in zip(module(*tensors), probes)).square()
    loss_of().backward()
    grads, trained = gradients(path, module)
    golden = {f"input.{n}": t for n, t in inputs.items()} | {f"output.{n}": y.detach() for n, y in zip(results, outputs)}
    golden |= {f"probe.{n}": p for n, p in zip(results, probes)} | {f"grad.{n}": g for n, g in grads.items()}
    session = onnxruntime.InferenceSession(path.read_bytes())
    ran = session.run(results, {n: t.numpy() for n, t in inputs.items() if n in [i.name for i in session.get_inputs()]})
    assert np.allclose(ran[0], outputs[0].detach().numpy(), atol=1e-4), name
    before = {k: v.clone() for k, v in module.state_dict().items()}
    optimizer = torch.optim.SGD(module.parameters(), lr=0.05)
    losses = []
    for _ in range(5):
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    module.load_state_dict(before)
    golden["losses"] = torch.stack(losses)
    save_file({k: v.contiguous() for k, v in golden.items()}, out / f"{name}-{how}.safetensors")
    print(name, how, path.stat().st_size, len(file.graph.node), "nodes", trained, "trained,", len(grads), "gradients kept", [float(x) for x in losses][:2])


torch.manual_seed(seed)
ids = torch.randint(1, 40, (2, 5))
mask = torch.tensor([[1] * 5, [1] * 3 + [0] * 2])
text = {"input_ids": ids, "attention_mask": mask}
text_axes = {n: {0: "batch", 1: "sequence"} for n in text}


def both(name, make, inputs, results, axes, **options):
    for how in ["torchscript", "dynamo"]:
        torch.manual_seed(seed)
        try:
            save(name, make(), inputs, results, axes, how, **options)
        except Exception as error:  # noqa: BLE001
            print("FAILED", name, how, type(error).__name__, str(error)[:300].replace("\n", " "))
            (out / f"{name}-{how}.onnx").unlink(missing_ok=True)


distil = transformers.DistilBertConfig(
    vocab_size=40, dim=16, n_layers=2, n_heads=2, hidden_dim=32, max_position_embeddings=16, num_labels=3, initializer_range=0.3,
)
both("distilbert", lambda: transformers.DistilBertForSequenceClassification(distil), text, ["logits"], text_axes | {"logits": {0: "batch"}})

gpt2 = transformers.GPT2Config(
    vocab_size=40, n_embd=16, n_layer=2, n_head=2, n_positions=16, initializer_range=0.3, bos_token_id=0, eos_token_id=0,
    tie_word_embeddings=False,  # exporters write tied weights twice, and each copy then has its own gradient
)
both(
    "gpt2", lambda: transformers.GPT2LMHeadModel(gpt2), text, ["logits"],
    text_axes | {"logits": {0: "batch", 1: "sequence"}}, use_cache=False,
)

past = {f"past_key_values.{layer}.{kind}": torch.randn(2, 2, 3, 8) for layer in range(2) for kind in ["key", "value"]}
past_inputs = {"input_ids": ids, "attention_mask": torch.cat([torch.ones(2, 3, dtype=torch.int64), mask], 1), **past}
past_axes = {"input_ids": {0: "batch", 1: "sequence"}, "attention_mask": {0: "batch", 1: "total"}, "logits": {0: "batch", 1: "sequence"}}
past_axes |= {n: {0: "batch", 2: "past"} for n in past}
both("gpt2-past", lambda: transformers.GPT2LMHeadModel(gpt2), past_inputs, ["logits"], past_axes)

t5 = transformers.T5Config(
    vocab_size=40, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2, relative_attention_num_buckets=8, decoder_start_token_id=0,
)
both("t5-encoder", lambda: transformers.T5EncoderModel(t5), text, ["last_hidden_state"], text_axes | {"last_hidden_state": {0: "batch", 1: "sequence"}})

vit = transformers.ViTConfig(
    image_size=16, patch_size=8, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, num_labels=3, initializer_range=0.3,
)
both(
    "vit", lambda: transformers.ViTForImageClassification(vit), {"pixel_values": torch.randn(2, 3, 16, 16)}, ["logits"],
    {"pixel_values": {0: "batch"}, "logits": {0: "batch"}},
)
versions = {"torch": torch.__version__, "transformers": transformers.__version__, "onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__, "seed": str(seed)}
(out / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")
