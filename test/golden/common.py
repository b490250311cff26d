"""Shared part of the golden-value generators: random inputs, evaluation, and the JSON form.

Every case is evaluated in float64 on inputs that are exact float32 numbers and rounded to float32 at the end, so that
the only error a test sees is its own. It is also evaluated in float32; a case on which the two differ by more than
1e-3 is refused, because it would test rounding and not the operator.
"""

import json
import math
import re
import warnings
from pathlib import Path

import numpy as np
import torch

SEED = 20261123
rng = np.random.default_rng(SEED)
torch.set_num_threads(1)
warnings.filterwarnings("ignore")
torch.use_deterministic_algorithms(True)


def from_numpy(a):
    """A float32 tensor of numbers with at most 4 decimals (short in JSON)."""
    return torch.tensor(np.round(a, 4), dtype=torch.float32)


def normal(*shape, scale=1.0):
    """Normal numbers, none nearer to 0 than 0.02 so that kinks at 0 are not met by chance."""
    a = rng.normal(size=shape) * scale
    return from_numpy(np.where(np.abs(a) < 0.02, 0.05, a))


def uniform(*shape, low=0.0, high=1.0):
    return from_numpy(rng.uniform(low, high, size=shape))


def distinct(*shape, step=0.1):
    """Shuffled, evenly spaced numbers around 0: no ties for pooling, sorting and maxima."""
    n = math.prod(shape)
    return from_numpy(((rng.permutation(n) - n / 2 + 0.25) * step).reshape(shape))


def ints(*shape, below, low=0):
    return torch.tensor(rng.integers(low, below, size=shape), dtype=torch.int64)


def values(*rows):
    return torch.tensor(rows[0] if len(rows) == 1 else rows, dtype=torch.float32)


def snake(name):
    return re.sub(r"(?<=[a-z0-9])[A-Z]", lambda m: "_" + m.group().lower(), name)


def number(v):
    """A float32 as the shortest decimal that rounds back to it; NaN and infinities as strings."""
    v = np.float32(v)
    if np.isnan(v):
        return "NaN"
    if np.isinf(v):
        return "Infinity" if v > 0 else "-Infinity"
    out = float(str(v))
    return int(out) if out == int(out) and abs(out) < 1e9 and not (out == 0 and np.signbit(v)) else out


def tensor_json(t):
    t = t.detach()
    if t.is_floating_point():
        with np.errstate(over="ignore"):
            flat = t.double().flatten().numpy().astype(np.float32)
        return {"dtype": "float32", "shape": list(t.shape), "data": [number(v) for v in flat]}
    dtype = {torch.bool: "bool", torch.int64: "int64", torch.int32: "int32"}[t.dtype]
    return {"dtype": dtype, "shape": list(t.shape), "data": [int(v) for v in t.flatten().tolist()]}


def to_json(v):
    if isinstance(v, torch.Tensor):
        return tensor_json(v)
    if isinstance(v, dict):
        return {k: to_json(x) for k, x in v.items()}
    if isinstance(v, (list, tuple)):
        return [to_json(x) for x in v]
    if isinstance(v, float) and not math.isfinite(v):
        return "NaN" if math.isnan(v) else "Infinity" if v > 0 else "-Infinity"
    return v


def cast(v, dtype):
    return v.to(dtype) if isinstance(v, torch.Tensor) and v.is_floating_point() else v


def named(out):
    """Outputs as a dict, whether the function gave one tensor, several (a dict or a list), or a named tuple."""
    if isinstance(out, torch.Tensor):
        return {"": out}
    if hasattr(out, "_asdict"):
        return dict(out._asdict())
    if hasattr(out, "__structseq_unpacked_fields__") or type(out).__module__ == "torch.return_types":
        fields = [f for f in dir(type(out)) if not f.startswith("_") and f not in ("count", "index")]
        fields = [f for f in fields if isinstance(getattr(out, f), torch.Tensor) and f in ("values", "indices")]
        return {f: getattr(out, f) for f in sorted(fields, reverse=True)}
    if isinstance(out, (list, tuple)):
        return {str(i): t for i, t in enumerate(out)}
    return out


