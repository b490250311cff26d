"""What the generator of operator cases is made of: one case is an ONNX node on small tensors, its outputs and gradients.

Outputs come from PyTorch where it has the operator (evaluated in float64), else from the reference evaluator of the
`onnx` package, else from ONNX Runtime; whichever of the three can run a case must agree with the others.
"""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from common import SEED, normal, number

onnxruntime.set_default_logger_severity(4)
OPSET = 26
FLOATS = {"alpha", "beta", "gamma", "lambd", "bias", "epsilon", "scale", "mean", "low", "high", "seed", "value_float",
          "value_floats", "spatial_scale"}
DTYPES = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE, "int64": TensorProto.INT64, "int32": TensorProto.INT32,
          "uint8": TensorProto.UINT8, "int8": TensorProto.INT8, "bool": TensorProto.BOOL, "uint32": TensorProto.UINT32}


def t(data, dtype="float32"):
    return torch.tensor(data, dtype=getattr(torch, dtype))


def i64(*data):
    return torch.tensor(list(data), dtype=torch.int64)


def scalar(v, dtype="int64"):
    return torch.tensor(v, dtype=getattr(torch, dtype))


def tensor_json(v):
    v = v.detach()
    name = str(v.dtype).replace("torch.", "")
    if v.is_floating_point():
        name = "float32" if name == "float32" else name
        data = [number(x) for x in v.double().flatten().numpy().astype(np.float32)]
    else:
        data = [int(x) for x in v.flatten().tolist()]
    return {"dtype": name, "shape": list(v.shape), "data": data}


def attribute(name, value):
    if name in ("to", "dtype", "output_dtype", "output_datatype") and isinstance(value, str):
        return DTYPES[value]
    if isinstance(value, torch.Tensor):
        return numpy_helper.from_array(value.numpy(), name)
    if name in FLOATS:
        return [float(v) for v in value] if isinstance(value, list) else float(value)
    return value


def model_of(op, domain, inputs, attrs, outputs, opset):
    names = ["" if v is None else f"x{i}" for i, v in enumerate(inputs)]
    info = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.numpy().dtype), list(v.shape))
            for n, v in zip(names, inputs) if v is not None]
    outs = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(op, names, outs, domain=domain, **{k: attribute(k, v) for k, v in attrs.items()})
    graph = helper.make_graph([node], op, info, [onnx.ValueInfoProto(name=n) for n in outs])
    opsets = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def run_with(engine, op, domain, inputs, attrs, outputs, opset):
    feeds = {f"x{i}": v.detach().numpy() for i, v in enumerate(inputs) if v is not None}
    model = model_of(op, domain, inputs, attrs, outputs, opset)
    if engine == "onnxruntime":
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        found = session.run(None, feeds)
    else:
        found = ReferenceEvaluator(model).run(None, feeds)
    return [torch.from_numpy(np.array(v)) for v in found]


def differ(a, b):
    if list(a.shape) != list(b.shape):
        return True
    return not torch.allclose(a.double(), b.double(), rtol=1e-4, atol=1e-5, equal_nan=True)


def as_list(v):
    return list(v) if isinstance(v, (tuple, list)) else [v]


