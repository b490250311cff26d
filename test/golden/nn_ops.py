"""Golden values of the neural-network operators at ONNX's level: `python nn_ops.py` writes nn_ops.json.

`options` are ONNX attributes, `args` the operands x0, x1, ... (a gap is an absent optional operand). Outputs and
gradients come from PyTorch where it has the function, and are checked against ONNX Runtime's own kernel; otherwise the
outputs are ONNX Runtime's and there are no gradients.
"""

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from onnx import helper

from common import Golden, distinct, ints, named, normal, uniform

g = Golden("nn_ops")
# ONNX Runtime has no kernels for the newest versions of some operators.
OPSET = {"GlobalLpPool": 21}


def run_ort(op, args, attrs, outputs):
    count = 1 + max(int(k[1:]) for k in args)
    names = [f"x{i}" if f"x{i}" in args else "" for i in range(count)]
    feeds = {k: v.detach().numpy() for k, v in args.items()}
    info = [helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for k, v in feeds.items()]
    outs = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(op, names, outs, **attrs)
    graph = helper.make_graph([node], op, info, [onnx.ValueInfoProto(name=n) for n in outs])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET.get(op, 23))], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return [torch.from_numpy(np.asarray(v)) for v in session.run(None, feeds)]


def case(op, args, attrs=None, fn=None, *, outputs=1, nograd=(), name=None, tolerance=1e-4):
    """One application; `fn(*args)` is PyTorch's counterpart, giving the first outputs."""
    attrs = attrs or {}
    args = {f"x{i}": v for i, v in enumerate(args) if v is not None} if isinstance(args, (list, tuple)) else args
    found = run_ort(op, args, attrs, outputs)
    if fn is None:
        plain = {str(i): v for i, v in enumerate(found)}
        g.case(op, lambda *a, **o: plain if outputs > 1 else found[0], args, attrs, grad=False, name=name, snake_options=False)
        return
    g.case(op, lambda *a, **o: fn(*a), args, attrs, nograd=nograd, name=name, snake_options=False)
    with torch.no_grad():
        expected = list(named(fn(*[v.clone() for v in args.values()])).values())
    for i, (a, b) in enumerate(zip(expected, found)):
        if not torch.allclose(a.double(), b.double(), rtol=tolerance, atol=tolerance):
            raise AssertionError(f"{op} {attrs}: PyTorch and ONNX Runtime differ in output {i}\n{a}\n{b}")


CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
CONV_T = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def convolutions():
    def conv(x, w, bias=True, stride=None, pads=None, dilation=None, group=1):
        n = len(x) - 2
        attrs = {}
        if stride: attrs["strides"] = stride
        if pads: attrs["pads"] = pads
        if dilation: attrs["dilations"] = dilation
        if group > 1: attrs["group"] = group

        def fn(x, w, b=None):
            if pads:
                flat = [p for i in reversed(range(n)) for p in (pads[i], pads[n + i])]
                x = F.pad(x, flat)
            return CONV[n](x, w, b, stride or 1, 0, dilation or 1, group)

        case("Conv", [normal(*x), normal(*w)] + ([normal(w[0])] if bias else []), attrs, fn)

    conv((2, 3, 5, 6), (4, 3, 3, 3), pads=[1, 1, 1, 1])
    conv((2, 6, 5, 6), (4, 6, 3, 3), pads=[1, 1, 1, 1])
    conv((2, 6, 6, 5), (4, 6, 3, 3), stride=[2, 2], pads=[1, 1, 1, 1])
    conv((1, 5, 6, 7), (3, 5, 2, 3), stride=[2, 3], pads=[0, 1, 1, 0], bias=False)
    conv((2, 5, 7, 8), (3, 5, 3, 3), dilation=[2, 2], pads=[2, 2, 2, 2])
    conv((1, 5, 7, 9), (2, 5, 2, 3), dilation=[1, 3], stride=[2, 1])
    conv((2, 6, 5, 5), (4, 3, 3, 3), group=2, pads=[1, 1, 1, 1])
    conv((2, 4, 5, 5), (4, 1, 3, 3), group=4, pads=[1, 1, 1, 1])
    conv((2, 5, 4, 4), (3, 5, 1, 1))
    conv((2, 5, 5, 4), (3, 5, 1, 1), stride=[2, 2], bias=False)
    conv((2, 6, 5, 4), (4, 3, 1, 1), stride=[2, 1], group=2)
    conv((1, 5, 8, 8), (2, 5, 4, 4), stride=[2, 2], pads=[1, 1, 1, 1])
    conv((1, 5, 6, 6), (2, 5, 2, 2), pads=[3, 3, 2, 2], bias=False)
    conv((2, 5, 9), (4, 5, 3), pads=[1, 1], stride=[2])
    conv((2, 5, 12), (2, 5, 3), dilation=[4], pads=[8, 0])
    conv((1, 6, 8), (6, 2, 5), group=3, pads=[2, 2], dilation=[1])
    conv((1, 5, 4, 5, 4), (2, 5, 3, 2, 3), pads=[1, 0, 1, 1, 1, 1], stride=[1, 2, 1])
    conv((1, 6, 5, 5, 5), (2, 3, 2, 2, 2), group=2, dilation=[2, 1, 2])
    for mode in ["SAME_UPPER", "SAME_LOWER", "VALID"]:
        case("Conv", [normal(1, 2, 5, 6), normal(2, 2, 2, 3)], {"auto_pad": mode, "strides": [2, 1]})

    def transposed(x, w, stride=None, padding=0, output_padding=None, dilation=None, group=1, bias=True):
        n = len(x) - 2
        attrs = {"pads": [padding] * (2 * n)} if padding else {}
        if stride: attrs["strides"] = [stride] * n
        if output_padding: attrs["output_padding"] = [output_padding] * n
        if dilation: attrs["dilations"] = [dilation] * n
        if group > 1: attrs["group"] = group
        fn = lambda x, w, b=None: CONV_T[n](x, w, b, stride or 1, padding, output_padding or 0, group, dilation or 1)
        case("ConvTranspose", [normal(*x), normal(*w)] + ([normal(w[1] * group)] if bias else []), attrs, fn)

    transposed((2, 3, 4, 5), (3, 2, 3, 3))
    transposed((1, 3, 3, 4), (3, 2, 3, 3), stride=2, padding=1, output_padding=1)
    transposed((1, 4, 3, 3), (4, 1, 2, 2), stride=2, group=2, bias=False)
    transposed((1, 2, 3, 3), (2, 5, 3, 3), dilation=2, padding=2)
    transposed((2, 3, 5), (3, 2, 4), stride=3, padding=1)
    transposed((1, 2, 2, 3, 2), (2, 3, 2, 2, 2), stride=2)
    for attrs in [{"auto_pad": "SAME_UPPER"}, {"auto_pad": "SAME_LOWER"}, {"output_shape": [8, 7]}, {"auto_pad": "SAME_UPPER", "output_shape": [8, 6]}]:
        case("ConvTranspose", [normal(1, 2, 3, 3), normal(2, 2, 4, 3)], {"strides": [2, 2], **attrs})


