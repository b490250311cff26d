"""Golden values of the functional API: `python functional.py` writes functional.json."""

import math

import torch
import torch.nn.functional as F

from common import Golden, distinct, ints, normal, uniform, values

g = Golden("functional")
case = g.case
INF, NAN = math.inf, math.nan


def unary():
    anywhere = ["abs", "neg", "exp", "exp2", "expm1", "sin", "cos", "tan", "sinh", "cosh", "tanh", "asinh", "atan", "erf",
                "sigmoid", "square", "sign", "floor", "ceil", "round", "trunc", "frac"]
    for op in anywhere:
        case(op, getattr(torch, op), {"x": normal(2, 3)})
    for op in ["log", "log2", "log10", "log1p", "sqrt", "rsqrt", "reciprocal"]:
        case(op, getattr(torch, op), {"x": uniform(2, 3, low=0.2, high=3)})
    for op in ["asin", "acos", "atanh", "erfinv", "logit"]:
        low = 0.1 if op == "logit" else -0.9
        case(op, getattr(torch, op), {"x": uniform(2, 3, low=low, high=0.9)})
    case("acosh", torch.acosh, {"x": uniform(2, 3, low=1.2, high=4)})
    case("round", torch.round, {"x": values([0.5, 1.5, 2.5, -0.5, -1.5, 3.49])}, grad=False, name="round half to even")
    special = values([INF, -INF, NAN, 0.0, -0.0, 1e30])
    for op in ["exp", "tanh", "sigmoid", "abs", "neg", "relu", "isnan", "isinf", "isfinite", "sqrt", "log"]:
        case(op, getattr(torch, op), {"x": special}, grad=False, name=f"{op} of special numbers")
    case("clamp", torch.clamp, {"x": distinct(3, 4)}, {"min": -0.33, "max": 0.4})
    case("clamp", torch.clamp, {"x": distinct(3, 4)}, {"min": 0.12})
    case("clamp", torch.clamp, {"x": distinct(3, 4)}, {"max": 0.12})
    case("nanToNum", torch.nan_to_num, {"x": values([NAN, INF, -INF, 2.0])}, {"nan": 1.5, "posinf": 9.0, "neginf": -9.0}, grad=False)
    case("logicalNot", torch.logical_not, {"x": ints(2, 3, below=2).bool()}, grad=False)


def binary():
    shapes = [((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 1, 3), (4, 1)), ((), (2, 2)), ((1,), (3, 1, 2))]
    for op in ["add", "sub", "mul", "div", "maximum", "minimum", "atan2"]:
        for a, b in shapes:
            case(op, getattr(torch, op), {"x": normal(*a), "y": normal(*b)})
    for a, b in shapes[:3]:
        case("pow", torch.pow, {"x": uniform(*a, low=0.3, high=2), "y": normal(*b)})
        case("hypot", torch.hypot, {"x": normal(*a), "y": normal(*b)})
        case("lerp", torch.lerp, {"x": normal(*a), "y": normal(*b), "weight": normal(*b)})
    for exponent in [2, 3, 0.5, -1, -2.5, 0]:
        case("pow", torch.pow, {"x": uniform(2, 3, low=0.3, high=2)}, {"exponent": exponent})
    case("pow", torch.pow, {"x": normal(2, 3)}, {"exponent": 3}, name="pow of negative numbers, exponent=3")
    case("remainder", torch.remainder, {"x": distinct(2, 6, step=0.37), "y": values([1.0, -1.0, 0.7, -0.7, 2.0, 0.3])}, nograd=["y"])
    case("fmod", torch.fmod, {"x": distinct(2, 6, step=0.37), "y": values([1.0, -1.0, 0.7, -0.7, 2.0, 0.3])}, nograd=["y"])
    case("remainder", torch.remainder, {"x": ints(6, below=9, low=-9), "y": torch.tensor([2, 3, -4, 5, -2, 7])}, grad=False)
    case("floorDivide", torch.floor_divide, {"x": ints(6, below=9, low=-9), "y": torch.tensor([2, 3, -4, 5, -2, 7])}, grad=False)
    case("floorDivide", torch.floor_divide, {"x": values([5.5, -5.5, 7.2]), "y": values([2.0, 2.0, -1.5])}, grad=False)
    for op in ["eq", "ne", "lt", "le", "gt", "ge"]:
        case(op, getattr(torch, op), {"x": values([[1.0, 2.0, NAN], [3.0, -1.0, INF]]), "y": values([1.0, 3.0, NAN])}, grad=False)
        case(op, getattr(torch, op), {"x": ints(2, 3, below=3), "y": ints(3, below=3)}, grad=False)
    for op in ["logical_and", "logical_or", "logical_xor"]:
        camel = op[:7] + op[8:].capitalize()
        case(camel, getattr(torch, op), {"x": ints(2, 3, below=2).bool(), "y": ints(3, below=2).bool()}, grad=False)
    case("maximum", torch.maximum, {"x": values([1.0, 2.0, 3.0]), "y": values([1.0, 5.0, 0.0])}, name="maximum with a tie")
    case("where", torch.where, {"x0": ints(2, 3, below=2).bool(), "x1": normal(2, 3), "x2": normal(3)})
    case("where", torch.where, {"x0": ints(4, 1, below=2).bool(), "x1": normal(1, 3), "x2": normal()})
    case("addcmul", torch.addcmul, {"x0": normal(2, 3), "x1": normal(2, 3), "x2": normal(3)}, {"value": 0.5})
    case("addcdiv", torch.addcdiv, {"x0": normal(2, 3), "x1": normal(2, 3), "x2": uniform(3, low=0.5, high=2)}, {"value": 0.5})