def unnamed(outs):
    return outs[""] if list(outs) == [""] else outs


def positional(name):
    return re.fullmatch(r"[xyz]\d*", name) is not None


def differs(a, b):
    a, b = a.detach().double(), b.detach().double()
    return not torch.allclose(a, b, rtol=1e-3, atol=1e-4, equal_nan=True)


class Golden:
    """Collects the cases of one file. Arguments named x, y, z (x0, x1, ...) are positional, the others keywords."""

    def __init__(self, name):
        self.name, self.cases, self.names = name, [], set()

    def unique(self, name):
        base, n = name, 1
        while name in self.names:
            n += 1
            name = f"{base} #{n}"
        self.names.add(name)
        return name

    def add(self, case):
        self.cases.append({"name": self.unique(case.pop("name")), **case})

    def case(self, op, fn, args, options=None, *, grad=True, nograd=(), name=None, snake_options=True):
        """One call fn(*positional, **keywords, **options); gradients of sum(output * gradOutput) unless grad=False."""
        options = options or {}
        label = name or describe(op, args, options)

        def run(dtype, grad_output):
            tensors = {k: cast(v.clone(), dtype) for k, v in args.items()}
            for k, v in tensors.items():
                if grad and k not in nograd and v.is_floating_point():
                    v.requires_grad_()
            pos = [v for k, v in tensors.items() if positional(k)]
            kw = {snake(k): v for k, v in tensors.items() if not positional(k)}
            opt = {snake(k) if snake_options else k: v for k, v in options.items()}
            outs = named(fn(*pos, **kw, **opt))
            grads, leaves = None, {k: v for k, v in tensors.items() if v.requires_grad}
            smooth = {k: v for k, v in outs.items() if v.requires_grad}
            if leaves and smooth:
                if not grad_output:
                    grad_output.update({k: normal(*v.shape) for k, v in smooth.items()})
                total = sum((v * grad_output[k].to(dtype)).sum() for k, v in smooth.items())
                got = torch.autograd.grad(total, list(leaves.values()), allow_unused=True)
                grads = {k: torch.zeros_like(v) if g is None else g for (k, v), g in zip(leaves.items(), got)}
            return outs, grads

        grad_output = {}
        outs, grads = run(torch.float64, grad_output)
        outs32, grads32 = run(torch.float32, grad_output)
        for k in outs:
            if differs(outs[k], outs32[k]):
                raise AssertionError(f"{label}: output {k} depends on precision\n{outs[k]}\n{outs32[k]}")
        for k in grads or {}:
            if differs(grads[k], grads32[k]):
                raise AssertionError(f"{label}: gradient of {k} depends on precision\n{grads[k]}\n{grads32[k]}")
        case = {"name": label, "op": op, "args": args, "options": options, "output": unnamed(outs)}
        if grads:
            case |= {"gradOutput": unnamed(grad_output), "grads": grads}
        self.add(case)

    def write(self):
        path = Path(__file__).with_name(f"{self.name}.json")
        head = {"generator": f"test/golden/{self.name}.py", "torch": torch.__version__.split("+")[0],
                "numpy": np.__version__, "seed": SEED}
        lines = ",\n".join(json.dumps(to_json(c), separators=(",", ":"), allow_nan=False) for c in self.cases)
        text = json.dumps(head)[:-1] + f', "cases": [\n{lines}\n]}}\n'
        path.write_text(text)
        print(f"{path.name}: {len(self.cases)} cases, {len({c.get('op') for c in self.cases})} operators, {len(text) // 1024} KiB")


def describe(op, args, options):
    shapes = " ".join(f"{k}{list(v.shape)}".replace(" ", "") for k, v in args.items())
    opts = " ".join(f"{k}={json.dumps(to_json(v), separators=(',', ':'))}" for k, v in options.items())
    return " ".join(filter(None, [op, shapes, opts]))
