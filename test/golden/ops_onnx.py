"""Cases of the operators at ONNX's level: `python ops_onnx.py` writes ops/<family>.json."""

import math

import torch
import torch.nn.functional as F

from common import distinct, ints, normal, uniform, values
from ops_cases import Family, i64, scalar, t

INF, NAN = math.inf, math.nan
SPECIAL = [INF, -INF, NAN, 0.0, -0.0, 1e30, -1e30, 1e-30]


def elementwise():
    f = Family("elementwise")
    smooth = {"Neg": torch.neg, "Exp": torch.exp, "Erf": torch.erf, "Sin": torch.sin, "Cos": torch.cos, "Sinh": torch.sinh,
              "Cosh": torch.cosh, "Asinh": torch.asinh, "Atan": torch.atan, "Tanh": torch.tanh, "Sigmoid": torch.sigmoid}
    for op, fn in smooth.items():
        f.case(op, [normal(2, 3)], fn=fn)
        f.case(op, [normal()], fn=fn)
    f.case("Tan", [uniform(2, 3, low=-1, high=1)], fn=torch.tan)
    f.case("Abs", [normal(2, 3)], fn=torch.abs, second=False)
    f.case("Abs", [values([0.0, -2.0])], fn=torch.abs, second=False, differences=False, name="Abs at 0")
    for op, fn in {"Log": torch.log, "Sqrt": torch.sqrt, "Reciprocal": torch.reciprocal}.items():
        f.case(op, [uniform(2, 3, low=0.3, high=3)], fn=fn)
    for op, fn in {"Asin": torch.asin, "Acos": torch.acos, "Atanh": torch.atanh}.items():
        f.case(op, [uniform(2, 3, low=-0.8, high=0.8)], fn=fn)
    f.case("Acosh", [uniform(2, 3, low=1.3, high=4)], fn=torch.acosh)
    for op, fn in {"Sign": torch.sign, "Floor": torch.floor, "Ceil": torch.ceil, "Round": torch.round}.items():
        f.case(op, [normal(2, 3)], fn=fn, grad=())
    f.case("Round", [values([0.5, 1.5, 2.5, -0.5, -1.5, 3.49])], fn=torch.round, grad=(), name="Round halves to even")
    for op in ["Exp", "Tanh", "Sigmoid", "Abs", "Neg", "Sqrt", "Relu", "Sign", "Atan", "Erf"]:
        fn = getattr(torch, op.lower())
        # PyTorch's sign of NaN is 0, ONNX Runtime's is NaN.
        f.case(op, [values([v for v in SPECIAL if op != "Sign" or v == v])], fn=fn, grad=(), compare=False, name=f"{op} of special numbers")
    for op in ["Abs", "Neg", "Sign"]:
        f.case(op, [ints(2, 3, below=5, low=-5)], fn=getattr(torch, op.lower()), grad=())
    f.case("Cast", [normal(2, 3) * 3], {"to": "int64"}, lambda x: x.long(), grad=())
    f.case("Cast", [ints(2, 3, below=2)], {"to": "bool"}, lambda x: x.bool())
    f.case("Cast", [ints(2, 3, below=9).int()], {"to": "float32"}, lambda x: x.float())
    f.case("Cast", [values([300.7, -1.2, 255.0])], {"to": "int32"}, lambda x: x.int(), grad=())
    f.case("Cast", [normal(2, 3)], {"to": "float32"}, lambda x: x.clone(), second=False)
    f.case("CastLike", [ints(2, 3, below=9), normal(1)], fn=lambda x, y: x.float(), grad=())
    f.case("CastLike", [normal(2, 3), normal(1)], fn=lambda x, y: x.clone(), grad=[0], second=False)
    f.case("Identity", [normal(2, 3)], fn=lambda x: x.clone(), second=False)
    for op, fn in {"IsNaN": torch.isnan, "IsInf": torch.isinf}.items():
        f.case(op, [values(SPECIAL)], fn=fn, grad=())
    f.case("IsInf", [values(SPECIAL)], {"detect_negative": 0}, torch.isposinf, grad=())
    f.case("IsInf", [values(SPECIAL)], {"detect_positive": 0}, torch.isneginf, grad=())
    f.write()


SHAPES = [((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 1, 3), (4, 1)), ((), (2, 2)), ((1,), (3, 1, 2)), ((3, 2, 3), (2, 1, 1, 1))]