def pools():
    def average(x, kernel, stride, padding=0, ceil=False, include=True):
        n = len(x) - 2
        attrs = {"kernel_shape": [kernel] * n, "strides": [stride] * n}
        if padding: attrs["pads"] = [padding] * (2 * n)
        if ceil: attrs["ceil_mode"] = 1
        if include: attrs["count_include_pad"] = 1
        fn = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}[n]
        case("AveragePool", [normal(*x)], attrs, lambda x: fn(x, kernel, stride, padding, ceil, include))

    average((2, 3, 4, 6), 2, 2)
    average((1, 2, 5, 6), 3, 2, 1)
    average((1, 2, 5, 6), 3, 2, 1, include=False)
    average((1, 2, 6, 6), 3, 2, ceil=True)
    average((1, 2, 6, 7), 2, 2, 1, ceil=True, include=False)
    average((1, 2, 6, 7), 3, 2, 1, ceil=True)
    average((2, 3, 7), 3, 1)
    average((1, 2, 4, 5, 4), 2, 1)
    case("AveragePool", [normal(1, 2, 6, 6)], {"kernel_shape": [2, 2], "dilations": [2, 2]})
    case("AveragePool", [normal(1, 2, 5, 5)], {"kernel_shape": [2, 3], "auto_pad": "SAME_UPPER", "strides": [2, 2]})
    case("GlobalAveragePool", [normal(2, 3, 4, 5)], {}, lambda x: F.adaptive_avg_pool2d(x, 1))
    case("GlobalAveragePool", [normal(2, 3, 4)], {}, lambda x: F.adaptive_avg_pool1d(x, 1))

    def maximum(x, kernel, stride, padding=0, ceil=False, dilation=1):
        n = x.dim() - 2
        attrs = {"kernel_shape": [kernel] * n, "strides": [stride] * n}
        if padding: attrs["pads"] = [padding] * (2 * n)
        if ceil: attrs["ceil_mode"] = 1
        if dilation > 1: attrs["dilations"] = [dilation] * n
        fn = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}[n]
        plane = x[0, 0].numel()
        offset = torch.arange(x.shape[0] * x.shape[1]).reshape(x.shape[:2] + (1,) * n) * plane

        def pooled(x):
            y, i = fn(x, kernel, stride, padding, dilation, ceil, return_indices=True)
            return y, i + offset  # PyTorch counts within a plane, ONNX in the whole tensor

        case("MaxPool", [x], attrs, pooled, outputs=2)

    ties = lambda *shape: ints(*shape, below=2).float()
    maximum(distinct(2, 2, 4, 6), 2, 2)
    maximum(ties(1, 2, 4, 6), 2, 2)
    maximum(ties(1, 2, 5, 5), 2, 2)
    maximum(distinct(1, 2, 6, 5), 3, 2, 1)
    maximum(ties(1, 2, 6, 5), 3, 1, 1)
    maximum(distinct(1, 2, 6, 6), 3, 2, 0, True)
    maximum(distinct(1, 1, 6, 7), 2, 2, 1, True)
    maximum(distinct(1, 2, 7, 7), 2, 1, 0, False, 2)
    maximum(distinct(1, 1, 7, 8), 3, 2, 1, True, 2)
    maximum(distinct(2, 3, 9), 3, 3)
    maximum(distinct(1, 2, 4, 4, 4), 2, 2)
    case("MaxPool", [distinct(1, 2, 5, 5)], {"kernel_shape": [2, 3], "auto_pad": "SAME_UPPER", "strides": [2, 2]})
    case("GlobalMaxPool", [distinct(2, 3, 4, 5)], {}, lambda x: F.adaptive_max_pool2d(x, 1))
    case("GlobalMaxPool", [ties(2, 3, 4)], {}, lambda x: F.adaptive_max_pool1d(x, 1))
    case("LpPool", [normal(1, 2, 4, 5)], {"kernel_shape": [2, 2], "strides": [2, 1]}, lambda x: F.lp_pool2d(x, 2, 2, (2, 1)))
    case("LpPool", [normal(1, 2, 7)], {"kernel_shape": [3], "strides": [2], "p": 3}, lambda x: F.lp_pool1d(x.abs(), 3, 3, 2))
    case("LpPool", [normal(1, 2, 4, 5)], {"kernel_shape": [2, 2], "strides": [2, 2], "p": 1}, lambda x: F.lp_pool2d(x.abs(), 1, 2, 2))
    case("LpPool", [normal(1, 2, 5, 5)], {"kernel_shape": [2, 2], "strides": [2, 2], "p": 3, "pads": [1, 0, 0, 1], "dilations": [2, 1]})
    case("GlobalLpPool", [normal(2, 2, 3, 4)], {"p": 2}, lambda x: torch.linalg.vector_norm(x, 2, (2, 3), True))
    case("GlobalLpPool", [normal(2, 2, 3, 4)], {"p": 3}, lambda x: torch.linalg.vector_norm(x, 3, (2, 3), True))

    def unpooled(x, i):
        flat = torch.zeros(1 * 2 * 4 * 6, dtype=x.dtype).index_copy(0, i.flatten(), x.flatten())
        return flat.reshape(1, 2, 4, 6)

    y, where = F.max_pool2d(distinct(1, 2, 4, 6), 2, 2, return_indices=True)
    where = where + torch.arange(2).reshape(1, 2, 1, 1) * 24
    case("MaxUnpool", [normal(1, 2, 2, 3), where], {"kernel_shape": [2, 2], "strides": [2, 2]}, unpooled)
    case("MaxUnpool", [normal(1, 2, 2, 3), where, torch.tensor([1, 2, 4, 6])], {"kernel_shape": [2, 2], "strides": [2, 2]}, lambda x, i, s: unpooled(x, i))


