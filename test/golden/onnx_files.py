"""Small .onnx files as Python's onnx package writes them, and what is in them, for the reader's tests.

Run: python test/golden/onnx_files.py   (writes test/golden/onnx/*.onnx and expected.json)
"""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper, numpy_helper

out = Path(__file__).parent / "onnx"
out.mkdir(exist_ok=True)
expected = {"versions": {"onnx": onnx.__version__, "numpy": np.__version__}, "files": {}}
opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.example", 1)]


def save(name, graph, **options):
    model = helper.make_model(graph, producer_name="gradus-test", producer_version="1.2", opset_imports=opsets, ir_version=10, **options)
    data = model.SerializeToString(deterministic=True)
    (out / f"{name}.onnx").write_bytes(data)
    expected["files"][name] = {
        "bytes": len(data),
        "nodes": [[n.op_type, list(n.input), list(n.output)] for n in model.graph.node],
        "tensors": {t.name: tensor(t) for t in model.graph.initializer},
    }
    return model


def tensor(t):
    entry = {"dims": list(t.dims), "dataType": t.data_type}
    if t.data_location == TensorProto.EXTERNAL:
        return {**entry, "external": {e.key: e.value for e in t.external_data}}
    if t.data_type == TensorProto.STRING:
        return {**entry, "strings": [s.decode() for s in t.string_data]}
    return {**entry, "hex": numpy_helper.to_array(t).tobytes().hex()}


value = helper.make_tensor_value_info
T = TensorProto

# Every element type in its typed field (not raw).
typed = []
for name, dtype, values in [
    ("float32", T.FLOAT, [1.5, -0.0, float("inf")]), ("float64", T.DOUBLE, [0.1, -2.5, 1e300]),
    ("float16", T.FLOAT16, [0.5, -1.5, 65504]), ("bfloat16", T.BFLOAT16, [0.5, -3.0, 1e30]),
    ("int8", T.INT8, [-128, 0, 127]), ("uint8", T.UINT8, [0, 200, 255]),
    ("int16", T.INT16, [-32768, 5, 32767]), ("uint16", T.UINT16, [0, 5, 65535]),
    ("int32", T.INT32, [-(2**31), 5, 2**31 - 1]), ("uint32", T.UINT32, [0, 5, 2**32 - 1]),
    ("int64", T.INT64, [-(2**63), 5, 2**63 - 1]), ("uint64", T.UINT64, [0, 5, 2**64 - 1]),
    ("bool", T.BOOL, [True, False, True]), ("float8", T.FLOAT8E4M3FN, [0.5, -1.5, 448]),
    ("complex64", T.COMPLEX64, [1 + 2j, -1j, 0]),
]:
    typed.append(helper.make_tensor(name, dtype, [3], values))
typed.append(helper.make_tensor("text", T.STRING, [2], ["añb".encode(), b""]))
typed.append(helper.make_tensor("scalar", T.FLOAT, [], [2.5]))
typed.append(helper.make_tensor("empty", T.INT64, [0, 3], []))
typed.append(numpy_helper.from_array(np.arange(6, dtype=np.float32).reshape(2, 3), "raw"))
save("typed-data", helper.make_graph([helper.make_node("Identity", ["float32"], ["y"])], "typed", [], [value("y", T.FLOAT, [3])], typed))

# Attributes of all kinds, a subgraph, shapes with symbols and unknowns, a sequence, metadata, doc strings.
then = helper.make_graph([helper.make_node("Identity", ["x"], ["then_y"])], "then", [], [value("then_y", T.FLOAT, None)])
other = helper.make_graph(
    [helper.make_node("Constant", [], ["otherwise_y"], value=numpy_helper.from_array(np.float32([7, 8]), "c"))],
    "otherwise", [], [value("otherwise_y", T.FLOAT, [2])])
nodes = [
    helper.make_node("If", ["flag"], ["z"], name="branch", then_branch=then, else_branch=other),
    helper.make_node("Conv", ["z", "w", ""], ["c"], name="conv", doc_string="a note", auto_pad="NOTSET", group=1, kernel_shape=[1, 3], pads=[0, 1, 0, 1]),
    helper.make_node("Resize", ["c", "", "scales"], ["r"], cubic_coeff_a=-0.5, mode="linear"),
    helper.make_node("Custom", ["r"], ["y"], domain="com.example", floats=[1.5, -2.0], strings=["a", "b"], big=2**63 - 1),
]
graph = helper.make_graph(
    nodes, "attributes",
    [value("flag", T.BOOL, []), value("x", T.FLOAT, ["batch", None, 3]), value("w", T.FLOAT, [2, 1, 1, 3])],
    [value("y", T.FLOAT, None), helper.make_tensor_sequence_value_info("s", T.FLOAT, None)],
    [numpy_helper.from_array(np.float32([1, 2]), "scales")],
    value_info=[value("c", T.FLOAT, ["batch", 2])])
model = save("attributes", graph)
onnx.helper.set_model_props(model, {"author": "Ada", "note": ""})
(out / "attributes.onnx").write_bytes(model.SerializeToString(deterministic=True))

# A model-local function whose body refers to the function's attribute.
alpha = AttributeProto(name="alpha", type=AttributeProto.FLOAT, ref_attr_name="slope")
body = helper.make_node("LeakyRelu", ["a"], ["b"])
body.attribute.append(alpha)
function = helper.make_function(
    "com.example", "Leaky", ["a"], ["b"], [body], [helper.make_opsetid("", 21)], ["slope"], [helper.make_attribute("scale", 2.0)])
save("function", helper.make_graph(
    [helper.make_node("Leaky", ["x"], ["y"], domain="com.example", slope=0.25)],
    "calls", [value("x", T.FLOAT, ["n"])], [value("y", T.FLOAT, ["n"])]), functions=[function])

# Elements in a file beside the model.
weights = np.arange(12, dtype=np.float32).reshape(3, 4)
bias = np.float32([0.5, -0.5, 1.5, 2.5])
blob = weights.tobytes() + b"\0" * 16 + bias.tobytes()
(out / "external.bin").write_bytes(blob)


def external(name, dims, **entries):
    t = TensorProto(name=name, dims=dims, data_type=T.FLOAT, data_location=T.EXTERNAL)
    for key, v in entries.items():
        t.external_data.add(key=key, value=str(v))
    return t


save("external", helper.make_graph(
    [helper.make_node("Gemm", ["x", "w", "b"], ["y"])], "external",
    [value("x", T.FLOAT, ["n", 3])], [value("y", T.FLOAT, ["n", 4])],
    [external("w", [3, 4], location="external.bin", offset=0, length=48), external("b", [4], location="external.bin", offset=64)]))

# Refused: a sparse initializer.
sparse = helper.make_sparse_tensor(
    helper.make_tensor("pruned", T.FLOAT, [2], [1, 2]), helper.make_tensor("at", T.INT64, [2], [0, 5]), [6])
graph = helper.make_graph([helper.make_node("Identity", ["pruned"], ["y"])], "sparse", [], [value("y", T.FLOAT, [6])])
graph.sparse_initializer.append(sparse)
save("sparse", graph)

(out / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")