def reductions():
    axes = [{}, {"dim": 0}, {"dim": -1, "keepdim": True}, {"dim": [0, 2]}, {"dim": [-1, -2], "keepdim": True}]
    for options in axes:
        for op in ["sum", "mean", "amax", "amin"]:
            case(op, getattr(torch, op), {"x": distinct(2, 3, 4)}, options)
        case("logsumexp", lambda x, dim=(0, 1, 2), keepdim=False: torch.logsumexp(x, dim, keepdim), {"x": normal(2, 3, 4)}, options)
        for correction in [1, 0]:
            for op in ["var", "std"]:
                case(op, getattr(torch, op), {"x": normal(2, 3, 4)}, {**options, "correction": correction})
        for p in [2, 1, 3, INF]:
            case("norm", lambda x, p, dim=None, keepdim=False: torch.linalg.vector_norm(x, p, dim, keepdim),
                 {"x": distinct(2, 3, 4)}, {"p": p, **options})
    case("logsumexp", torch.logsumexp, {"x": values([[1e4, 1e4, -1e4], [-INF, 1.0, 2.0]])}, {"dim": 1}, name="logsumexp of large numbers")
    case("logsumexp", torch.logsumexp, {"x": values([-INF, -INF])}, {"dim": 0}, grad=False, name="logsumexp of -Infinity")
    case("sum", torch.sum, {"x": ints(2, 3, below=9)}, {"dim": 1}, grad=False)
    case("sum", torch.sum, {"x": normal(2, 0, 3)}, {"dim": 1}, name="sum over an empty axis")
    for options in [{}, {"dim": 1}, {"dim": -1, "keepdim": True}]:
        case("prod", torch.prod, {"x": normal(2, 3, 4)}, options)
        case("argmax", torch.argmax, {"x": distinct(2, 3, 4)}, options, grad=False)
        case("argmin", torch.argmin, {"x": distinct(2, 3, 4)}, options, grad=False)
    case("prod", torch.prod, {"x": values([[2.0, 0.0, 3.0], [0.0, 0.0, 1.0], [1.5, 2.0, -1.0]])}, {"dim": 1}, name="prod with zeros")
    case("max", torch.max, {"x": distinct(3, 4)}, {"dim": 1})
    case("min", torch.min, {"x": distinct(3, 4)}, {"dim": 0, "keepdim": True})
    case("amax", torch.amax, {"x": values([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])}, {"dim": 1}, name="amax with ties (gradient shared evenly)")
    case("argmax", torch.argmax, {"x": values([1.0, 3.0, 3.0])}, {"dim": 0}, grad=False, name="argmax with a tie (first)")
    case("any", torch.any, {"x": ints(2, 3, below=2).bool()}, {"dim": 1}, grad=False)
    case("all", torch.all, {"x": ints(2, 3, below=2).bool()}, {"dim": 0}, grad=False)
    for dim in [0, 1, -1]:
        case("cumsum", torch.cumsum, {"x": normal(2, 3, 4)}, {"dim": dim})
        case("cumprod", torch.cumprod, {"x": normal(2, 3, 4)}, {"dim": dim})
    case("cumprod", torch.cumprod, {"x": values([[2.0, 0.0, 3.0, 0.0, 1.0]])}, {"dim": 1}, name="cumprod with zeros")
    case("logcumsumexp", torch.logcumsumexp, {"x": normal(2, 4)}, {"dim": 1})
    case("median", lambda x, dim: torch.median(x, dim).values, {"x": distinct(3, 4)}, {"dim": 1}, grad=False, name="median values dim=1")


def products():
    for a, b in [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((5, 2, 3), (3,)),
                 ((3,), (5, 3, 4)), ((2, 3), (5, 3, 4)), ((5, 2, 3), (5, 3, 4)), ((5, 1, 2, 3), (4, 3, 2)), ((2, 1, 2, 3), (1, 3, 3, 4))]:
        case("matmul", torch.matmul, {"x": normal(*a), "y": normal(*b)})
    equations = {
        "ij,jk->ik": [(2, 3), (3, 4)], "ij,jk": [(2, 3), (3, 4)], "ij->ji": [(2, 3)], "ij->": [(2, 3)], "ii->i": [(3, 3)], "ii": [(3, 3)],
        "bij,bjk->bik": [(2, 3, 2), (2, 2, 3)], "i,j->ij": [(2,), (3,)], "bhqd,bhkd->bhqk": [(2, 2, 3, 2), (2, 2, 4, 2)],
        "...ij,...jk->...ik": [(2, 1, 2, 3), (3, 3, 2)], "bn,anm,bm->ba": [(2, 3), (2, 3, 4), (2, 4)], "ijk,k->ij": [(2, 3, 2), (2,)],
        "ij,ij->ij": [(2, 3), (2, 3)], "ijk->k": [(2, 3, 2)],
    }
    for equation, shapes in equations.items():
        case("einsum", lambda *t, equation: torch.einsum(equation, *t), {f"x{i}": normal(*s) for i, s in enumerate(shapes)}, {"equation": equation})
    case("linear", F.linear, {"x": normal(2, 3, 4), "weight": normal(5, 4), "bias": normal(5)})
    case("linear", F.linear, {"x": normal(2, 4), "weight": normal(5, 4)})
    case("linear", F.linear, {"x": normal(4), "weight": normal(5, 4), "bias": normal(5)})
    case("bilinear", F.bilinear, {"x": normal(3, 2), "y": normal(3, 4), "weight": normal(2, 2, 4), "bias": normal(2)})
    case("outer", torch.outer, {"x": normal(2), "y": normal(3)})
    case("cosineSimilarity", F.cosine_similarity, {"x": normal(3, 4), "y": normal(3, 4)}, {"dim": 1})
    case("normalize", F.normalize, {"x": normal(3, 4)}, {"p": 2, "dim": 1})
    case("cdist", torch.cdist, {"x": normal(3, 4), "y": normal(2, 4)})