def normalizations():
    def given(x, s, b, m, v):
        s, b, m, v = (t.reshape(-1, *[1] * (x.dim() - 2)) for t in (s, b, m, v))
        return (x - m) / (v + 1e-3).sqrt() * s + b

    for shape in [(4, 3), (2, 3, 4), (2, 3, 2, 3)]:
        c = [normal(3), normal(3), normal(3), uniform(3, low=0.5, high=1.5)]
        case("BatchNormalization", [normal(*shape), *c], {"epsilon": 1e-3}, lambda x, *p: given(x, *p))
        for momentum in [0.0, 0.8]:

            def train(x, s, b, m, v):
                axes = [0, *range(2, x.dim())]
                mean, var = x.mean(axes), x.var(axes, unbiased=False)
                y = F.batch_norm(x, None, None, s, b, True, 0, 1e-5)
                return y, m * momentum + (1 - momentum) * mean, v * momentum + (1 - momentum) * var

            case("BatchNormalization", [normal(*shape), *c], {"training_mode": 1, "momentum": momentum}, train, outputs=3)

    def layer(x, s, b=None, axis=-1, eps=1e-5):
        axes = list(range(axis % x.dim(), x.dim()))
        mean = x.mean(axes, keepdim=True)
        inverse = 1 / (x.var(axes, unbiased=False, keepdim=True) + eps).sqrt()
        return F.layer_norm(x, s.shape, s, b, eps), mean, inverse

    case("LayerNormalization", [normal(2, 3, 4), normal(4), normal(4)], {"epsilon": 1e-3}, lambda x, s, b: layer(x, s, b, -1, 1e-3), outputs=3)
    case("LayerNormalization", [normal(2, 3, 4), normal(3, 4), normal(3, 4)], {"axis": 1}, lambda x, s, b: layer(x, s, b, 1), outputs=3)
    case("LayerNormalization", [normal(3, 5), normal(5)], {}, lambda x, s: layer(x, s)[0])
    case("RMSNormalization", [normal(2, 3, 4), normal(4)], {"epsilon": 1e-3}, lambda x, s: F.rms_norm(x, s.shape, s, 1e-3))
    case("RMSNormalization", [normal(2, 3, 4), normal(3, 4)], {"axis": 1}, lambda x, s: F.rms_norm(x, s.shape, s, 1e-5))
    case("GroupNormalization", [normal(2, 4, 3), normal(4), normal(4)], {"num_groups": 2}, lambda x, s, b: F.group_norm(x, 2, s, b))
    case("GroupNormalization", [normal(2, 6, 2, 3), normal(6), normal(6)], {"num_groups": 3, "epsilon": 1e-2}, lambda x, s, b: F.group_norm(x, 3, s, b, 1e-2))
    case("InstanceNormalization", [normal(2, 3, 4), normal(3), normal(3)], {}, lambda x, s, b: F.instance_norm(x, None, None, s, b))
    case("InstanceNormalization", [normal(2, 3, 2, 3), normal(3), normal(3)], {"epsilon": 1e-2}, lambda x, s, b: F.instance_norm(x, None, None, s, b, eps=1e-2))
    case("LRN", [normal(2, 6, 2, 2)], {"size": 3, "alpha": 0.3, "beta": 0.6, "bias": 1.5}, lambda x: F.local_response_norm(x, 3, 0.3, 0.6, 1.5))
    case("MeanVarianceNormalization", [normal(2, 3, 2, 2)], {}, lambda x: (x - x.mean([0, 2, 3], True)) / x.std([0, 2, 3], unbiased=False, keepdim=True))
    case("MeanVarianceNormalization", [normal(2, 3, 4)], {"axes": [2]}, lambda x: (x - x.mean(2, True)) / x.std(2, unbiased=False, keepdim=True))
    case("LpNormalization", [normal(2, 3, 4)], {}, lambda x: F.normalize(x, 2, -1))
    case("LpNormalization", [normal(2, 3, 4)], {"axis": 1, "p": 1}, lambda x: F.normalize(x, 1, 1))


