"""Tiny networks exported by PyTorch's two ONNX exporters, with outputs and gradients, for the import tests.

Run: python test/golden/onnx_models.py   (writes test/golden/onnx_models/*.onnx and *.safetensors)

Each .safetensors file holds `input.<name>`, `output.<name>`, `probe.<name>` and, for every initializer that PyTorch trains,
`grad.<initializer>`: the gradient of the sum of mean(output * probe). Train-mode files also hold `state.<initializer>`:
running statistics after one forward. Initializers that the exporter transposed or renamed are found by their values.
"""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import torchvision
import transformers
from onnx import numpy_helper
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models.resnet import BasicBlock, ResNet

out = Path(__file__).parent / "onnx_models"
out.mkdir(exist_ok=True)
seed = 2024
versions = {
    "torch": torch.__version__, "torchvision": torchvision.__version__, "transformers": transformers.__version__,
    "onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__, "seed": str(seed),
}


class NarrowResNet(ResNet):
    """torchvision's ResNet-18 with fewer channels."""

    def __init__(self, width, classes=5):
        nn.Module.__init__(self)
        self._norm_layer = nn.BatchNorm2d
        self.inplanes, self.dilation, self.groups, self.base_width = width, 1, 1, 64
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = self._make_layer(BasicBlock, width, 2)
        self.layer2 = self._make_layer(BasicBlock, 2 * width, 2, stride=2)
        self.layer3 = self._make_layer(BasicBlock, 4 * width, 2, stride=2)
        self.layer4 = self._make_layer(BasicBlock, 8 * width, 2, stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(8 * width, classes)
        for m in self.modules():
            if isinstance(m, nn.BatchNorm2d):
                nn.init.uniform_(m.weight, 0.5, 1.5)
                nn.init.uniform_(m.bias, -0.3, 0.3)
                nn.init.uniform_(m.running_mean, -0.3, 0.3)
                nn.init.uniform_(m.running_var, 0.5, 1.5)


def fuse(module):
    """Folds every BatchNorm2d into the convolution before it, as eval-mode exports do."""
    for block in module.modules():
        names = [n for n, _ in block.named_children()]
        for conv, norm in [("conv1", "bn1"), ("conv2", "bn2"), ("0", "1")]:
            if conv in names and norm in names and isinstance(getattr(block, norm), nn.BatchNorm2d):
                setattr(block, conv, fuse_conv_bn_eval(getattr(block, conv), getattr(block, norm)))
                setattr(block, norm, nn.Identity())
    return module.requires_grad_(True)


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 16), nn.GELU(), nn.LayerNorm(16), nn.Dropout(0.2), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 3))

    def forward(self, x):
        return torch.log_softmax(self.net(x), dim=-1)