def indexing():
    x = {"x": normal(4, 5, 3)}
    case("slice", lambda x, starts, ends, steps: x[tuple(slice(*s) for s in zip(starts, ends, steps))], x, {"starts": [1, 0, 0], "ends": [3, 5, 3], "steps": [1, 2, 1]})
    case("slice", lambda x, starts, ends, steps: x[tuple(slice(*s) for s in zip(starts, ends, steps))], x, {"starts": [-3, 1, 0], "ends": [-1, -1, 2], "steps": [1, 3, 1]})
    case("narrow", torch.narrow, x, {"dim": 1, "start": 2, "length": 2})
    case("select", torch.select, x, {"dim": 1, "index": -2})
    case("gather", torch.gather, {**x, "index": ints(4, 2, 3, below=5)}, {"dim": 1})
    case("gather", torch.gather, {"x": normal(3, 4), "index": ints(2, 4, below=3)}, {"dim": -2})
    case("scatterAdd", torch.scatter_add, {"x": normal(3, 5), "index": ints(2, 5, below=3), "src": normal(2, 5)}, {"dim": 0})
    case("scatterAdd", torch.scatter_add, {"x": normal(3, 4), "index": ints(3, 6, below=4), "src": normal(3, 6)}, {"dim": -1})
    case("scatter", torch.scatter, {"x": normal(3, 4), "index": torch.tensor([[0, 2], [3, 1], [1, 0]]), "src": normal(3, 2)}, {"dim": 1})
    case("indexSelect", torch.index_select, {**x, "index": torch.tensor([2, 0, 2, 1])}, {"dim": 1})
    case("indexAdd", torch.index_add, {"x": normal(3, 4), "index": torch.tensor([2, 0, 2]), "source": normal(3, 4)}, {"dim": 0})
    case("maskedFill", torch.masked_fill, {"x": normal(2, 3), "mask": ints(2, 3, below=2).bool()}, {"value": -5.0})
    case("takeAlongDim", torch.take_along_dim, {"x": normal(3, 4), "indices": ints(3, 2, below=4)}, {"dim": 1})
    case("oneHot", F.one_hot, {"x": ints(2, 3, below=4)}, {"numClasses": 4}, grad=False)
    for dim in [0, 1, -1]:
        shapes = [[2, 2, 2], [2, 2, 2], [2, 2, 2]]
        shapes[1][dim] = 3
        case("cat", lambda *t, dim: torch.cat(t, dim), {f"x{i}": normal(*s) for i, s in enumerate(shapes)}, {"dim": dim})
        case("stack", lambda *t, dim: torch.stack(t, dim), {f"x{i}": normal(2, 3) for i in range(3)}, {"dim": dim})
        case("unbind", torch.unbind, {"x": normal(2, 3, 2)}, {"dim": dim})
        case("flip", lambda x, dims: torch.flip(x, dims), {"x": normal(2, 3, 2)}, {"dims": [dim]})
    case("flip", torch.flip, {"x": normal(2, 3, 2)}, {"dims": [0, 2]})
    case("split", lambda x, sizes, dim: torch.split(x, sizes, dim), {"x": normal(2, 5)}, {"sizes": 2, "dim": 1})
    case("split", lambda x, sizes, dim: torch.split(x, sizes, dim), {"x": normal(2, 6)}, {"sizes": [1, 3, 2], "dim": -1})
    case("chunk", torch.chunk, {"x": normal(7, 2)}, {"chunks": 3, "dim": 0})
    for pad in [[1, 2], [1, 0, 2, 1], [-1, 1], [0, -1, 1, 1], [1, 1, 0, 0, 2, 0]]:
        case("pad", F.pad, {"x": normal(2, 3, 4)}, {"pad": pad, "mode": "constant", "value": 0.5})
    for mode in ["reflect", "replicate", "circular"]:
        case("pad", F.pad, {"x": normal(2, 3, 4)}, {"pad": [2, 1], "mode": mode})
        case("pad", F.pad, {"x": normal(1, 2, 3, 4)}, {"pad": [2, 1, 1, 2], "mode": mode})
        case("pad", F.pad, {"x": normal(1, 1, 3, 3, 3)}, {"pad": [1, 2, 1, 0, 0, 1], "mode": mode})
    for shifts, dims in [([1], [0]), ([-1], [1]), ([2, -1], [0, 2]), ([7], [-1])]:
        case("roll", torch.roll, {"x": normal(3, 4, 2)}, {"shifts": shifts, "dims": dims})
    case("roll", torch.roll, {"x": normal(3, 4)}, {"shifts": [5]}, name="roll of the flattened tensor shifts=5")
    for diagonal in [0, 1, -1]:
        for op in ["tril", "triu"]:
            case(op, getattr(torch, op), {"x": normal(2, 3, 4)}, {"diagonal": diagonal})
            case(op, getattr(torch, op), {"x": normal(4, 2)}, {"diagonal": diagonal})
    case("diagonal", torch.diagonal, {"x": normal(2, 3, 4)}, {"offset": 1, "dim1": 1, "dim2": 2})
    case("diag", torch.diag, {"x": normal(3)}, {"diagonal": 0})
    case("diag", torch.diag, {"x": normal(3, 4)}, {"diagonal": 1})
    for options in [{"k": 2}, {"k": 2, "dim": 0}, {"k": 3, "dim": -1, "largest": False}]:
        case("topk", torch.topk, {"x": distinct(3, 4)}, options)
    for options in [{}, {"dim": 0}, {"dim": -1, "descending": True}]:
        case("sort", torch.sort, {"x": distinct(3, 4)}, options)
        case("argsort", torch.argsort, {"x": distinct(3, 4)}, options, grad=False)
    case("reshape", torch.reshape, {"x": normal(2, 6)}, {"shape": [3, -1, 2]})
    case("flatten", torch.flatten, {"x": normal(2, 3, 2, 2)}, {"startDim": 1, "endDim": -2})
    case("permute", torch.permute, {"x": normal(2, 3, 4)}, {"dims": [2, 0, -2]})
    case("transpose", torch.transpose, {"x": normal(2, 3, 4)}, {"dim0": 0, "dim1": -1}, snake_options=False)
    case("squeeze", torch.squeeze, {"x": normal(1, 3, 1, 2)}, {"dim": 2})
    case("unsqueeze", torch.unsqueeze, {"x": normal(3, 2)}, {"dim": -1})
    case("expand", lambda x, sizes: x.expand(sizes), {"x": normal(2, 1, 3)}, {"sizes": [4, -1, 2, 3]})
    case("tile", torch.tile, {"x": normal(2, 3)}, {"dims": [2, 1, 2]})
    case("repeatInterleave", torch.repeat_interleave, {"x": normal(2, 3)}, {"repeats": 2, "dim": 1})
    case("movedim", torch.movedim, {"x": normal(2, 3, 4)}, {"source": 0, "destination": -1})
    case("unfold", F.unfold, {"x": normal(1, 2, 4, 5)}, {"kernelSize": [2, 3], "padding": 1, "stride": 2})
    case("fold", F.fold, {"x": normal(1, 8, 4)}, {"outputSize": [3, 3], "kernelSize": 2})
    case("pixelShuffle", F.pixel_shuffle, {"x": normal(1, 8, 2, 3)}, {"upscaleFactor": 2})
    case("pixelUnshuffle", F.pixel_unshuffle, {"x": normal(1, 2, 4, 2)}, {"downscaleFactor": 2})