def losses():
    def target(*shape, ignored=None):
        t = ints(*shape, below=4)
        if ignored is not None:
            t.view(-1)[::3] = ignored
        return t

    for shape, positions in [((5, 4), (5,)), ((2, 4, 3), (2, 3)), ((2, 4, 2, 3), (2, 2, 3))]:
        for reduction in ["mean", "sum", "none"]:
            for ignored in [None, -100, 2]:
                weighted = reduction != "sum" or ignored is not None
                args = [normal(*shape), target(*positions, ignored=ignored)] + ([uniform(4, low=0.2, high=1.5)] if weighted else [])
                attrs = {"reduction": reduction} | ({} if ignored is None else {"ignore_index": ignored})
                skip = -100 if ignored is None else ignored

                def entropy(x, t, w=None):
                    return F.cross_entropy(x, t, w, reduction=reduction, ignore_index=skip), F.log_softmax(x, 1)

                case("SoftmaxCrossEntropyLoss", args, attrs, entropy, outputs=2, nograd=["x2"])
                fn = lambda x, t, w=None: F.nll_loss(x, t, w, reduction=reduction, ignore_index=skip)
                case("NegativeLogLikelihoodLoss", args, attrs, fn, nograd=["x2"])
    case("SoftmaxCrossEntropyLoss", [100 * normal(3, 4), target(3)], {}, lambda x, t: F.cross_entropy(x, t))