class BertOutputs(nn.Module):
    def __init__(self, bert):
        super().__init__()
        self.bert = bert

    def forward(self, input_ids, attention_mask, token_type_ids):
        y = self.bert(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
        return y.last_hidden_state, y.pooler_output


class Lstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(4, 6, num_layers=2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(12, 2)

    def forward(self, x):
        return self.head(self.lstm(x)[0].mean(1))


def randomize(module):
    """Equal initial values (zero biases, ones) would be merged by the exporters, and hide mistakes."""
    for p in module.parameters():
        if p.ndim == 1:
            p.data += 0.2 * torch.randn_like(p)
    return module


def forms(module):
    """Every parameter and the forms in which exporters write it, with the gradient in the same form."""
    for m in module.modules():
        if isinstance(m, nn.LSTM):
            yield from lstm_forms(m)
    for p in module.parameters():
        yield p.detach(), p.grad
        if p.ndim == 2 and p.grad is not None:
            yield p.detach().T, p.grad.T


def lstm_forms(lstm):
    """ONNX orders gates i, o, f, c, stacks directions, and joins the two biases."""
    def reorder(t):
        i, f, g, o = t.chunk(4)
        return torch.cat([i, o, f, g])

    for layer in range(lstm.num_layers):
        suffixes = [f"_l{layer}", f"_l{layer}_reverse"] if lstm.bidirectional else [f"_l{layer}"]
        for kind in ["weight_ih", "weight_hh"]:
            ps = [getattr(lstm, kind + s) for s in suffixes]
            yield torch.stack([reorder(p.detach()) for p in ps]), torch.stack([reorder(p.grad) for p in ps])
        pairs = [(getattr(lstm, "bias_ih" + s), getattr(lstm, "bias_hh" + s)) for s in suffixes]
        yield tuple(
            torch.stack([torch.cat([reorder(f(a)), reorder(f(b))]) for a, b in pairs])
            for f in (lambda p: p.detach(), lambda p: p.grad)
        )


def gradient_by_initializer(model_file, module):
    """Gradients under the initializers' names: equal values in any of the forms above."""
    grads = {}
    for init in onnx.load(model_file).graph.initializer:
        value = torch.from_numpy(numpy_helper.to_array(init).copy())
        if not value.is_floating_point() or value.numel() < 2:
            continue
        for p, g in forms(module):
            if value.shape == p.shape and torch.equal(value, p) and g is not None:
                grads[init.name] = g
                break
    return grads


def save(name, module, inputs, input_names, output_names, axes, how, opset, training=False):
    path = out / f"{name}.onnx"
    module.train(training)
    if how == "torchscript":
        mode = torch.onnx.TrainingMode.TRAINING if training else torch.onnx.TrainingMode.EVAL
        torch.onnx.export(
            module, inputs, path, dynamo=False, opset_version=opset, input_names=input_names, output_names=output_names,
            dynamic_axes={n: dict(a) for n, a in axes.items()}, training=mode, do_constant_folding=not training,
        )
    else:
        shapes = tuple({i: torch.export.Dim(a) for i, a in axes[n].items()} for n in input_names)
        torch.onnx.export(
            module, inputs, path, dynamo=True, opset_version=opset, input_names=input_names, output_names=output_names,
            dynamic_shapes=shapes, external_data=False, optimize=True, verbose=False,
        )
    model = onnx.load(path)
    strip(model)
    onnx.save(model, path)
    module.train(training)
    # Tracing moves running statistics: start from those of the file.
    kept = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in model.graph.initializer}
    with torch.no_grad():
        for n, b in module.named_buffers():
            b.copy_(kept.get(n, b))
    module.zero_grad()
    outputs = module(*inputs)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    generator = torch.Generator().manual_seed(seed)
    probes = [torch.randn(y.shape, generator=generator) for y in outputs]
    loss = sum((y * p).mean() for y, p in zip(outputs, probes))
    loss.backward()
    grads = gradient_by_initializer(path, module)
    tensors = {f"input.{n}": x for n, x in zip(input_names, inputs)}
    tensors |= {f"output.{n}": y.detach() for n, y in zip(output_names, outputs)}
    tensors |= {f"grad.{n}": g for n, g in grads.items() if g is not None}
    tensors |= {f"probe.{n}": p for n, p in zip(output_names, probes)}
    tensors["loss"] = loss.detach()
    if training:
        tensors |= {f"state.{n}": b for n, b in module.named_buffers() if b.is_floating_point()}
    path.with_suffix(".safetensors").unlink(missing_ok=True)
    save_file({n: t.contiguous().clone() for n, t in tensors.items()}, out / f"{name}.safetensors", metadata=versions)
    path.with_suffix(".safetensors").chmod(0o644)
    trained = sum(p.grad is not None for p in module.parameters())
    if not training:
        session = onnxruntime.InferenceSession(path)
        ran = session.run(None, {i.name: x.numpy() for i, x in zip(session.get_inputs(), inputs)})
        assert np.allclose(ran[0], outputs[0].detach().numpy(), atol=1e-4)
    print(name, path.stat().st_size, (out / f"{name}.safetensors").stat().st_size, len(model.graph.node), "nodes;", len(grads), "of", trained, "gradients")


def strip(model):
    """Stack traces and paths of the machine are no part of a fixture."""
    def clean(nodes):
        for node in nodes:
            node.ClearField("doc_string")
            del node.metadata_props[:]
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


def both(name, module, inputs, input_names, output_names, axes, opset=17, dynamo_opset=20):
    save(f"{name}-torchscript", module, inputs, input_names, output_names, axes, "torchscript", opset)
    save(f"{name}-dynamo", module, inputs, input_names, output_names, axes, "dynamo", dynamo_opset)


torch.manual_seed(seed)
both("mlp", randomize(Mlp()), (torch.randn(5, 6),), ["x"], ["y"], {"x": {0: "batch"}, "y": {0: "batch"}})

torch.manual_seed(seed)
resnet = NarrowResNet(4).eval()
images = torch.randn(2, 3, 32, 32)
image_axes = {"image": {0: "batch"}, "logits": {0: "batch"}}
both("resnet18", fuse(resnet), (images,), ["image"], ["logits"], image_axes)

torch.manual_seed(seed)
# Few elements per channel would make the gradients of batch statistics ill-conditioned.
save("resnet18-train", NarrowResNet(2), (torch.randn(8, 3, 40, 40),), ["image"], ["logits"], image_axes, "torchscript", 17, training=True)

torch.manual_seed(seed)
config = transformers.BertConfig(
    vocab_size=60, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
    max_position_embeddings=40, hidden_dropout_prob=0.1, initializer_range=0.3,
)
ids = torch.randint(0, 60, (2, 7))
mask = torch.tensor([[1] * 7, [1] * 4 + [0] * 3])
kinds = torch.tensor([[0, 0, 0, 1, 1, 1, 1], [0, 0, 1, 1, 0, 0, 0]])
names = ["input_ids", "attention_mask", "token_type_ids"]
results = ["last_hidden_state", "pooler_output"]
axes = {n: {0: "batch", 1: "sequence"} for n in [*names, "last_hidden_state"]} | {"pooler_output": {0: "batch"}}
both("bert", randomize(BertOutputs(transformers.BertModel(config))), (ids, mask, kinds), names, results, axes)

torch.manual_seed(seed)
lstm_axes = {"x": {0: "batch", 1: "sequence"}, "y": {0: "batch"}}
save("lstm-torchscript", randomize(Lstm()), (torch.randn(3, 5, 4),), ["x"], ["y"], lstm_axes, "torchscript", 14)

(out / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")