def arithmetic():
    f = Family("arithmetic")
    for a, b in SHAPES:
        f.case("Add", [normal(*a), normal(*b)], fn=torch.add, second=False)
        f.case("Sub", [normal(*a), normal(*b)], fn=torch.sub, second=False)
        f.case("Mul", [normal(*a), normal(*b)], fn=torch.mul)
        f.case("Div", [normal(*a), uniform(*b, low=0.5, high=2)], fn=torch.div)
        f.case("Pow", [uniform(*a, low=0.4, high=2), normal(*b)], fn=torch.pow)
        # A base that is small puts every tie out of reach.
        for op, fn in {"Max": torch.maximum, "Min": torch.minimum}.items():
            f.case(op, [distinct(*a), distinct(*b) * 1.37 + 0.011], fn=fn, second=False)
    for op, fn in {"Max": torch.maximum, "Min": torch.minimum}.items():
        f.case(op, [values([1.0, 2.0, 3.0]), values([1.0, 5.0, 0.0])], fn=fn, second=False, differences=False, name=f"{op} with a tie")
        f.case(op, [distinct(3, 2), distinct(2) + 0.03, distinct(1, 2) - 0.04], fn=lambda *x, fn=fn: fn(fn(x[0], x[1]), x[2]), second=False)
        f.case(op, [ints(2, 3, below=9), ints(3, below=9)], fn=fn)
        f.case(op, [distinct(2, 3)], fn=lambda x: x.clone(), second=False)
    for op, n in {"Sum": 1, "Mean": 3}.items():
        f.case(op, [normal(2, 3), normal(3), normal(2, 1)], fn=lambda *x, n=n: sum(x) / n, second=False)
        f.case(op, [normal(2, 3)], fn=lambda x: x.clone(), second=False)
    for e in [2.0, 3.0, 0.5, -1.0, 0.0, 1.0]:
        f.case("Pow", [uniform(2, 3, low=0.4, high=2), values(e)], const=[1], fn=torch.pow, second=e not in (0, 1), name=f"Pow by the constant {e}")
    f.case("Pow", [normal(2, 3), values(3.0)], const=[1], fn=torch.pow, name="Pow of negative numbers")
    f.case("Pow", [values([0.0, 0.0, 0.0]), values([2.0, 1.0, 0.0])], fn=torch.pow, second=False, differences=False, name="Pow at 0")
    f.case("Pow", [uniform(2, low=0.4, high=2), i64(2, 3)], fn=torch.pow, const=[1])
    f.case("Div", [ints(2, 3, below=9, low=-9), i64(2, -3, 4)], fn=lambda a, b: torch.div(a, b, rounding_mode="trunc"))
    for fmod, fn in [(0, torch.remainder), (1, torch.fmod)]:
        f.case("Mod", [ints(6, below=9, low=-9), i64(2, 3, -4, 5, -2, 7)], {"fmod": fmod} if fmod else {}, fn)
    f.case("Mod", [values([5.3, -5.3, 5.3, -5.3, 0.7, 3.1]), values([2.0, 2.0, -2.0, -2.0, 1.5, 0.4])], {"fmod": 1}, torch.fmod,
           second=False, grad=[0])
    for op, fn in {"Equal": torch.eq, "Greater": torch.gt, "GreaterOrEqual": torch.ge, "Less": torch.lt, "LessOrEqual": torch.le}.items():
        f.case(op, [values([[1.0, 2.0, NAN], [3.0, -1.0, INF]]), values([1.0, 3.0, NAN])], fn=fn, grad=())
        f.case(op, [ints(2, 3, below=3), ints(3, below=3)], fn=fn)
    for op, fn in {"And": torch.logical_and, "Or": torch.logical_or, "Xor": torch.logical_xor}.items():
        f.case(op, [ints(2, 3, below=2).bool(), ints(3, below=2).bool()], fn=fn)
    f.case("Not", [ints(2, 3, below=2).bool()], fn=torch.logical_not)
    for op, fn in {"BitwiseAnd": torch.bitwise_and, "BitwiseOr": torch.bitwise_or, "BitwiseXor": torch.bitwise_xor}.items():
        f.case(op, [ints(2, 3, below=99, low=-99).int(), ints(3, below=99).int()], fn=fn)
        f.case(op, [ints(3, below=2**40), ints(3, below=2**40)], fn=fn)
    f.case("BitwiseNot", [ints(2, 3, below=99).int()], fn=torch.bitwise_not)
    f.case("BitwiseNot", [ints(3, below=99).to(torch.uint8)], fn=torch.bitwise_not)
    f.case("BitShift", [t([1, 5, 200], "uint8"), t([1, 2, 3], "uint8")], {"direction": "LEFT"})
    f.case("BitShift", [t([1, 5, 200], "uint8"), t([1, 2, 3], "uint8")], {"direction": "RIGHT"})
    f.case("BitCast", [values([1.0, -2.5, 0.0])], {"to": "int32"}, lambda x: x.float().view(torch.int32), grad=())
    for c, a, b in [((2, 3), (2, 3), (3,)), ((4, 1), (1, 3), ()), ((2,), (2,), (2,))]:
        f.case("Where", [ints(*c, below=2).bool(), normal(*a), normal(*b)], fn=torch.where, second=False)
    f.case("Where", [ints(2, 3, below=2).bool(), ints(2, 3, below=9), scalar(7)], fn=torch.where)
    f.write()


def activations():
    f = Family("activations")
    x = distinct(3, 4, step=0.31)
    kinked = {
        "Relu": [({}, F.relu)], "LeakyRelu": [({}, F.leaky_relu), ({"alpha": 0.2}, lambda x: F.leaky_relu(x, 0.2))],
        "ThresholdedRelu": [({}, lambda x: F.threshold(x, 1, 0)), ({"alpha": 0.4}, lambda x: F.threshold(x, 0.4, 0))],
        "HardSigmoid": [({}, lambda x: (0.2 * x + 0.5).clamp(0, 1)), ({"alpha": 1 / 6}, F.hardsigmoid), ({"alpha": 1.0, "beta": 0.25}, lambda x: (x + 0.25).clamp(0, 1))],
        "Shrink": [({}, lambda x: torch.where(x.abs() > 0.5, x, 0.0)), ({"lambd": 0.6, "bias": 0.6}, lambda x: F.softshrink(x, 0.6))],
    }
    for op, variants in kinked.items():
        for attrs, fn in variants:
            f.case(op, [x], attrs, fn, second=False)
    f.case("Relu", [ints(5, below=9, low=-9).int()], fn=F.relu)
    f.case("Relu", [values([0.0, -0.0, 1e-30, -1e-30, INF, 3.0])], fn=F.relu, second=False, differences=False, name="Relu at 0 and at extremes")
    f.case("LeakyRelu", [values([0.0, -1.0])], fn=F.leaky_relu, second=False, differences=False, name="LeakyRelu at 0")
    f.case("Elu", [x], fn=F.elu)
    f.case("Elu", [x], {"alpha": 0.5}, lambda x: F.elu(x, 0.5))
    f.case("Elu", [values([0.0, 1.0])], {"alpha": 0.5}, lambda x: F.elu(x, 0.5), differences=False, second=False, name="Elu at 0")
    f.case("Selu", [x], fn=F.selu)
    f.case("Selu", [x], {"alpha": 1.5, "gamma": 1.2}, lambda x: 1.2 * F.elu(x, 1.5))
    f.case("Celu", [x], fn=F.celu)
    f.case("Celu", [x], {"alpha": 2.0}, lambda x: F.celu(x, 2.0))
    f.case("PRelu", [x, values(0.2)], fn=lambda x, a: torch.where(x > 0, x, a * x))
    f.case("PRelu", [distinct(2, 3, 2, step=0.3), uniform(3, 1)], fn=lambda x, a: torch.where(x > 0, x, a * x))
    f.case("PRelu", [distinct(2, 3), normal(2, 3)], fn=lambda x, a: torch.where(x > 0, x, a * x))
    f.case("HardSwish", [distinct(3, 6, step=0.55)], fn=F.hardswish)
    f.case("Softplus", [x], fn=F.softplus)
    f.case("Softplus", [values([30.0, -30.0, 100.0])], fn=F.softplus, second=False, compare=False, name="Softplus far out")
    f.case("Softsign", [x], fn=F.softsign)
    f.case("Gelu", [x], fn=F.gelu)
    f.case("Gelu", [x], {"approximate": "tanh"}, lambda x: F.gelu(x, approximate="tanh"))
    f.case("Gelu", [values([8.0, -8.0, 0.0])], fn=F.gelu, second=False, name="Gelu far out")
    f.case("Mish", [x], fn=F.mish)
    f.case("Swish", [x], fn=F.silu)
    f.case("Swish", [x], {"alpha": 1.7}, lambda x: x * torch.sigmoid(1.7 * x))
    f.case("SwiGLU", [normal(2, 3), normal(2, 3)], fn=lambda a, b: F.silu(a) * b, opset=28)
    f.case("SwiGLU", [normal(2, 3), normal(2, 3)], {"alpha": 0.7}, lambda a, b: a * torch.sigmoid(0.7 * a) * b, opset=28)
    f.case("Clip", [x, values(-0.43), values(0.52)], fn=lambda x, a, b: torch.minimum(torch.maximum(x, a), b), second=False)
    f.case("Clip", [x, values(-0.43), values(0.52)], const=[1, 2], fn=lambda x, a, b: torch.clamp(x, a, b), second=False)
    f.case("Clip", [x, values(0.12)], const=[1], fn=lambda x, a: torch.clamp(x, min=a), second=False)
    f.case("Clip", [x, None, values(0.12)], const=[2], fn=lambda x, b: torch.clamp(x, max=b), second=False)
    f.case("Clip", [x], fn=lambda x: x.clone(), second=False)
    f.case("Clip", [values([-1.0, 0.0, 0.5, 1.0, 2.0]), values(0.0), values(1.0)], const=[1, 2], fn=lambda x, a, b: torch.clamp(x, 0, 1),
           second=False, differences=False, name="Clip at its bounds")
    f.case("Clip", [ints(5, below=9, low=-9), scalar(-2), scalar(3)], fn=torch.clamp)
    for axis in [None, 0, 1, -2]:
        attrs, dim = ({} if axis is None else {"axis": axis}), -1 if axis is None else axis
        f.case("Softmax", [normal(2, 3, 4)], attrs, lambda x, dim=dim: F.softmax(x, dim))
        f.case("LogSoftmax", [normal(2, 3, 4)], attrs, lambda x, dim=dim: F.log_softmax(x, dim))
        f.case("Hardmax", [distinct(2, 3, 4)], attrs, grad=())
    f.case("Softmax", [values([[1e4, 0.0, -1e4], [-INF, 0.0, 1.0]])], fn=lambda x: F.softmax(x, -1), second=False, differences=False, name="Softmax of large numbers")
    f.case("LogSoftmax", [values([[1e4, 0.0, -1e4]])], fn=lambda x: F.log_softmax(x, -1), second=False, differences=False, name="LogSoftmax of large numbers")
    f.write()