def recurrent():
    def run(kind, attrs, x, w, r, b, lens, h0, c0):
        """ONNX's recurrent operators step by step."""
        d, hidden = w.shape[0], r.shape[2]
        steps, batch = x.shape[:2]
        lens = torch.full((batch,), steps) if lens is None else lens
        ys, hs, cs = [], [], []
        for k in range(d):
            reverse = attrs.get("direction", "forward") == "reverse" or k == 1
            wb, rb = (b[k].chunk(2) if b is not None else (torch.zeros(w.shape[1]).to(x), torch.zeros(w.shape[1]).to(x)))
            h = h0[k] if h0 is not None else torch.zeros(batch, hidden).to(x)
            c = c0[k] if c0 is not None else torch.zeros(batch, hidden).to(x)
            out = [None] * steps
            for t in reversed(range(steps)) if reverse else range(steps):
                on = (t < lens).to(x)[:, None]
                gx, gh = x[t] @ w[k].T + wb, h @ r[k].T
                if kind == "LSTM":
                    i, o, f, g = (gx + gh + rb).chunk(4, 1)
                    c1 = f.sigmoid() * c + i.sigmoid() * g.tanh()
                    h1 = o.sigmoid() * c1.tanh()
                    c = on * c1 + (1 - on) * c
                elif kind == "GRU":
                    rz, rr, rn = rb.chunk(3)
                    xz, xr, xn = gx.chunk(3, 1)
                    hz, hr, hn = gh.chunk(3, 1)
                    z, q = (xz + hz + rz).sigmoid(), (xr + hr + rr).sigmoid()
                    if attrs.get("linear_before_reset"):
                        n = (xn + q * (hn + rn)).tanh()
                    else:
                        n = (xn + (q * h) @ r[k][2 * hidden :].T + rn).tanh()
                    h1 = (1 - z) * n + z * h
                else:
                    h1 = gx + gh + rb
                    h1 = h1.relu() if attrs.get("activations", ["Tanh"])[0] == "Relu" else h1.tanh()
                h = on * h1 + (1 - on) * h
                out[t] = on * h1
            ys.append(torch.stack(out)), hs.append(h), cs.append(c)
        states = [torch.stack(hs)] + ([torch.stack(cs)] if kind == "LSTM" else [])
        return (torch.stack(ys, 1), *states)

    def network(kind, attrs, *, steps=4, batch=2, inputs=3, hidden=2, bias=True, lens=None, state=False):
        gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind]
        d = 2 if attrs.get("direction") == "bidirectional" else 1
        args = {"x0": normal(steps, batch, inputs), "x1": normal(d, gates * hidden, inputs, scale=0.7), "x2": normal(d, gates * hidden, hidden, scale=0.7)}
        if bias: args["x3"] = normal(d, 2 * gates * hidden, scale=0.5)
        if lens: args["x4"] = torch.tensor(lens, dtype=torch.int32)
        if state: args["x5"] = normal(d, batch, hidden)
        if state and kind == "LSTM": args["x6"] = normal(d, batch, hidden)
        keys = list(args)
        pick = lambda vs: [dict(zip(keys, vs)).get(f"x{i}") for i in range(7)]
        attrs = {"hidden_size": hidden, **attrs}
        case(kind, args, attrs, lambda *vs: run(kind, attrs, *pick(vs)), outputs=3 if kind == "LSTM" else 2)

    for kind in ["LSTM", "GRU", "RNN"]:
        for extra in [{}, {"linear_before_reset": 1}] if kind == "GRU" else [{}]:
            network(kind, extra)
            network(kind, {**extra, "direction": "bidirectional"}, state=True)
            network(kind, {**extra, "direction": "reverse"}, bias=False)
            network(kind, extra, lens=[4, 2, 3], batch=3, state=True)
            network(kind, {**extra, "direction": "bidirectional"}, lens=[1, 4, 3], batch=3)
            network(kind, extra, steps=1, batch=1)
    network("RNN", {"activations": ["Relu"]}, state=True)