def activations():
    for dim in [0, 1, -1]:
        for op, fn in [("softmax", F.softmax), ("logSoftmax", F.log_softmax), ("softmin", F.softmin)]:
            case(op, fn, {"x": normal(2, 3, 4)}, {"dim": dim})
    case("softmax", F.softmax, {"x": values([[1e4, 1e4 - 1, -INF], [-1e4, 0.0, 1.0]])}, {"dim": 1}, name="softmax of large numbers")
    case("logSoftmax", F.log_softmax, {"x": values([[1e4, 1e4 - 1, -1e4], [-1e4, 0.0, 1.0]])}, {"dim": 1}, name="logSoftmax of large numbers")
    table = {
        "relu": [{}], "relu6": [{}], "leakyRelu": [{}, {"negativeSlope": 0.2}], "elu": [{}, {"alpha": 0.5}], "selu": [{}], "celu": [{}, {"alpha": 0.5}],
        "gelu": [{}, {"approximate": "tanh"}], "silu": [{}], "mish": [{}], "softplus": [{}, {"beta": 2.0, "threshold": 3.0}],
        "softsign": [{}], "hardswish": [{}], "hardsigmoid": [{}], "hardtanh": [{}, {"minVal": -0.5, "maxVal": 1.5}], "tanhshrink": [{}],
        "softshrink": [{}, {"lambd": 0.8}], "hardshrink": [{}, {"lambd": 0.8}], "threshold": [{"threshold": 0.1, "value": -2.0}],
        "logsigmoid": [{}], "sigmoid": [{}], "tanh": [{}],
    }
    for op, rows in table.items():
        fn = {"leakyRelu": F.leaky_relu}.get(op) or getattr(F, op, None) or getattr(torch, op)
        for options in rows:
            case(op, fn, {"x": distinct(4, 5, step=0.41)}, options)
    case("logsigmoid", F.logsigmoid, {"x": values([-200.0, -30.0, 0.0, 30.0, 200.0])}, name="logsigmoid of large numbers")
    case("softplus", F.softplus, {"x": values([-200.0, -30.0, 0.0, 30.0, 200.0])}, name="softplus of large numbers")
    for op in ["relu", "relu6", "hardtanh", "gelu", "silu", "elu", "softsign"]:
        case(op, getattr(F, op), {"x": values([0.0, -0.0, 6.0, -1.0, 1.0])}, name=f"{op} at its kinks")
    case("prelu", F.prelu, {"x": normal(2, 3, 2), "weight": values([0.25, -0.1, 0.6])})
    case("prelu", F.prelu, {"x": normal(2, 3), "weight": values([0.25])})
    for dim in [-1, 0]:
        case("glu", F.glu, {"x": normal(4, 2, 6)}, {"dim": dim})