def axes_of(dim):
    return None if dim is None else i64(*(dim if isinstance(dim, list) else [dim]))


def reductions():
    f = Family("reductions")
    all_dims = lambda dim, x: list(range(x.dim())) if dim is None else dim if isinstance(dim, list) else [dim]

    def prod(x, dim, keep):
        for d in sorted([d % x.dim() for d in all_dims(dim, x)], reverse=True):
            x = torch.prod(x, d, keepdim=keep)
        return x

    fns = {
        "ReduceSum": (lambda x, d, k: torch.sum(x, all_dims(d, x), k), False), "ReduceMean": (lambda x, d, k: torch.mean(x, all_dims(d, x), k), False),
        "ReduceMax": (lambda x, d, k: torch.amax(x, all_dims(d, x), k), False), "ReduceMin": (lambda x, d, k: torch.amin(x, all_dims(d, x), k), False),
        "ReduceProd": (prod, True), "ReduceL1": (lambda x, d, k: x.abs().sum(all_dims(d, x), k), False),
        "ReduceL2": (lambda x, d, k: x.square().sum(all_dims(d, x), k).sqrt(), True),
        "ReduceSumSquare": (lambda x, d, k: x.square().sum(all_dims(d, x), k), True),
        "ReduceLogSum": (lambda x, d, k: x.sum(all_dims(d, x), k).log(), True),
        "ReduceLogSumExp": (lambda x, d, k: torch.logsumexp(x, all_dims(d, x), k), True),
    }
    for op, (fn, second) in fns.items():
        for dim, keep in [(None, True), (0, True), (-1, False), ([0, 2], False), ([-1, -2], True), (None, False)]:
            x = uniform(2, 3, 4, low=0.2, high=2) if op == "ReduceLogSum" else distinct(2, 3, 4)
            if op == "ReduceProd": x = uniform(2, 3, 4, low=0.6, high=1.5)
            axes = axes_of(dim)
            f.case(op, [x] + ([] if axes is None else [axes]), {} if keep else {"keepdims": 0},
                   lambda x, *_, fn=fn, dim=dim, keep=keep: fn(x, dim, keep), const=[1], second=second)
    f.case("ReduceSum", [normal(2, 3)], {"noop_with_empty_axes": 1}, lambda x: x.clone(), second=False)
    f.case("ReduceSum", [ints(2, 3, below=9), i64(1)], fn=lambda x, _: x.sum(1, True), const=[1])
    f.case("ReduceMax", [ints(2, 3, below=9), i64(0)], fn=lambda x, _: x.amax(0, True), const=[1])
    for op, fn in [("ReduceMax", torch.amax), ("ReduceMin", torch.amin)]:
        f.case(op, [values([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]]), i64(1)], {"keepdims": 0}, lambda x, _, fn=fn: fn(x, 1), const=[1], second=False,
               differences=False, name=f"{op} with ties")
    f.case("ReduceProd", [values([[2.0, 0.0, 3.0], [0.0, 0.0, 1.0], [1.5, 2.0, -1.0]]), i64(1)], {"keepdims": 0}, lambda x, _: x.prod(1), const=[1],
           name="ReduceProd with zeros")
    f.case("ReduceL2", [values([[0.0, 0.0], [3.0, 4.0]]), i64(1)], fn=lambda x, _: torch.linalg.vector_norm(x, 2, 1, True), const=[1], second=False, differences=False,
           name="ReduceL2 of the zero vector")
    f.case("ReduceL1", [values([[0.0, -1.0]]), i64(1)], fn=lambda x, _: x.abs().sum(1, True), const=[1], second=False, differences=False, name="ReduceL1 at 0")
    f.case("ReduceLogSumExp", [values([[1e4, 1e4, -1e4]]), i64(1)], fn=lambda x, _: torch.logsumexp(x, 1, True), const=[1], second=False, differences=False,
           name="ReduceLogSumExp of large numbers")
    for op, fn in [("ArgMax", torch.argmax), ("ArgMin", torch.argmin)]:
        for axis, keep in [(0, True), (-1, False), (1, True)]:
            f.case(op, [distinct(2, 3, 4)], {"axis": axis, **({} if keep else {"keepdims": 0})}, lambda x, fn=fn, a=axis, k=keep: fn(x, a, k), grad=())
        f.case(op, [values([1.0, 3.0, 3.0, 1.0])], {"select_last_index": 1}, grad=())
    for reverse in [0, 1]:
        for exclusive in [0, 1]:
            attrs = {k: v for k, v in [("reverse", reverse), ("exclusive", exclusive)] if v}
            for axis in [0, 1, -1] if not attrs else [1]:
                def cum(x, _, fn=torch.cumsum, r=reverse, e=exclusive, a=axis, one=0.0):
                    x = x.flip(a) if r else x
                    y = fn(x, a)
                    if e: y = torch.cat([torch.full_like(y.narrow(a, 0, 1), one), y.narrow(a, 0, y.shape[a] - 1)], a)
                    return y.flip(a) if r else y
                f.case("CumSum", [normal(2, 3, 4), scalar(axis)], attrs, cum, const=[1], second=False)
                prods = lambda x, _, cum=cum: cum(x, _, fn=torch.cumprod, one=1.0)
                f.case("CumProd", [uniform(2, 3, 4, low=0.6, high=1.5), scalar(axis)], attrs, prods, const=[1])
            zeros = values([[2.0, 0.0, 3.0, 0.0, 1.0], [0.0, 2.0, 3.0, 1.0, 0.5], [1.0, 2.0, 3.0, 2.0, 0.0]])
            f.case("CumProd", [zeros, scalar(1)], attrs, lambda x, _, cum=cum: cum(x, _, fn=torch.cumprod, one=1.0), const=[1], second=False)
    f.write()