def resizing():
    def resize(x, attrs, *, scales=None, sizes=None, fn=None, roi=None):
        args = {"x0": x}
        if roi: args["x1"] = torch.tensor(roi)
        if scales: args["x2"] = torch.tensor(scales)
        if sizes: args["x3"] = torch.tensor(sizes)
        case("Resize", args, attrs, None if fn is None else (lambda x, *_: fn(x)), nograd=["x1", "x2"])

    torch_modes = {
        "nearest": {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
        "bilinear": {"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"},
        "bicubic": {"mode": "cubic", "coordinate_transformation_mode": "pytorch_half_pixel"},
        "bilinear corners": {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
        "bicubic corners": {"mode": "cubic", "coordinate_transformation_mode": "align_corners"},
        "nearest-exact": {"mode": "nearest", "coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_ceil"},
    }
    for name, attrs in torch_modes.items():
        mode, corners = name.split()[0], (True if "corners" in name else None)
        for size in [(8, 10), (3, 7), (2, 3)]:
            fn = lambda x: F.interpolate(x, size=size, mode=mode, align_corners=corners)
            resize(normal(1, 2, 4, 5), attrs, sizes=[1, 2, *size], fn=fn)
        if not corners:
            fn = lambda x: F.interpolate(x, scale_factor=(2.0, 1.6), mode=mode)
            resize(normal(1, 2, 4, 5), attrs, scales=[1.0, 1.0, 2.0, 1.6], fn=fn)
    resize(normal(2, 3, 5), {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}, sizes=[2, 3, 9], fn=lambda x: F.interpolate(x, size=9, mode="linear"))
    resize(normal(1, 2, 2, 3, 2), {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}, sizes=[1, 2, 4, 5, 3], fn=lambda x: F.interpolate(x, size=(4, 5, 3), mode="trilinear"))
    resize(normal(1, 1, 3, 4), {"mode": "nearest", "axes": [2, 3]}, scales=[2.0, 1.5])
    resize(normal(1, 1, 4, 5), {"mode": "cubic", "cubic_coeff_a": -0.5, "exclude_outside": 1}, scales=[1.0, 1.0, 1.5, 0.7])
    resize(normal(1, 1, 4, 5), {"mode": "linear", "coordinate_transformation_mode": "half_pixel_symmetric"}, scales=[1.0, 1.0, 2.3, 1.7])
    resize(normal(1, 1, 4, 5), {"mode": "nearest", "keep_aspect_ratio_policy": "not_larger", "axes": [2, 3]}, sizes=[7, 8])
    crop = {"mode": "linear", "coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": 2.5}
    resize(normal(1, 1, 4, 4), crop, sizes=[1, 1, 3, 5], roi=[0.0, 0.0, 0.2, -0.3, 1.0, 1.0, 0.9, 1.2])
    for rounding in ["round_prefer_floor", "ceil"]:
        resize(normal(1, 1, 5, 4), {"mode": "nearest", "nearest_mode": rounding, "coordinate_transformation_mode": "half_pixel"}, sizes=[1, 1, 3, 7])

    for mode in ["linear", "nearest", "cubic"]:
        for padding in ["zeros", "border", "reflection"]:
            for corners in [0, 1]:
                grid = uniform(2, 3, 2, 2, low=-1.6, high=1.6)
                torch_mode = {"linear": "bilinear", "nearest": "nearest", "cubic": "bicubic"}[mode]
                fn = lambda x, g: F.grid_sample(x, g, torch_mode, padding, bool(corners))
                case("GridSample", [normal(2, 2, 3, 4), grid], {"mode": mode, "padding_mode": padding, "align_corners": corners}, None if mode == "cubic" else fn)
    for corners in [0, 1]:
        case("AffineGrid", [normal(2, 2, 3), torch.tensor([2, 1, 2, 3])], {"align_corners": corners}, lambda t, s: F.affine_grid(t, s.tolist(), bool(corners)))
        case("AffineGrid", [normal(1, 3, 4), torch.tensor([1, 1, 2, 3, 2])], {"align_corners": corners}, lambda t, s: F.affine_grid(t, s.tolist(), bool(corners)))


def attention():
    def attend(q, k, v, mask=None, pk=None, pv=None, *, attrs):
        flat = q.dim() == 3
        if flat:
            split = lambda x, n: x.unflatten(2, (n, -1)).transpose(1, 2)
            q, k, v = split(q, attrs["q_num_heads"]), split(k, attrs["kv_num_heads"]), split(v, attrs["kv_num_heads"])
        past = 0 if pk is None else pk.shape[2]
        if pk is not None: k, v = torch.cat([pk, k], 2), torch.cat([pv, v], 2)
        times = q.shape[1] // k.shape[1]
        s = q @ k.repeat_interleave(times, 1).transpose(2, 3) * attrs.get("scale", q.shape[3] ** -0.5)
        if "softcap" in attrs: s = attrs["softcap"] * (s / attrs["softcap"]).tanh()
        if mask is not None: s = s.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else s + mask
        if attrs.get("is_causal"): s = s.masked_fill(~torch.ones(s.shape[2:], dtype=torch.bool).tril(past), -torch.inf)
        y = s.softmax(-1).nan_to_num(0) @ v.repeat_interleave(times, 1)
        if flat: y = y.transpose(1, 2).flatten(2)
        return (y, k, v) if pk is not None else y

    def run(q, k, v, attrs=None, mask=None, past=None):
        attrs = attrs or {}
        args = {"x0": normal(*q), "x1": normal(*k), "x2": normal(*v)}
        if mask is not None: args["x3"] = mask
        if past: args["x4"], args["x5"] = normal(*past), normal(*past)
        keys = list(args)
        pick = lambda vs: [dict(zip(keys, vs)).get(f"x{i}") for i in range(6)]
        case("Attention", args, attrs, lambda *vs: attend(*pick(vs), attrs=attrs), outputs=3 if past else 1)

    q, k = (1, 2, 3, 4), (1, 2, 5, 4)
    run(q, k, k)
    run(q, k, (1, 2, 5, 3), {"scale": 0.3, "softcap": 1.5})
    run(q, k, k, {"is_causal": 1})
    run((2, 4, 2, 4), (2, 2, 3, 4), (2, 2, 3, 4), {}, normal(2, 1, 2, 3))
    seen = torch.tensor([[True, True, False, True, False], [False] * 5, [False, False, False, False, True]])
    run(q, k, k, {}, seen)
    run(q, k, k, {"softcap": 2.0}, normal(3, 5))
    run((2, 3, 8), (2, 4, 4), (2, 4, 6), {"q_num_heads": 4, "kv_num_heads": 2, "is_causal": 1})
    run(q, (1, 2, 3, 4), (1, 2, 3, 4), {"is_causal": 1}, None, (1, 2, 2, 4))

    def rotary(x, rotated, attrs, positions=None):
        heads = attrs.get("num_heads", x[1])
        flat = len(x) == 3
        b, length = x[0], x[1] if flat else x[2]
        angles = uniform(7, rotated // 2, low=-3, high=3) if positions is not None else uniform(b, length, rotated // 2, low=-3, high=3)
        args = [normal(*x), angles.cos(), angles.sin()] + ([positions] if positions is not None else [])

        def fn(x, c, s, p=None):
            c, s = (c[p], s[p]) if p is not None else (c, s)
            c, s = c[:, :, None], s[:, :, None]
            y = x.unflatten(2, (heads, -1)) if flat else x.transpose(1, 2)
            r, rest = y[..., :rotated], y[..., rotated:]
            u, v = (r[..., ::2], r[..., 1::2]) if attrs.get("interleaved") else r.chunk(2, -1)
            u, v = u * c - v * s, u * s + v * c
            r = torch.stack([u, v], -1).flatten(-2) if attrs.get("interleaved") else torch.cat([u, v], -1)
            y = torch.cat([r, rest], -1)
            return y.flatten(2) if flat else y.transpose(1, 2)

        case("RotaryEmbedding", args, attrs, fn, nograd=["x1", "x2"])

    rotary((2, 2, 3, 4), 4, {})
    rotary((2, 2, 3, 4), 4, {"interleaved": 1}, ints(2, 3, below=7))
    rotary((1, 3, 12), 4, {"num_heads": 2, "rotary_embedding_dim": 4})
    rotary((2, 3, 12), 6, {"num_heads": 2, "interleaved": 1}, ints(2, 3, below=7))


def folding():
    def fold(channels, image, block, windows, attrs=None, torch_args=None):
        taps = block[0] * block[1] if len(block) == 2 else block[0]
        args = [normal(2, channels * taps, windows), torch.tensor(image), torch.tensor(block)]
        fn = lambda x, i, b: F.fold(x, tuple(image), tuple(block), **(torch_args or {}))
        case("Col2Im", args, attrs or {}, fn if len(image) == 2 else None)

    fold(2, [4, 5], [2, 3], 9)
    fold(1, [5, 5], [2, 2], 9, {"strides": [2, 2], "pads": [1, 1, 1, 1]}, {"stride": 2, "padding": 1})
    fold(2, [6, 5], [2, 3], 4, {"dilations": [4, 1], "strides": [1, 2]}, {"dilation": (4, 1), "stride": (1, 2)})
    fold(2, [6], [3], 4)


if __name__ == "__main__":
    convolutions()
    pools()
    normalizations()
    losses()
    recurrent()
    resizing()
    attention()
    folding()
    g.write()
