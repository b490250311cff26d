"""One-operator models of older operator sets, with what ONNX Runtime makes of them, for the upgrade rules' test.

Run: python test/golden/onnx_opsets.py   (writes test/golden/onnx_models/opsets.json)
"""

import base64
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

random = np.random.default_rng(5)
f = lambda *shape: random.standard_normal(shape).astype(np.float32)
i64 = lambda *values: np.array(values, dtype=np.int64)
cases = []


def case(opset, op, inputs, outputs=1, constants=None, reference=False, **attributes):
    """`inputs` are fed; `constants` become initializers, in the order after the inputs ('' for an absent one)."""
    feeds = {f"x{i}": x for i, x in enumerate(inputs)}
    weights = {f"w{i}": w for i, w in enumerate(constants or []) if w is not None}
    names = [*feeds, *[f"w{i}" if w is not None else "" for i, w in enumerate(constants or [])]]
    results = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(op, names, results, name=f"{op}-{opset}", **attributes)
    kind = helper.np_dtype_to_tensor_dtype
    graph = helper.make_graph(
        [node], "g", [helper.make_tensor_value_info(n, kind(x.dtype), x.shape) for n, x in feeds.items()],
        [helper.make_tensor_value_info(n, TensorProto.UNDEFINED, None) for n in results],
        [numpy_helper.from_array(w, n) for n, w in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=min(8, 10))
    for o in model.graph.output:
        o.ClearField("type")
    model = onnx.shape_inference.infer_shapes(model)
    try:
        if reference:
            raise RuntimeError
        run = onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)
        by = "onnxruntime"
    except Exception as e:
        run = ReferenceEvaluator(model).run(None, feeds)
        by = "onnx.reference"
    values = lambda x: {"dtype": str(x.dtype), "shape": list(x.shape), "data": [float(v) for v in x.ravel()]}
    cases.append({
        "name": f"{op} of opset {opset} {json.dumps(attributes) if attributes else ''}".strip(),
        "by": by, "model": base64.b64encode(model.SerializeToString()).decode(),
        "inputs": [values(x) for x in inputs], "outputs": [values(y) for y in run],
    })


case(11, "Squeeze", [f(1, 3, 1)], axes=[0, 2])
case(11, "Squeeze", [f(1, 3, 1)])
case(11, "Unsqueeze", [f(2, 3)], axes=[0, -1])
case(11, "ReduceSum", [f(2, 3, 4)], axes=[1], keepdims=0)
case(12, "ReduceSum", [f(2, 3)])
case(13, "ReduceMean", [f(2, 3, 4)], axes=[-1, 0])
case(17, "ReduceMax", [f(2, 3, 4)], axes=[1], keepdims=0)
case(13, "ReduceL2", [f(2, 3)], axes=[1])
case(12, "Softmax", [f(2, 3, 4)])
case(12, "Softmax", [f(2, 3, 4)], axis=2)
case(11, "Softmax", [f(2, 3, 4)], axis=0)
case(11, "LogSoftmax", [f(2, 3, 4)], axis=-2)
case(9, "Hardmax", [f(2, 3, 4)])
case(9, "Slice", [f(4, 5)], starts=[1, -3], ends=[3, 1000], axes=[0, 1])
case(9, "Slice", [f(4, 5)], starts=[0, 1], ends=[-1, 3])
case(10, "Pad", [f(2, 3)], pads=[1, 0, 0, 2], value=1.5)
case(10, "Pad", [f(1, 1, 4, 4)], pads=[0, 0, 1, 2, 0, 0, 1, 0], mode="reflect")
case(10, "Clip", [f(3, 4)], min=-0.5, max=0.25)
case(10, "Clip", [f(3, 4)], max=0.25)
case(7, "Dropout", [f(3, 4)], ratio=0.3)
case(10, "Dropout", [f(3, 4)])
case(9, "TopK", [f(2, 6)], outputs=2, k=3, axis=1)
case(10, "TopK", [f(2, 6)], outputs=2, constants=[i64(2)])
case(11, "Split", [f(2, 6)], outputs=2, axis=1, split=[2, 4])
case(11, "Split", [f(6, 2)], outputs=3)
case(13, "Split", [f(2, 6)], outputs=2, axis=1)
case(13, "Split", [f(2, 6)], outputs=2, constants=[i64(1, 5)], axis=-1)
case(7, "Upsample", [f(1, 2, 3, 3)], scales=[1.0, 1.0, 2.0, 3.0])
case(9, "Upsample", [f(1, 1, 2, 3)], constants=[np.array([1, 1, 2, 2], np.float32)], mode="linear")
case(10, "Resize", [f(1, 1, 4, 4)], constants=[np.array([1, 1, 1.5, 2], np.float32)])
case(10, "Resize", [f(1, 1, 4, 4)], constants=[np.array([1, 1, 2, 2], np.float32)], mode="linear")
case(11, "Resize", [f(1, 1, 4, 4)], constants=[np.array([], np.float32), np.array([1, 1, 2, 2], np.float32)],
     mode="linear", coordinate_transformation_mode="pytorch_half_pixel")
norm = [f(3), f(3), f(3), np.abs(f(3)) + 0.5]
case(7, "BatchNormalization", [f(2, 3, 4)], constants=norm)
case(9, "BatchNormalization", [f(2, 3, 4)], constants=norm, epsilon=1e-3)
case(18, "GroupNormalization", [f(2, 4, 3)], constants=[f(2), f(2)], num_groups=2, reference=True)
case(16, "GridSample", [f(1, 1, 4, 4), np.tanh(f(1, 2, 2, 2))], mode="bilinear", align_corners=1)
case(9, "Scatter", [f(3, 3)], constants=[np.array([[0, 2, 1]], np.int64), f(1, 3)])
case(7, "Add", [f(2, 3), f(3)])
case(7, "Gemm", [f(2, 3), f(3, 4), f(4)], alpha=0.5)
case(8, "Expand", [f(3, 1)], constants=[i64(2, 1, 4)])
case(7, "PRelu", [f(2, 3, 4)], constants=[f(3, 1)])
case(8, "MaxPool", [f(1, 2, 5, 5)], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
case(7, "AveragePool", [f(1, 2, 5, 5)], kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)
case(9, "Flatten", [f(2, 3, 4)], axis=2)
case(9, "OneHot", [i64(0, 2, 1)], constants=[i64(3), np.array([0, 1], np.float32)])
case(9, "Where", [np.array([True, False]), f(2), f(2)])
case(7, "LSTM", [f(3, 2, 4)], outputs=2, constants=[f(1, 12, 4), f(1, 12, 3), f(1, 24)], hidden_size=3)
case(7, "GRU", [f(3, 2, 4)], outputs=2, constants=[f(1, 9, 4), f(1, 9, 3), f(1, 18)], hidden_size=3)

out = Path(__file__).parent / "onnx_models" / "opsets.json"
versions = {"onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__, "numpy": np.__version__, "seed": 5}
out.write_text(json.dumps({"versions": versions, "cases": cases}) + "\n")
print(len(cases), "cases,", sum(c["by"] != "onnxruntime" for c in cases), "by the reference", out.stat().st_size, "bytes")
print([c["name"] for c in cases if c["by"] != "onnxruntime"])