def movement():
    f = Family("movement")
    f.case("Reshape", [normal(2, 6), i64(3, -1)], fn=lambda x, _: x.reshape(3, 4), const=[1], second=False)
    f.case("Reshape", [normal(2, 6), i64(0, 2, 3)], fn=lambda x, _: x.reshape(2, 2, 3), const=[1], second=False)
    for axis in [None, 0, 2, -1, 3]:
        f.case("Flatten", [normal(2, 3, 4)], {} if axis is None else {"axis": axis}, second=False)
    f.case("Squeeze", [normal(2, 1, 3, 1)], fn=torch.squeeze, second=False)
    f.case("Squeeze", [normal(2, 1, 3, 1), i64(-1)], fn=lambda x, _: x.squeeze(-1), const=[1], second=False)
    f.case("Unsqueeze", [normal(2, 3), i64(0, -1)], fn=lambda x, _: x[None, :, :, None], const=[1], second=False)
    f.case("Transpose", [normal(2, 3, 4)], fn=lambda x: x.permute(2, 1, 0), second=False)
    f.case("Transpose", [normal(2, 3, 4)], {"perm": [1, 2, 0]}, lambda x: x.permute(1, 2, 0), second=False)
    f.case("Expand", [normal(3, 1), i64(2, 1, 4)], fn=lambda x, _: x.expand(2, 3, 4), const=[1], second=False)
    f.case("Expand", [normal(), i64(2, 2)], fn=lambda x, _: x.expand(2, 2), const=[1], second=False)
    for axis in [0, 1, -1]:
        shapes = [[2, 2, 2], [2, 2, 2]]
        shapes[1][axis] = 3
        f.case("Concat", [normal(*s) for s in shapes], {"axis": axis}, lambda *x, a=axis: torch.cat(x, a), second=False)
    f.case("Concat", [ints(2, below=9), ints(3, below=9)], {"axis": 0}, lambda *x: torch.cat(x))
    f.case("Split", [normal(2, 6), i64(1, 3, 2)], {"axis": 1}, lambda x, _: torch.split(x, [1, 3, 2], 1), const=[1], outputs=3, second=False)
    f.case("Split", [normal(7, 2)], {"num_outputs": 3}, lambda x: torch.split(x, 3), outputs=3, second=False)
    for repeats in [[1, 2], [3, 1], [2, 2]]:
        f.case("Tile", [normal(2, 3), i64(*repeats)], fn=lambda x, _, r=repeats: x.repeat(*r), const=[1], second=False)
    f.case("Tile", [ints(2, below=9), i64(3)], fn=lambda x, _: x.repeat(3), const=[1])
    for k in [None, 1, -1, -5]:
        f.case("Trilu", [normal(2, 3, 4)] + ([] if k is None else [scalar(k)]), fn=lambda x, *_, k=k: torch.triu(x, k or 0), second=False)
        f.case("Trilu", [normal(2, 3, 4)] + ([] if k is None else [scalar(k)]), {"upper": 0}, lambda x, *_, k=k: torch.tril(x, k or 0), second=False)
    f.case("DepthToSpace", [normal(2, 8, 2, 3)], {"blocksize": 2}, second=False)
    f.case("DepthToSpace", [normal(2, 8, 2, 3)], {"blocksize": 2, "mode": "CRD"}, lambda x: F.pixel_shuffle(x, 2), second=False)
    f.case("SpaceToDepth", [normal(2, 2, 4, 6)], {"blocksize": 2}, second=False)
    f.case("SpaceToDepth", [normal(2, 2, 4, 6)], {"blocksize": 2, "mode": "CRD"}, lambda x: F.pixel_unshuffle(x, 2), second=False, opset=28)
    f.case("ReverseSequence", [normal(4, 3, 2), i64(1, 4, 2)], second=False)
    f.case("ReverseSequence", [normal(3, 4, 2), i64(1, 4, 2)], {"batch_axis": 0, "time_axis": 1}, second=False)
    # Slices
    s = lambda *parts: lambda x, *_: x[parts]
    f.case("Slice", [normal(4, 5), i64(1, 0), i64(3, 4)], fn=s(slice(1, 3), slice(0, 4)), const=[1, 2], second=False)
    f.case("Slice", [normal(4, 5), i64(1), i64(-1), i64(-1)], fn=s(slice(None), slice(1, -1)), const=[1, 2, 3], second=False)
    f.case("Slice", [normal(4, 7, 3), i64(0, 1), i64(9, 7), i64(0, 1), i64(2, 3)], fn=s(slice(0, 9, 2), slice(1, 7, 3)), const=[1, 2, 3, 4], second=False)
    f.case("Slice", [normal(5), i64(-1), i64(-9), i64(0), i64(-1)], fn=lambda x, *_: x.flip(0), const=[1, 2, 3, 4], second=False)
    f.case("Slice", [normal(8, 2), i64(6), i64(0), i64(0), i64(-3)], fn=lambda x, *_: x[[6, 3]], const=[1, 2, 3, 4], second=False)
    f.case("Slice", [normal(4), i64(3), i64(1)], fn=lambda x, *_: x[3:1], const=[1, 2], second=False, differences=False)
    f.case("Slice", [normal(4, 2), i64(0), i64(2**62)], fn=lambda x, *_: x[:], const=[1, 2], second=False)
    f.case("Slice", [ints(5, below=9), i64(1), i64(4)], fn=lambda x, *_: x[1:4], const=[1, 2])
    # Pads: before and after per axis
    f.case("Pad", [normal(2, 3), i64(0, 1, 1, 2)], fn=lambda x, _: F.pad(x, [1, 2, 0, 1]), const=[1], second=False)
    f.case("Pad", [normal(2, 3), i64(0, 1, 1, 2), values(1.5)], fn=lambda x, _, v: torch.where(F.pad(torch.ones_like(x), [1, 2, 0, 1]) > 0, F.pad(x, [1, 2, 0, 1]), v),
           const=[1], second=False)
    f.case("Pad", [normal(2, 3), i64(1, 2), None, i64(-1)], fn=lambda x, *_: F.pad(x, [1, 2]), const=[1, 3], second=False)
    f.case("Pad", [normal(4, 5), i64(-1, 2, 0, -2)], fn=lambda x, _: F.pad(x, [2, -2, -1, 0]), const=[1], second=False)
    f.case("Pad", [normal(4, 5), i64(-1, 0, 0, -2)], fn=lambda x, _: x[1:, :3], const=[1], second=False)
    f.case("Pad", [ints(3, below=9), i64(1, 2), scalar(7)], fn=lambda x, *_: F.pad(x, [1, 2], value=7), const=[1])
    for mode, name in [("reflect", "reflect"), ("edge", "replicate"), ("wrap", "circular")]:
        f.case("Pad", [normal(1, 2, 4, 5), i64(0, 0, 2, 1, 0, 0, 1, 3)], {"mode": mode}, lambda x, _, m=name: F.pad(x, [1, 3, 2, 1], mode=m), const=[1], second=False)
        f.case("Pad", [normal(4), i64(2, 3)], {"mode": mode}, const=[1], second=False)
    f.case("Pad", [normal(5), i64(-1, 2)], {"mode": "edge"}, const=[1], second=False, reference=False)
    f.case("CenterCropPad", [normal(5, 4, 3), i64(2, 7, 3)], const=[1], second=False)
    f.case("CenterCropPad", [normal(5, 4), i64(8)], {"axes": [-1]}, const=[1], second=False)
    f.write()