class Family:
    """The cases of one file, `ops/<name>.json`."""

    def __init__(self, name):
        self.name, self.cases, self.names, self.disagreements = name, [], set(), []

    def case(self, op, inputs, attrs=None, fn=None, *, const=(), grad=None, second=True, differences=True, domain="",
             outputs=1, name=None, tolerance=None, opset=OPSET, reference=True, compare=True, types=False):
        """`const`: operands that must be known while tracing. `grad`: operands to differentiate by (default: all float
        operands that are not constant; () for none). `second`: whether the second derivative exists and is not 0.
        `differences`: whether to compare with finite differences. `compare`: PyTorch and ONNX mean the same.
        `types`: only types are compared
        (ONNX Runtime has no kernel for the emitted opset, or the elements are random)."""
        attrs, inputs = attrs or {}, list(inputs)
        label = name or self.describe(op, inputs, attrs)
        while label in self.names:
            label += "'"
        self.names.add(label)
        if grad is None:
            grad = [i for i, v in enumerate(inputs) if v is not None and v.is_floating_point() and i not in const]
        found = {}
        if fn is not None:
            found["torch"] = as_list(fn(*[v.double() if v is not None and v.dtype == torch.float32 else v for v in inputs if v is not None]))
            found["torch"] = [v.float() if v.dtype == torch.float64 else v for v in found["torch"]]
        for engine in ["onnx", "onnxruntime"]:
            if engine == "onnx" and (not reference or domain):
                continue
            try:
                found[engine] = run_with(engine, op, domain, inputs, attrs, outputs, opset)
            except Exception as error:
                if not found and engine == "onnxruntime":
                    raise AssertionError(f"{label}: nothing can run it: {error}") from error
        results = list(found.items())
        for engine, values in results[1:]:
            if compare and not types and any(differ(a, b) for a, b in zip(results[0][1], values)):
                self.disagreements.append(f"{label}: {results[0][0]} {results[0][1]}\n  {engine} {values}")
        source, expected = results[0]
        case = {"name": label, "op": op, "inputs": [None if v is None else tensor_json(v) for v in inputs],
                "attrs": {k: tensor_json(v) if isinstance(v, torch.Tensor) else v for k, v in attrs.items()},
                "outputs": [tensor_json(v) for v in expected], "source": source}
        if domain: case["domain"] = domain
        if const: case["constants"] = list(const)
        if types: case["typesOnly"] = True
        if tolerance: case["tolerance"] = tolerance
        if grad and not types:
            seeds = [normal(*v.shape) if v.is_floating_point() else None for v in expected]
            case |= {"differentiable": list(grad), "gradOutputs": [None if s is None else tensor_json(s) for s in seeds]}
            if second: case["second"] = True
            if not differences: case["differences"] = False
            if fn is not None:
                case["grads"] = [tensor_json(g) for g in self.gradients(fn, inputs, grad, seeds)]
        self.cases.append(case)

    @staticmethod
    def gradients(fn, inputs, grad, seeds):
        args = [v.double() if v is not None and v.dtype == torch.float32 else v for v in inputs]
        leaves = [args[i].clone().requires_grad_() for i in grad]
        for i, leaf in zip(grad, leaves):
            args[i] = leaf
        outs = as_list(fn(*[v for v in args if v is not None]))
        total = sum((y * s.double()).sum() for y, s in zip(outs, seeds) if s is not None and y.requires_grad)
        got = torch.autograd.grad(total, leaves, allow_unused=True)
        return [(torch.zeros_like(v) if g is None else g).float() for v, g in zip(leaves, got)]

    @staticmethod
    def describe(op, inputs, attrs):
        shapes = " ".join("-" if v is None else f"{'' if v.dtype == torch.float32 else str(v.dtype)[6:]}{list(v.shape)}".replace(" ", "") for v in inputs)
        opts = " ".join(f"{k}={v.tolist() if isinstance(v, torch.Tensor) else v}".replace(" ", "") for k, v in attrs.items())
        return " ".join(filter(None, [op, shapes, opts]))

    def write(self):
        head = {"generator": "test/golden/ops_onnx.py", "onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__,
                "torch": torch.__version__.split("+")[0], "seed": SEED}
        lines = ",\n".join(json.dumps(c, separators=(",", ":"), allow_nan=False) for c in self.cases)
        text = json.dumps(head)[:-1] + f', "cases": [\n{lines}\n]}}\n'
        (Path(__file__).parent / "ops" / f"{self.name}.json").write_text(text)
        print(f"ops/{self.name}.json: {len(self.cases)} cases, {len({c['op'] for c in self.cases})} operators, {len(text) // 1024} KiB")
        for d in self.disagreements:
            print("DISAGREE", d)
