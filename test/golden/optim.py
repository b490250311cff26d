"""Golden values of optimisers and learning-rate schedules: `python optim.py` writes optim.json.

Ten steps on given gradients for a matrix, a vector and, where the rule depends on it, their norms. Evaluated in float64
and, to be sure that nothing hangs on precision, in float32. Lion and LAMB are not in torch.optim: their formulas are
written out below from the papers.
"""

import warnings

import numpy as np
import torch
from torch.optim import lr_scheduler
from transformers import optimization

from common import Golden, differs, normal, snake

warnings.filterwarnings("ignore")
g = Golden("optim")
STEPS = 10
PARAMS = {"a": normal(3, 2), "b": normal(4)}
GRADS = [{k: normal(*v.shape) for k, v in PARAMS.items()} for _ in range(STEPS)]


class Lion(torch.optim.Optimizer):
    """Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms", algorithm 2."""

    def __init__(self, params, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            lr, (b1, b2), decay = group["lr"], group["betas"], group["weight_decay"]
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                update = (b1 * m + (1 - b1) * p.grad).sign() + decay * p
                p.sub_(lr * update)
                m.mul_(b2).add_((1 - b2) * p.grad)


class Lamb(torch.optim.Optimizer):
    """You et al. 2020, "Large Batch Optimization for Deep Learning", algorithm 2, phi = identity, with bias correction.

    The trust ratio |p| / |update| is taken as 1 where either norm is 0. No clipping of the global gradient norm.
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-6, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            lr, (b1, b2), eps, decay = group["lr"], group["betas"], group["eps"], group["weight_decay"]
            for p in group["params"]:
                s = self.state[p]
                s["t"] = s.get("t", 0) + 1
                s["m"] = b1 * s.get("m", torch.zeros_like(p)) + (1 - b1) * p.grad
                s["v"] = b2 * s.get("v", torch.zeros_like(p)) + (1 - b2) * p.grad**2
                update = s["m"] / (1 - b1 ** s["t"]) / ((s["v"] / (1 - b2 ** s["t"])).sqrt() + eps) + decay * p
                size, length = p.norm().item(), update.norm().item()
                p.sub_(lr * (size / length if size > 0 and length > 0 else 1.0) * update)


def optimizer(op, kind, options, params=None, name=None):
    params = params or PARAMS

    def run(dtype):
        tensors = {k: v.detach().clone().to(dtype).requires_grad_() for k, v in params.items()}
        rule = kind(list(tensors.values()), **{snake(k): v for k, v in options.items()})
        after = []
        for grads in GRADS:
            for k, p in tensors.items():
                p.grad = grads[k].to(dtype)
            rule.step()
            after.append({k: p.detach().clone() for k, p in tensors.items()})
        return after

    after = run(torch.float64)
    for exact, single in zip(after, run(torch.float32)):
        for k in exact:
            assert not differs(exact[k], single[k]), f"{op} {options} depends on precision"
    label = name or " ".join([op, *(f"{k}={v}" for k, v in options.items())])
    g.add({"kind": "optimizer", "name": label, "op": op, "options": options, "params": params, "grads": GRADS, "after": after})


def optimizers():
    o = torch.optim
    for options in [{"lr": 0.1}, {"lr": 0.1, "momentum": 0.9}, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weightDecay": 0.01},
                    {"lr": 0.1, "momentum": 0.9, "dampening": 0.5}, {"lr": 0.1, "weightDecay": 0.1, "maximize": True}]:
        optimizer("sgd", o.SGD, options)
    for options in [{}, {"lr": 0.1, "betas": [0.8, 0.95], "eps": 1e-4, "weightDecay": 0.1}, {"lr": 0.1, "amsgrad": True}]:
        optimizer("adam", o.Adam, options)
        optimizer("adamw", o.AdamW, options)
    for options in [{}, {"lr": 0.1, "lrDecay": 0.1, "weightDecay": 0.1, "initialAccumulatorValue": 0.5, "eps": 1e-5}]:
        optimizer("adagrad", o.Adagrad, options)
    for options in [{}, {"lr": 0.05, "alpha": 0.9, "momentum": 0.9}, {"lr": 0.05, "alpha": 0.9, "centered": True, "eps": 1e-3, "weightDecay": 0.1},
                    {"lr": 0.02, "alpha": 0.8, "centered": True, "momentum": 0.5, "eps": 1e-3}]:
        optimizer("rmsprop", o.RMSprop, options)
    for options in [{}, {"lr": 0.5, "rho": 0.8, "eps": 1e-3, "weightDecay": 0.1}]:
        optimizer("adadelta", o.Adadelta, options)
    for options in [{}, {"lr": 0.05, "betas": [0.8, 0.95], "weightDecay": 0.1, "momentumDecay": 0.01}, {"lr": 0.05, "weightDecay": 0.1, "decoupledWeightDecay": True}]:
        optimizer("nadam", o.NAdam, options)
    for options in [{}, {"lr": 0.05, "betas": [0.8, 0.95], "weightDecay": 0.1}, {"lr": 0.05, "weightDecay": 0.1, "decoupledWeightDecay": True}]:
        optimizer("radam", o.RAdam, options)
    for options in [{}, {"lr": 0.05, "betas": [0.8, 0.95], "weightDecay": 0.1}]:
        optimizer("adamax", o.Adamax, options)
    for options in [{}, {"lr": 0.05, "betas": [0.8, 0.95], "weightDecay": 0.1}]:
        optimizer("lion", Lion, options)
    for options in [{}, {"lr": 0.05, "betas": [0.8, 0.95], "weightDecay": 0.1}]:
        optimizer("lamb", Lamb, options)
    optimizer("lamb", Lamb, {"lr": 0.05}, {"a": torch.zeros(3, 2), "b": PARAMS["b"]}, name="lamb with a parameter of norm 0")
    # torch.optim.Adafactor: eps[0] is by default the epsilon of the dtype, so it is given.
    eps = [float(np.finfo(np.float32).eps), 1e-3]
    for options in [{"eps": eps}, {"lr": 0.1, "eps": eps, "weightDecay": 0.1, "d": 1.2, "beta2Decay": -0.5}]:
        optimizer("adafactor", o.Adafactor, options)


BASE_LR = 0.2


def schedule(op, kind, options, steps=24, *, metrics=None, optimizer=None, base=BASE_LR, cycled=None, name=None):
    rule = optimizer or torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=base)
    scheduler = kind(rule, **{snake(k): v for k, v in options.items()})
    lr, momentum = [], []
    for i in range(steps):
        group = rule.param_groups[0]
        lr.append(float(group["lr"]))
        if cycled:
            momentum.append(float(group["betas"][0] if cycled == "betas" else group["momentum"]))
        rule.step()
        scheduler.step(*([metrics[i]] if metrics else []))
    label = name or " ".join([op, *(f"{k}={v}" for k, v in options.items())])
    g.add({"kind": "schedule", "name": label, "op": op, "options": options, "baseLr": base, "lr": lr,
           **({"momentum": momentum} if momentum else {}), **({"metrics": metrics} if metrics else {})})


def schedules():
    s = lr_scheduler
    schedule("stepLR", s.StepLR, {"stepSize": 5})
    schedule("stepLR", s.StepLR, {"stepSize": 4, "gamma": 0.5})
    schedule("multiStepLR", s.MultiStepLR, {"milestones": [3, 8, 15], "gamma": 0.3})
    schedule("exponentialLR", s.ExponentialLR, {"gamma": 0.9})
    schedule("constantLR", s.ConstantLR, {"factor": 0.25, "totalIters": 5})
    schedule("polynomialLR", s.PolynomialLR, {"totalIters": 10, "power": 2.0})
    cosine = lambda o, t_max, eta_min=0.0: s.CosineAnnealingLR(o, t_max, eta_min)
    schedule("cosineAnnealingLR", cosine, {"tMax": 10}, name="cosineAnnealingLR past its end", steps=12)
    schedule("cosineAnnealingLR", cosine, {"tMax": 20, "etaMin": 0.01}, steps=21)
    schedule("cosineAnnealingWarmRestarts", lambda o, t0, t_mult=1, eta_min=0.0: s.CosineAnnealingWarmRestarts(o, t0, t_mult, eta_min), {"t0": 4, "tMult": 2, "etaMin": 0.02})
    schedule("cosineAnnealingWarmRestarts", lambda o, t0: s.CosineAnnealingWarmRestarts(o, t0), {"t0": 5})
    schedule("linearLR", s.LinearLR, {})
    schedule("linearLR", s.LinearLR, {"startFactor": 0.1, "endFactor": 0.8, "totalIters": 10})
    for options in [{"maxLr": 0.5, "totalSteps": 20}, {"maxLr": 0.5, "totalSteps": 20, "pctStart": 0.4, "annealStrategy": "linear", "divFactor": 10, "finalDivFactor": 100},
                    {"maxLr": 0.5, "totalSteps": 20, "threePhase": True}]:
        sgd = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=BASE_LR, momentum=0.9)
        schedule("oneCycleLR", s.OneCycleLR, options, 20, optimizer=sgd, cycled="momentum")
    losses = [1.0, 0.9, 0.95, 0.91, 0.92, 0.93, 0.94, 0.5, 0.5, 0.5, 0.5, 0.49995, 0.6, 0.4, 0.41, 0.42, 0.43, 0.44, 0.45, 0.46, 0.47, 0.48, 0.49, 0.5]
    for options in [{"patience": 2}, {"patience": 1, "factor": 0.5, "cooldown": 2, "minLr": 0.01}, {"mode": "max", "patience": 2, "threshold": 0.01, "thresholdMode": "abs"}]:
        schedule("reduceLROnPlateau", s.ReduceLROnPlateau, options, metrics=losses)
    warm = {"numWarmupSteps": 5, "numTrainingSteps": 20}
    schedule("linearWithWarmup", optimization.get_linear_schedule_with_warmup, warm)
    schedule("cosineWithWarmup", optimization.get_cosine_schedule_with_warmup, warm)
    schedule("cosineWithWarmup", optimization.get_cosine_schedule_with_warmup, {**warm, "numCycles": 1.0})
    schedule("constantWithWarmup", optimization.get_constant_schedule_with_warmup, {"numWarmupSteps": 5})


def clipping():
    for op, kind, options in [("clipGradNorm", torch.nn.utils.clip_grad_norm_, {"maxNorm": 1.0}), ("clipGradNorm", torch.nn.utils.clip_grad_norm_, {"maxNorm": 100.0}),
                              ("clipGradNorm", torch.nn.utils.clip_grad_norm_, {"maxNorm": 0.5, "normType": 1.0}),
                              ("clipGradNorm", torch.nn.utils.clip_grad_norm_, {"maxNorm": 0.5, "normType": float("inf")}),
                              ("clipGradValue", torch.nn.utils.clip_grad_value_, {"clipValue": 0.4})]:
        tensors = {k: torch.zeros_like(v).double().requires_grad_() for k, v in PARAMS.items()}
        for k, p in tensors.items():
            p.grad = GRADS[0][k].double()
        norm = kind(tensors.values(), **{snake(k): v for k, v in options.items()})
        label = " ".join([op, *(f"{k}={v}" for k, v in options.items())])
        g.add({"kind": "clip", "name": label, "op": op, "options": options, "grads": GRADS[0], "after": {k: p.grad for k, p in tensors.items()},
               **({} if norm is None else {"totalNorm": norm.item()})})


optimizers()
schedules()
clipping()
g.write()