def indexing():
    f = Family("indexing")
    x = normal(4, 5, 3)
    f.case("Gather", [x, i64(2, 0, 2, -1)], fn=lambda x, i: x[i], second=False)
    f.case("Gather", [x, t([[1, 0], [4, 4]], "int64")], {"axis": 1}, lambda x, i: x[:, i], second=False)
    f.case("Gather", [x, scalar(-1)], {"axis": -1}, lambda x, i: x[..., i], second=False)
    f.case("Gather", [x, i64(1, 1).int()], {"axis": 2}, lambda x, i: x[..., i.long()], second=False)
    f.case("Gather", [x, i64(3, 3)], {"axis": 1}, lambda x, i: x[:, i], const=[1], second=False)
    f.case("Gather", [i64(4, 5, 6), i64(-1, 0)], fn=lambda x, i: x[i], const=[0, 1])
    f.case("GatherElements", [x, ints(4, 2, 3, below=5)], {"axis": 1}, lambda x, i: torch.gather(x, 1, i), second=False)
    f.case("GatherElements", [normal(3, 4), ints(2, 4, below=3)], fn=lambda x, i: torch.gather(x, 0, i), second=False)
    f.case("GatherElements", [normal(2, 3), t([[-1, 0], [-3, -3]], "int64")], {"axis": -1}, lambda x, i: torch.gather(x, 1, i % 3), second=False)
    f.case("GatherND", [x, t([[0, 1], [3, 4], [0, 1]], "int64")], fn=lambda x, i: x[i[:, 0], i[:, 1]], second=False)
    f.case("GatherND", [x, t([[[0], [-1]]], "int64")], fn=lambda x, i: x[i[..., 0]], second=False)
    f.case("GatherND", [normal(2, 3), t([[0, 1], [1, -1], [1, 2]], "int64")], fn=lambda x, i: x[i[:, 0], i[:, 1]], second=False)
    f.case("GatherND", [normal(2, 3, 4), t([[1], [0]], "int64")], {"batch_dims": 1}, lambda x, i: x[torch.arange(2), i[:, 0]], second=False)
    f.case("GatherND", [normal(2, 3, 4), t([[[1], [2], [1]], [[0], [0], [-1]]], "int64")], {"batch_dims": 1},
           lambda x, i: torch.stack([x[b][i[b, :, 0]] for b in range(2)]), second=False)
    f.case("GatherND", [normal(2, 2, 4), t([[[1], [2]], [[0], [-1]]], "int64")], {"batch_dims": 2},
           lambda x, i: torch.gather(x, 2, i % 4)[..., 0], second=False)
    index = t([[0, 2], [3, 1], [1, 0]], "int64")
    f.case("ScatterElements", [normal(3, 4), index, normal(3, 2)], {"axis": 1}, lambda x, i, u: x.scatter(1, i, u), second=False)
    f.case("ScatterElements", [normal(3, 4), t([[-1, 0, 1, 2]], "int64"), normal(1, 4)], fn=lambda x, i, u: x.scatter(0, i % 3, u), second=False)
    repeated = t([[0, 0, 3], [1, 2, 1]], "int64")
    torch_names = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}
    for reduction in ["add", "mul", "max", "min"]:
        f.case("ScatterElements", [distinct(2, 4), repeated, distinct(2, 3) * 1.7 + 0.02], {"axis": 1, "reduction": reduction},
               lambda x, i, u, r=torch_names[reduction]: torch.scatter_reduce(x, 1, i, u, r), second=reduction == "mul", compare=False)
    f.case("ScatterElements", [values([[2.0, 3.0, 0.0, 1.0]]), t([[0, 0, 1, 2]], "int64"), values([[0.0, 4.0, 2.0, 3.0]])], {"axis": 1, "reduction": "mul"},
           lambda x, i, u: torch.scatter_reduce(x, 1, i, u, "prod"), second=False, name="ScatterElements mul with zeros")
    f.case("ScatterElements", [values([2.0, 3.0, 0.0]), t([0, 0, 1], "int64"), values([2.0, 2.0, 1.0])], {"reduction": "max"},
           lambda x, i, u: torch.scatter_reduce(x, 0, i, u, "amax"), second=False, differences=False, name="ScatterElements max with ties")
    f.case("ScatterElements", [ints(4, below=9), i64(1, 3), i64(7, 8)], fn=lambda x, i, u: x.scatter(0, i, u))
    nd = t([[0, 1], [3, 4], [2, 0]], "int64")
    put = lambda accumulate: lambda x, i, u: x.index_put((i[..., 0], i[..., 1]), u, accumulate=accumulate)
    f.case("ScatterND", [x, nd, normal(3, 3)], fn=put(False), second=False)
    f.case("ScatterND", [normal(4, 5), nd, normal(3)], fn=put(False), second=False)
    f.case("ScatterND", [normal(4, 2), t([[1], [3]], "int64"), normal(2, 2)], fn=lambda x, i, u: x.index_put((i[:, 0],), u), second=False)
    same = t([[0, 1], [0, 1], [2, -1]], "int64")
    f.case("ScatterND", [x, same, normal(3, 3)], {"reduction": "add"}, put(True), second=False)
    f.case("ScatterND", [distinct(3, 2), t([[0], [0]], "int64"), distinct(2, 2) * 1.3 + 0.017], {"reduction": "mul"}, lambda x, i, u: torch.cat([x[:1] * u[:1] * u[1:], x[1:]]))
    for reduction in ["max", "min"]:
        f.case("ScatterND", [distinct(3, 2), t([[0], [0]], "int64"), distinct(2, 2) * 1.3 + 0.017], {"reduction": reduction},
               lambda x, i, u, fn=getattr(torch, f"a{reduction}"): torch.cat([fn(torch.cat([x[:1], u]), 0, True), x[1:]]), second=False)
    cache, update = normal(2, 5, 3), normal(2, 2, 3)

    def write(c, u, starts=None, circular=False, axis=1):
        c = c.clone()
        for b in range(c.shape[0]):
            for s in range(u.shape[axis]):
                at = (0 if starts is None else int(starts[b])) + s
                c.select(axis, at % c.shape[axis] if circular else at)[b] = u.select(axis, s)[b]
        return c
    f.case("TensorScatter", [cache, update], fn=write, second=False)
    f.case("TensorScatter", [cache, update, i64(1, 3)], fn=write, second=False)
    f.case("TensorScatter", [cache, update, i64(4, 0)], {"mode": "circular"}, lambda c, u, s: write(c, u, s, True), second=False)
    f.case("TensorScatter", [normal(2, 2, 5, 3), normal(2, 2, 1, 3), i64(1, 3)],
           fn=lambda c, u, s: torch.stack([torch.cat([c[b, :, :s[b]], u[b], c[b, :, s[b] + 1:]], 1) for b in range(2)]), second=False)
    # Selection
    for axis, largest in [(-1, 1), (0, 1), (1, 0)]:
        f.case("TopK", [distinct(3, 4), i64(2)], {"axis": axis, "largest": largest}, lambda x, _, a=axis, l=largest: torch.topk(x, 2, a, bool(l)), const=[1], outputs=2, second=False)
    f.case("Compress", [normal(3, 4), t([0, 1, 1], "bool")], {"axis": 0}, lambda x, c: x[c], const=[1], second=False)
    f.case("Compress", [normal(3, 4), t([1, 0, 1], "bool")], {"axis": 1}, lambda x, c: x[:, [0, 2]], const=[1], second=False)
    f.case("Compress", [normal(2, 3), t([0, 1, 0, 0, 1], "bool")], fn=lambda x, c: x.flatten()[[1, 4]], const=[1], second=False)
    f.case("NonZero", [i64(0, 3, 0, 5, 1, 0).reshape(2, 3)], fn=lambda x: torch.nonzero(x).T, const=[0])
    f.case("NonZero", [t([[True, False], [True, True]], "bool")], fn=lambda x: torch.nonzero(x).T, const=[0])
    f.case("Unique", [values([2.0, 1.0, 1.0, 3.0, 2.0])], const=[0], outputs=4, grad=())
    f.case("Unique", [values([[1.0, 0.0], [1.0, 0.0], [2.0, 3.0]])], {"axis": 0}, const=[0], outputs=4, grad=())
    f.case("OneHot", [i64(0, 2, -1), scalar(3), values([0.0, 1.0])], const=[1], grad=())
    f.case("OneHot", [ints(2, 2, below=3), scalar(3), values([-1.0, 2.0])], {"axis": 0}, const=[1], grad=())
    f.case("OneHot", [ints(2, 2, below=3).int(), scalar(3, "int32"), values([0.0, 1.0])], {"axis": 1}, const=[1], grad=())
    f.case("OneHot", [ints(3, below=3), scalar(3), i64(0, 1)], const=[1])
    f.case("ConstantOfShape", [i64(2, 3)], {"value": t([7], "int64")}, lambda _: torch.full((2, 3), 7), const=[0])
    f.case("ConstantOfShape", [i64(2, 3)], {"value": t([1.5])}, lambda _: torch.full((2, 3), 1.5), const=[0])
    f.case("ConstantOfShape", [i64(2)], fn=lambda _: torch.zeros(2), const=[0])
    f.case("Constant", [], {"value": t([[1, 2]], "int64")}, lambda: i64(1, 2).reshape(1, 2))
    f.case("Constant", [], {"value_floats": [1.5, 2.0]}, lambda: values([1.5, 2.0]))
    f.case("EyeLike", [normal(3, 4)], fn=lambda _: torch.eye(3, 4), grad=())
    f.case("EyeLike", [ints(3, 4, below=3)], {"k": 1, "dtype": "float32"}, lambda _: torch.eye(4)[1:4])
    f.case("EyeLike", [normal(4, 3)], {"k": -1}, lambda _: torch.eye(4)[:, 1:], grad=())
    f.case("Range", [scalar(1), scalar(8), scalar(3)], fn=lambda *_: i64(1, 4, 7), const=[0, 1, 2])
    f.case("Range", [values(1.0), values(-0.1), values(-0.5)], fn=lambda *_: values([1.0, 0.5, 0.0]), const=[0, 1, 2])
    f.case("Shape", [normal(2, 3, 4)], fn=lambda _: i64(2, 3, 4), grad=())
    f.case("Shape", [normal(2, 3, 4)], {"start": -2, "end": 2}, lambda _: i64(3), grad=())
    f.case("Size", [normal(2, 3)], fn=lambda _: scalar(6), grad=())
    for periodic in [1, 0]:
        f.case("HannWindow", [scalar(6)], {"periodic": periodic}, lambda _, p=periodic: torch.hann_window(6, bool(p)), const=[0])
        f.case("HammingWindow", [scalar(6)], {"periodic": periodic}, lambda _, p=periodic: torch.hamming_window(6, bool(p), 25 / 46, 21 / 46), const=[0])
        f.case("BlackmanWindow", [scalar(6)], {"periodic": periodic}, lambda _, p=periodic: torch.blackman_window(6, bool(p)), const=[0])
    f.case("MelWeightMatrix", [scalar(4), scalar(16), scalar(8000), values(100.0), values(3000.0)], const=[0, 1, 2, 3, 4])
    # ONNX Runtime 1.30 has no kernels of the random operators for the emitted opset.
    for op, attrs in [("RandomNormal", {"shape": [2, 3], "mean": 1.0, "scale": 2.0}), ("RandomUniform", {"shape": [4], "low": -1.0, "high": 1.0})]:
        f.case(op, [], attrs, types=True, opset=21)
    for op in ["RandomNormalLike", "RandomUniformLike"]:
        f.case(op, [normal(2, 3)], types=True, opset=21, grad=())
        f.case(op, [ints(2, 3, below=3)], {"dtype": "float32"}, types=True, opset=21)
    f.case("Bernoulli", [uniform(2, 3)], types=True, opset=21, grad=())
    f.case("Bernoulli", [uniform(2, 3)], {"dtype": "int64"}, types=True, opset=21, grad=())
    f.case("Multinomial", [normal(2, 3)], {"sample_size": 4, "dtype": "int64"}, types=True, opset=21, grad=())
    f.write()