def convolutions():
    size = {1: (7,), 2: (6, 5), 3: (4, 5, 4)}
    for n, fn in [(1, F.conv1d), (2, F.conv2d), (3, F.conv3d)]:
        rows = [{}, {"stride": 2, "padding": 1}, {"padding": 2, "dilation": 2}, {"groups": 2, "padding": 1}, {"padding": "same"}, {"padding": "same", "dilation": 2}]
        if n == 2:
            rows += [{"stride": [2, 1], "padding": [0, 2], "dilation": [1, 2]}, {"groups": 4, "stride": 2, "padding": 1}, {"stride": 3}]
        if n == 3:
            rows = rows[:5]
        for options in rows:
            groups = options.get("groups", 1)
            inside, outside = (4, 4) if groups > 1 else (2, 3)
            k = (3,) * n if n < 3 or options.get("padding") else (2, 3, 1)
            x = normal(2 if n < 3 else 1, inside, *size[n])
            case(f"conv{n}d", fn, {"x": x, "weight": normal(outside, inside // groups, *k), "bias": normal(outside)}, options)
    case("conv2d", F.conv2d, {"x": normal(1, 3, 4, 4), "weight": normal(5, 3, 1, 1)}, {})
    case("conv2d", F.conv2d, {"x": normal(1, 2, 5, 5), "weight": normal(2, 2, 5, 5)}, {"padding": 2})
    case("conv2d", F.conv2d, {"x": normal(1, 2, 6, 6), "weight": normal(2, 2, 4, 2)}, {"padding": "same"})
    for n, fn in [(1, F.conv_transpose1d), (2, F.conv_transpose2d), (3, F.conv_transpose3d)]:
        rows = [{}, {"stride": 2, "padding": 1, "outputPadding": 1}, {"dilation": 2}, {"groups": 2, "stride": 2}]
        if n == 2:
            rows += [{"stride": [2, 3], "padding": [1, 0], "outputPadding": [1, 2]}]
        if n == 3:
            rows = rows[:2]
        for options in rows:
            groups = options.get("groups", 1)
            inside = 4 if groups > 1 else 2
            k = (3,) * n if n < 3 else (2, 3, 2)
            x = normal(2 if n < 3 else 1, inside, *((3,) if n == 1 else (3, 4) if n == 2 else (2, 3, 2)))
            case(f"convTranspose{n}d", fn, {"x": x, "weight": normal(inside, 2, *k), "bias": normal(2 * groups)}, options)


def pooling():
    size = {1: (7,), 2: (6, 7), 3: (4, 5, 4)}
    for n in [1, 2, 3]:
        maxima = [{"kernelSize": 2}, {"kernelSize": 3, "stride": 2, "padding": 1}, {"kernelSize": 2, "stride": 2, "ceilMode": True}, {"kernelSize": 2, "stride": 1, "dilation": 2}]
        means = [{"kernelSize": 2}, {"kernelSize": 3, "stride": 2, "padding": 1}, {"kernelSize": 3, "stride": 2, "padding": 1, "countIncludePad": False},
                 {"kernelSize": 2, "stride": 2, "ceilMode": True}, {"kernelSize": 3, "stride": 2, "padding": 1, "ceilMode": True, "countIncludePad": False}]
        if n == 2:
            maxima += [{"kernelSize": [3, 2], "stride": [1, 2], "padding": [1, 0]}]
            means += [{"kernelSize": [3, 2], "stride": [1, 2], "padding": [1, 0]}, {"kernelSize": 2, "divisorOverride": 3}]
        lead = (2, 2) if n < 3 else (1, 1)
        for options in maxima:
            case(f"maxPool{n}d", getattr(F, f"max_pool{n}d"), {"x": distinct(*lead, *size[n])}, options)
        for options in means:
            case(f"avgPool{n}d", getattr(F, f"avg_pool{n}d"), {"x": normal(*lead, *size[n])}, options)
        for target in [1, 3, list(size[n])[:-1] + [2], 2]:
            case(f"adaptiveAvgPool{n}d", getattr(F, f"adaptive_avg_pool{n}d"), {"x": normal(*lead, *size[n])}, {"outputSize": target})
            case(f"adaptiveMaxPool{n}d", getattr(F, f"adaptive_max_pool{n}d"), {"x": distinct(*lead, *size[n])}, {"outputSize": target})
    case("maxPool2d", F.max_pool2d, {"x": distinct(2, 2, 4, 4)}, {"kernelSize": 2, "returnIndices": True})
    case("maxPool2d", F.max_pool2d, {"x": torch.zeros(1, 1, 4, 4)}, {"kernelSize": 2}, name="maxPool2d with ties (first wins)")
    case("lpPool2d", F.lp_pool2d, {"x": uniform(1, 2, 4, 4, low=0.2)}, {"normType": 2, "kernelSize": 2})


def resizing():
    rows = [{"scaleFactor": 2}, {"size": [5, 7]}, {"size": [2, 3]}, {"scaleFactor": [1.5, 2]}]
    for mode in ["nearest", "nearest-exact", "bilinear", "bicubic", "area"]:
        for options in rows:
            for corners in [False, True] if mode.startswith("bi") else [None]:
                case("interpolate", F.interpolate, {"x": normal(1, 2, 4, 4)},
                     {**options, "mode": mode, **({} if corners is None else {"alignCorners": corners})})
    case("interpolate", F.interpolate, {"x": normal(1, 2, 4, 6)}, {"scaleFactor": 0.5, "mode": "bilinear", "alignCorners": False})
    case("interpolate", F.interpolate, {"x": normal(1, 2, 3, 3)}, {"scaleFactor": 2.5, "mode": "bilinear", "recomputeScaleFactor": True})
    case("interpolate", F.interpolate, {"x": normal(1, 2, 5)}, {"size": 8, "mode": "nearest"})
    for corners in [False, True]:
        case("interpolate", F.interpolate, {"x": normal(1, 2, 5)}, {"size": 8, "mode": "linear", "alignCorners": corners})
        case("interpolate", F.interpolate, {"x": normal(1, 1, 2, 3, 2)}, {"scaleFactor": 2, "mode": "trilinear", "alignCorners": corners})
        for mode in ["bilinear", "nearest"]:
            for padding in ["zeros", "border", "reflection"]:
                case("gridSample", F.grid_sample, {"x": normal(1, 2, 3, 4), "grid": uniform(1, 2, 3, 2, low=-1.3, high=1.3)},
                     {"mode": mode, "paddingMode": padding, "alignCorners": corners})
        case("affineGrid", lambda theta, size, align_corners: F.affine_grid(theta, size, align_corners), {"theta": normal(2, 2, 3)}, {"size": [2, 1, 3, 4], "alignCorners": corners})


def norms():
    affine = lambda *s: {"weight": normal(*s), "bias": normal(*s)}
    for shape, axes in [((2, 3, 4), [4]), ((2, 3, 4), [3, 4]), ((5, 6), [6])]:
        case("layerNorm", F.layer_norm, {"x": normal(*shape), **affine(*axes)}, {"normalizedShape": axes})
    case("layerNorm", F.layer_norm, {"x": normal(3, 5)}, {"normalizedShape": [5], "eps": 0.1})
    case("layerNorm", F.layer_norm, {"x": normal(3, 5), "weight": normal(5)}, {"normalizedShape": [5]}, name="layerNorm without bias")
    case("rmsNorm", F.rms_norm, {"x": normal(2, 3, 4), "weight": normal(4)}, {"normalizedShape": [4], "eps": 1e-6})
    case("rmsNorm", F.rms_norm, {"x": normal(3, 4)}, {"normalizedShape": [4], "eps": 1e-2})

    def batch_norm(x, running_mean, running_var, weight=None, bias=None, **options):
        output = F.batch_norm(x, running_mean, running_var, weight, bias, **options)
        return {"output": output, "runningMean": running_mean, "runningVar": running_var}

    for shape in [(4, 3), (2, 3, 4), (2, 3, 2, 3), (2, 3, 2, 1, 2)]:
        running = lambda: {"runningMean": normal(3), "runningVar": uniform(3, low=0.5, high=2)}
        for training in [True, False]:
            case("batchNorm", batch_norm, {"x": normal(*shape), **running(), **affine(3)}, {"training": training, "momentum": 0.3, "eps": 1e-3}, nograd=["runningMean", "runningVar"])
        case("instanceNorm", F.instance_norm, {"x": normal(*shape), **affine(3)}) if math.prod(shape[2:]) > 1 else None
    case("batchNorm", batch_norm, {"x": normal(4, 3), "runningMean": normal(3), "runningVar": uniform(3, low=0.5, high=2)}, {"training": True}, nograd=["runningMean", "runningVar"], name="batchNorm without weight and bias")
    for groups in [1, 2, 4]:
        case("groupNorm", F.group_norm, {"x": normal(2, 4, 3), **affine(4)}, {"numGroups": groups})
    case("groupNorm", F.group_norm, {"x": normal(2, 4, 2, 2)}, {"numGroups": 2, "eps": 1e-2})
    case("localResponseNorm", F.local_response_norm, {"x": normal(2, 5, 3)}, {"size": 3})


def lookups_and_attention():
    case("embedding", F.embedding, {"x": ints(2, 5, below=6), "weight": normal(6, 3)})
    case("embedding", F.embedding, {"x": torch.tensor([[0, 2, 2], [5, 2, 0]]), "weight": normal(6, 3)}, {"paddingIdx": 2})
    case("embedding", F.embedding, {"x": torch.tensor([1, 5, 1]), "weight": normal(6, 3)}, {"paddingIdx": -1})
    q = lambda n, d=4: normal(2, 2, n, d)
    sdpa = F.scaled_dot_product_attention
    case("scaledDotProductAttention", sdpa, {"query": q(3), "key": q(5), "value": q(5, 3)})
    case("scaledDotProductAttention", sdpa, {"query": q(4), "key": q(4), "value": q(4)}, {"isCausal": True})
    case("scaledDotProductAttention", sdpa, {"query": q(3), "key": q(5), "value": q(5)}, {"isCausal": True})
    case("scaledDotProductAttention", sdpa, {"query": q(3), "key": q(5), "value": q(5)}, {"scale": 0.3})
    case("scaledDotProductAttention", sdpa, {"query": q(3), "key": q(5), "value": q(5), "attnMask": normal(3, 5)})
    keep = torch.tensor([[True, True, False, True, True], [False, True, True, False, True], [True, False, False, False, False]])
    case("scaledDotProductAttention", sdpa, {"query": q(3), "key": q(5), "value": q(5), "attnMask": keep}, name="scaledDotProductAttention boolean mask")
    case("scaledDotProductAttention", sdpa, {"query": normal(3, 4), "key": normal(5, 4), "value": normal(5, 4)}, name="scaledDotProductAttention 2-D")


def further():
    bag = lambda x, weight, offsets=None, per_sample_weights=None, **o: F.embedding_bag(x, weight, offsets if offsets is None else torch.tensor(offsets), per_sample_weights=per_sample_weights, **o)
    for mode in ["mean", "sum", "max"]:
        case("embeddingBag", bag, {"x": torch.tensor([[0, 2, 5], [5, 2, 1]]), "weight": normal(6, 3)}, {"mode": mode})
        case("embeddingBag", bag, {"x": torch.tensor([0, 2, 2, 5, 1, 4]), "weight": normal(6, 3)}, {"mode": mode, "offsets": [0, 3, 3, 5]})
        case("embeddingBag", bag, {"x": torch.tensor([[0, 2, 5], [2, 2, 2]]), "weight": normal(6, 3)}, {"mode": mode, "paddingIdx": 2})
    case("embeddingBag", bag, {"x": torch.tensor([[0, 2, 5], [5, 2, 1]]), "weight": normal(6, 3), "perSampleWeights": normal(2, 3)}, {"mode": "sum"})
    for options in [{}, {"p": 1.0}, {"p": 3.0, "keepdim": True}]:
        case("pairwiseDistance", F.pairwise_distance, {"x": normal(3, 4), "y": normal(3, 4)}, options)
    case("cdist", torch.cdist, {"x": normal(2, 3, 4), "y": normal(2, 5, 4)}, {"p": 1.0})
    case("normalize", F.normalize, {"x": normal(2, 3, 4)}, {"p": 1.0, "dim": -1})
    case("cosineSimilarity", F.cosine_similarity, {"x": normal(2, 3, 4), "y": normal(3, 4)}, {"dim": -1})
    case("lpPool1d", F.lp_pool1d, {"x": uniform(2, 2, 7, low=0.2)}, {"normType": 3, "kernelSize": 3, "stride": 2})
    case("channelShuffle", F.channel_shuffle, {"x": normal(1, 6, 2, 2)}, {"groups": 3})
    case("unfold", F.unfold, {"x": normal(2, 1, 5, 5)}, {"kernelSize": 2, "dilation": 2})
    case("fold", F.fold, {"x": normal(1, 12, 9)}, {"outputSize": [4, 5], "kernelSize": [2, 3], "padding": 1, "stride": [2, 2], "dilation": 1})
    case("conv2d", F.conv2d, {"x": normal(3, 5, 5), "weight": normal(2, 3, 3, 3)}, {}, name="conv2d without a batch axis")
    case("convTranspose2d", F.conv_transpose2d, {"x": normal(2, 3, 3), "weight": normal(2, 3, 3, 3)}, {"stride": 2}, name="convTranspose2d without a batch axis")
    case("maxPool2d", F.max_pool2d, {"x": distinct(2, 5, 5)}, {"kernelSize": 3, "stride": 2, "padding": 1, "returnIndices": True}, name="maxPool2d without a batch axis, with indices")
    case("adaptiveAvgPool2d", F.adaptive_avg_pool2d, {"x": normal(1, 2, 5, 6)}, {"outputSize": [None, 3]})
    case("instanceNorm", lambda x, running_mean, running_var, weight, bias, **o: F.instance_norm(x, running_mean, running_var, weight, bias, **o),
         {"x": normal(2, 3, 4), "runningMean": normal(3), "runningVar": uniform(3, low=0.5), "weight": normal(3), "bias": normal(3)}, {"useInputStats": False},
         nograd=["runningMean", "runningVar"], name="instanceNorm with running statistics")
    case("scaledDotProductAttention", F.scaled_dot_product_attention, {"query": normal(1, 4, 3, 4), "key": normal(1, 2, 5, 4), "value": normal(1, 2, 5, 4)}, {"enableGqa": True})
    batched_mask = torch.tensor([[[[True, True, False]]], [[[True, False, False]]]])
    case("scaledDotProductAttention", F.scaled_dot_product_attention, {"query": normal(2, 2, 4, 4), "key": normal(2, 2, 3, 4), "value": normal(2, 2, 3, 4), "attnMask": batched_mask}, name="scaledDotProductAttention with a padding mask")
    case("logaddexp", torch.logaddexp, {"x": normal(2, 3), "y": normal(3)})
    case("erfc", torch.erfc, {"x": normal(2, 3)})
    case("mm", torch.mm, {"x": normal(2, 3), "y": normal(3, 2)})
    case("bmm", torch.bmm, {"x": normal(2, 2, 3), "y": normal(2, 3, 2)})
    case("mv", torch.mv, {"x": normal(2, 3), "y": normal(3)})
    case("dot", torch.dot, {"x": normal(3), "y": normal(3)})
    case("addmm", torch.addmm, {"x0": normal(2), "x1": normal(2, 3), "x2": normal(3, 2)}, {"alpha": 0.5, "beta": 2.0})
    for equation, shapes in {"ij,kj->ik": [(2, 3), (4, 3)], "bhqd,bhkd->bhqk": [(2, 2, 3, 4), (2, 2, 5, 4)], "...ij,...jk": [(2, 1, 2, 3), (4, 3, 2)], "i,i": [(3,), (3,)],
                             "abc,cd,d->b": [(2, 3, 4), (4, 2), (2,)], "iij->ij": [(3, 3, 2)], "ij,ij->ij": [(2, 3), (2, 3)], "ab,cd->dabc": [(2, 3), (1, 2)]}.items():
        case("einsum", lambda *t, equation: torch.einsum(equation, *t), {f"x{i}": normal(*s) for i, s in enumerate(shapes)}, {"equation": equation})
    case("cummax", lambda x, dim: torch.cummax(x, dim).values, {"x": distinct(3, 5)}, {"dim": 1})
    for op in ["add", "mul", "maximum"]:
        case(op, getattr(torch, op), {"x": ints(2, 3, below=5), "y": normal(3)}, grad=False, name=f"{op} of integers and floats")
    case("prod", torch.prod, {"x": values([[2.0, 0.0], [3.0, 4.0]])}, {}, name="prod of all with a zero")
    case("gridSample", F.grid_sample, {"x": normal(1, 2, 3, 4), "grid": uniform(1, 3, 2, 2, low=-1.2, high=1.2)}, {"mode": "bicubic", "alignCorners": False}, grad=False)
    case("gridSample", F.grid_sample, {"x": normal(1, 1, 3, 3, 2), "grid": uniform(1, 2, 2, 2, 3, low=-1.2, high=1.2)}, {"mode": "bilinear", "alignCorners": True}, grad=False, name="gridSample of volumes")
    case("affineGrid", lambda theta, size, align_corners: F.affine_grid(theta, size, align_corners), {"theta": normal(1, 3, 4)}, {"size": [1, 2, 2, 3, 2], "alignCorners": False})
    case("interpolate", F.interpolate, {"x": normal(1, 1, 2, 3, 2)}, {"size": [3, 2, 4], "mode": "nearest"})
    case("interpolate", F.interpolate, {"x": normal(1, 1, 4, 4, 2)}, {"size": [2, 3, 4], "mode": "area"})
    case("interpolate", F.interpolate, {"x": normal(1, 1, 4, 4)}, {"scaleFactor": 0.6, "mode": "bicubic", "alignCorners": False})
    torch.use_deterministic_algorithms(False)  # max_unpool has no deterministic form, but writes each position once here
    for n, shape in [(1, (2, 2, 8)), (2, (1, 2, 4, 6)), (3, (1, 1, 4, 2, 4))]:
        pooled, indices = getattr(F, f"max_pool{n}d")(distinct(*shape), 2, return_indices=True)
        case(f"maxUnpool{n}d", getattr(F, f"max_unpool{n}d"), {"x": pooled, "indices": indices}, {"kernelSize": 2})
    pooled, indices = F.max_pool2d(distinct(1, 1, 5, 5), 2, return_indices=True)
    case("maxUnpool2d", F.max_unpool2d, {"x": pooled, "indices": indices}, {"kernelSize": 2, "outputSize": [5, 5]})
    torch.use_deterministic_algorithms(True)
    case("interpolate", F.interpolate, {"x": normal(1, 1, 7, 6)}, {"size": [3, 4], "mode": "bilinear", "alignCorners": False, "antialias": True}, grad=False)
    case("interpolate", F.interpolate, {"x": normal(1, 1, 7, 6)}, {"size": [3, 4], "mode": "bicubic", "alignCorners": False, "antialias": True}, grad=False)
    excluding = values([[0.0, -INF, 0.5], [-INF, -INF, -INF], [1.0, 0.0, 0.0]])
    case("scaledDotProductAttention", F.scaled_dot_product_attention, {"query": normal(1, 3, 4), "key": normal(1, 3, 4), "value": normal(1, 3, 4), "attnMask": excluding}, nograd=["attnMask"],
         name="scaledDotProductAttention, a row of the mask all -Infinity")


for family in [unary, binary, reductions, products, indexing, activations, convolutions, pooling, resizing, norms, lookups_and_attention, further]:
    family()
g.write()