def products():
    f = Family("products")
    for a, b in [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((5, 2, 3), (3,)), ((3,), (5, 3, 4)),
                 ((2, 3), (5, 3, 4)), ((5, 2, 3), (5, 3, 4)), ((5, 1, 2, 3), (4, 3, 2)), ((2, 1, 2, 3), (1, 3, 3, 4))]:
        f.case("MatMul", [normal(*a), normal(*b)], fn=torch.matmul)
    for attrs in [{}, {"transA": 1}, {"transB": 1}, {"transA": 1, "transB": 1, "alpha": 0.5, "beta": 0.25}]:
        for bias in [None, (), (4,), (2, 1), (2, 4)]:
            a = normal(*((3, 2) if attrs.get("transA") else (2, 3)))
            b = normal(*((4, 3) if attrs.get("transB") else (3, 4)))

            def gemm(a, b, c=None, o=attrs):
                y = o.get("alpha", 1) * (a.T if o.get("transA") else a) @ (b.T if o.get("transB") else b)
                return y if c is None else y + o.get("beta", 1) * c
            f.case("Gemm", [a, b] + ([] if bias is None else [normal(*bias)]), attrs, gemm)
    equations = {
        "ij,jk->ik": [(2, 3), (3, 4)], "ij,jk": [(2, 3), (3, 4)], "ij->ji": [(2, 3)], "ij->": [(2, 3)], "ij->i": [(2, 3)], "ii->i": [(3, 3)], "ii": [(3, 3)],
        "bij,bjk->bik": [(2, 3, 2), (2, 2, 3)], "i,j->ij": [(2,), (3,)], "bhqd,bhkd->bhqk": [(2, 2, 3, 2), (2, 2, 4, 2)],
        "...ij,...jk->...ik": [(2, 1, 2, 3), (3, 3, 2)], "bn,anm,bm->ba": [(2, 3), (2, 3, 4), (2, 4)], "ijk,k->ij": [(2, 3, 2), (2,)],
        "ij,ij->ij": [(2, 3), (2, 3)], "ijk->k": [(2, 3, 2)], "ij,kl->i": [(2, 3), (2, 2)], "iij->j": [(2, 2, 3)], "ii,i->i": [(3, 3), (3,)],
        "i...->...": [(2, 3, 2)], "b i d, b j d -> b i j": [(2, 3, 2), (2, 4, 2)], "i,i,i->": [(3,), (3,), (3,)],
    }
    for equation, shapes in equations.items():
        f.case("Einsum", [normal(*s) for s in shapes], {"equation": equation}, lambda *x, e=equation: torch.einsum(e, *x), second=len(shapes) > 1)
    eight = lambda *shape, low=0: ints(*shape, below=100, low=low).to(torch.uint8)
    f.case("MatMulInteger", [eight(2, 3), eight(3, 4)])
    f.case("MatMulInteger", [eight(2, 3), eight(3, 4), t(7, "uint8"), t(3, "uint8")])
    one = lambda v: t(v, "uint8")
    f.case("QLinearMatMul", [eight(2, 3), values(0.1), one(3), eight(3, 4), values(0.2), one(7), values(2.0), one(9)], grad=())
    f.case("ConvInteger", [eight(1, 2, 4, 4), eight(3, 2, 3, 3), one(5)], {"pads": [1, 1, 1, 1]})
    f.case("QLinearConv", [eight(1, 2, 4, 4), values(0.1), one(3), eight(3, 2, 3, 3), values(0.2), one(7), values(4.0), one(9)], {"strides": [2, 2]}, grad=())
    f.case("QuantizeLinear", [values([[0.1, -3.0, 9.0], [50.0, 300.0, 0.5]]), values(0.5), one(10)], grad=())
    f.case("QuantizeLinear", [values([[0.1, -3.0], [50.0, 300.0]]), values([0.5, 2.0]), t([1, -3], "int8")], {"axis": 0}, grad=())
    f.case("QuantizeLinear", [values([[0.1, 3.0]]), values(0.5)], grad=())
    f.case("QuantizeLinear", [values([[0.1, 3.0]]), values(0.5)], {"output_dtype": "int8"}, grad=())
    q = t([[1, 255, 7], [0, 10, 100]], "uint8")
    f.case("DequantizeLinear", [q, values(0.5), one(10)], fn=lambda q, s, z: (q.to(s.dtype) - z.to(s.dtype)) * s, second=False)
    f.case("DequantizeLinear", [q, values([0.5, 2.0, 1.0]), t([1, 2, 3], "uint8")], fn=lambda q, s, z: (q.to(s.dtype) - z.to(s.dtype)) * s, second=False)
    f.case("DequantizeLinear", [q, values([0.5, 2.0])], {"axis": 0}, fn=lambda q, s: q.to(s.dtype) * s[:, None], second=False)
    f.case("DequantizeLinear", [t([[1, 2, 3, 4]], "int8"), values([[0.5, 2.0]]), t([[1, 1]], "int8")], {"axis": 1, "block_size": 2},
           fn=lambda q, s, z: (q.to(s.dtype) - 1) * s.repeat_interleave(2, 1), second=False)
    f.case("CausalConvWithState", [normal(2, 3, 5), normal(3, 1, 3)], outputs=2, opset=27,
           fn=lambda x, w: (F.conv1d(F.pad(x, [2, 0]), w, groups=3), F.pad(x, [2, 0])[..., 5:]))
    f.case("CausalConvWithState", [normal(2, 3, 2), normal(3, 1, 4), normal(3), normal(2, 3, 3)], {"activation": "silu"}, outputs=2, opset=27,
           fn=lambda x, w, b, p: (F.silu(F.conv1d(torch.cat([p, x], 2), w, b, groups=3)), torch.cat([p, x], 2)[..., 2:]))
    heads = {"q_num_heads": 4, "kv_num_heads": 2}
    q, k, v, state = normal(2, 3, 8), normal(2, 3, 4), normal(2, 3, 6), normal(2, 2, 2, 3)
    for rule, past, decay, beta in [("linear", None, None, None), ("linear", state, None, None), ("gated", None, uniform(2, 3, 4, low=-1), None),
                                    ("delta", state, None, uniform(2, 3, 2)), ("gated_delta", state, uniform(2, 3, 2, low=-1), uniform(2, 3, 1))]:
        inputs = [q, k, v, past, decay, beta]
        while inputs[-1] is None: inputs.pop()
        f.case("LinearAttention", inputs, {**heads, "update_rule": rule}, outputs=2, opset=27)
    f.case("LinearAttention", [q, k, v], {**heads, "update_rule": "linear", "scale": 0.5}, outputs=2, opset=27)
    f.case("DynamicQuantizeLinear", [values([0.1, -3.0, 9.0])], outputs=3, grad=())
    f.write()


def fused():
    f = Family("fused")
    ms = "com.microsoft"
    swap = lambda v, on: v.transpose(-1, -2) if on else v
    for attrs in [{}, {"transA": 1}, {"transB": 1, "alpha": 0.5}, {"transA": 1, "transB": 1}]:
        a = normal(*((2, 4, 3) if attrs.get("transA") else (2, 3, 4)))
        b = normal(*((2, 5, 4) if attrs.get("transB") else (2, 4, 5)))
        f.case("FusedMatMul", [a, b], attrs, lambda a, b, o=attrs: o.get("alpha", 1) * swap(a, o.get("transA")) @ swap(b, o.get("transB")), domain=ms)
    f.case("FusedMatMul", [normal(3, 2, 4), normal(2, 4, 5)], {"transBatchA": 1}, lambda a, b: a.transpose(0, 1) @ b, domain=ms)
    f.case("FusedMatMul", [normal(2, 3, 4), normal(5, 2, 4)], {"transBatchB": 1, "transB": 1}, lambda a, b: a @ b.permute(1, 2, 0), domain=ms)
    x = distinct(3, 4, step=0.31)
    f.case("Gelu", [x], fn=F.gelu, domain=ms, name="com.microsoft.Gelu")
    f.case("FastGelu", [x], fn=lambda x: F.gelu(x, approximate="tanh"), domain=ms)
    f.case("FastGelu", [x, normal(4)], fn=lambda x, b: F.gelu(x + b, approximate="tanh"), domain=ms)
    f.case("BiasGelu", [x, normal(4)], fn=lambda x, b: F.gelu(x + b), domain=ms)
    f.case("QuickGelu", [x], fn=lambda x: x * torch.sigmoid(1.702 * x), domain=ms)
    layer = lambda x, g, b=None: F.layer_norm(x, x.shape[-1:], g, b, 1e-5)
    rms = lambda x, g: x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5) * g
    eps = {"epsilon": 1e-5}
    y, skip, g, b = normal(2, 3, 4), normal(2, 3, 4), normal(4), normal(4)
    f.case("SkipLayerNormalization", [y, skip, g], eps, lambda x, s, g: layer(x + s, g), domain=ms)
    f.case("SkipLayerNormalization", [y, skip, g, b, normal(4)], eps, lambda x, s, g, b, c: layer(x + s + c, g, b), domain=ms)
    f.case("SkipSimplifiedLayerNormalization", [y, skip, g], eps, lambda x, s, g: rms(x + s, g), domain=ms)
    f.case("SkipSimplifiedLayerNormalization", [y, skip, g, normal(4)], eps, lambda x, s, g, c: rms(x + s + c, g), domain=ms)
    f.case("SimplifiedLayerNormalization", [y, g], {"axis": -1, "epsilon": 1e-5}, rms)
    f.case("QuickGelu", [x], {"alpha": 1.0}, F.silu, domain=ms)
    f.write()


def untrained():
    """Operators without a gradient here: types only."""
    f = Family("untrained")
    f.case("Det", [normal(2, 3, 3)], fn=torch.linalg.det, grad=())
    f.case("Det", [normal(2, 2)], fn=torch.linalg.det, grad=())
    f.case("DFT", [normal(1, 8, 1)], grad=())
    f.case("DFT", [normal(1, 8, 1)], {"onesided": 1}, grad=())
    f.case("DFT", [normal(2, 4, 6, 2), None, scalar(1)], {"inverse": 1}, const=[2], grad=())
    f.case("STFT", [normal(1, 16, 1), scalar(4), None, scalar(8)], const=[1, 3], grad=())
    f.case("STFT", [normal(1, 16, 1), scalar(4), uniform(8)], {"onesided": 0}, const=[1], grad=())
    f.case("RoiAlign", [normal(1, 2, 6, 6), values([[0.0, 0.0, 4.0, 4.0], [1.0, 1.0, 3.0, 5.0]]), i64(0, 0)], {"output_height": 2, "output_width": 3}, grad=(), opset=21, types=True)
    f.case("MaxRoiPool", [normal(1, 2, 6, 6), values([[0.0, 0.0, 0.0, 4.0, 4.0]])], {"pooled_shape": [2, 2]}, grad=(), opset=21, types=True)
    f.case("DeformConv", [normal(1, 2, 5, 5), normal(3, 2, 3, 3), normal(1, 18, 3, 3)], {"kernel_shape": [3, 3]}, grad=())
    f.write()


for family in [elementwise, arithmetic, activations, reductions, movement, indexing, products, fused, untrained]:
    family()
