"""PyTorch, eager, CPU: torch_peer.py <workload> <seconds> [channels_last,fused]"""

import os
import sys

import torch
import torch.nn.functional as F
from torch import nn

from spec import HEADS, LAYERS, WIDTH, WORKLOADS, batch_data, initial_params, measure, resident_mb


def linear(p, name):
    layer = nn.Linear(*p[f"{name}.w"].shape)
    layer.weight.data.copy_(torch.from_numpy(p[f"{name}.w"]).t())
    layer.bias.data.copy_(torch.from_numpy(p[f"{name}.b"]))
    return layer


def conv(p, name):
    w = torch.from_numpy(p[f"{name}.w"]).permute(3, 2, 0, 1)
    layer = nn.Conv2d(w.shape[1], w.shape[0], 3, padding=1)
    layer.weight.data.copy_(w)
    nn.init.zeros_(layer.bias)
    return layer


def mlp(p):
    layers = [x for n in sorted({k.split(".")[0] for k in p}) for x in (linear(p, n), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


def cnn(p):
    channels_first = p["d1.w"].reshape(8, 8, 64, 256).transpose(2, 0, 1, 3).reshape(4096, 256)
    p = {**p, "d1.w": channels_first.copy()}
    return nn.Sequential(
        conv(p, "c1"), nn.ReLU(), conv(p, "c2"), nn.ReLU(), nn.MaxPool2d(2),
        conv(p, "c3"), nn.ReLU(), conv(p, "c4"), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), linear(p, "d1"), nn.ReLU(), linear(p, "d2"))


def wide_cnn(p):
    return nn.Sequential(
        conv(p, "c1"), nn.ReLU(), conv(p, "c2"), nn.ReLU(), nn.MaxPool2d(2),
        conv(p, "c3"), nn.ReLU(), conv(p, "c4"), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear(p, "d1"))


class Lstm(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.lstm = nn.LSTM(64, 128, batch_first=True)
        self.lstm.weight_ih_l0.data.copy_(torch.from_numpy(p["lstm.w"]).t())
        self.lstm.weight_hh_l0.data.copy_(torch.from_numpy(p["lstm.r"]).t())
        nn.init.zeros_(self.lstm.bias_ih_l0)
        nn.init.zeros_(self.lstm.bias_hh_l0).requires_grad_(False)
        self.head = linear(p, "d1")

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])


class EncoderLayer(nn.Module):
    def __init__(self, p, l):
        super().__init__()
        self.q, self.k, self.v, self.o, self.f1, self.f2 = (linear(p, f"l{l}.{n}") for n in ("q", "k", "v", "o", "f1", "f2"))
        self.ln1, self.ln2 = nn.LayerNorm(WIDTH, eps=1e-12), nn.LayerNorm(WIDTH, eps=1e-12)

    def forward(self, x, bias):
        split = lambda t: t.view(*t.shape[:2], HEADS, -1).transpose(1, 2)
        a = F.scaled_dot_product_attention(split(self.q(x)), split(self.k(x)), split(self.v(x)), attn_mask=bias)
        x = self.ln1(x + self.o(a.transpose(1, 2).reshape(x.shape)))
        return self.ln2(x + self.f2(F.gelu(self.f1(x))))


class Encoder(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.tok = nn.Embedding.from_pretrained(torch.from_numpy(p["tok"]), freeze=False)
        self.pos = nn.Embedding.from_pretrained(torch.from_numpy(p["pos"]), freeze=False)
        self.ln = nn.LayerNorm(WIDTH, eps=1e-12)
        self.layers = nn.ModuleList(EncoderLayer(p, l) for l in range(LAYERS))
        self.head = linear(p, "head")

    def forward(self, tokens, mask):
        x = self.ln(self.tok(tokens) + self.pos(torch.arange(tokens.shape[1])))
        bias = (1 - mask)[:, None, None] * -1e9
        for layer in self.layers:
            x = layer(x, bias)
        m = mask[..., None]
        return self.head((x * m).sum(1) / m.sum(1))


def build(name, settings):
    w = WORKLOADS[name]
    model = {"w1": mlp, "w2": cnn, "w3": Encoder, "w4": Lstm, "w5": mlp, "w6": wide_cnn}[name](initial_params(w))
    x, y = batch_data(w)
    x, y = [torch.from_numpy(v) for v in x], torch.from_numpy(y)
    if x[0].ndim == 4:
        x = [x[0].permute(0, 3, 1, 2)]
        layout = torch.channels_last if "channels_last" in settings else torch.contiguous_format
        x, model = [x[0].contiguous(memory_format=layout)], model.to(memory_format=layout)
    fused = "fused" in settings or None
    params = [p for p in model.parameters() if p.requires_grad]
    if name == "w6":
        opt = torch.optim.SGD(params, lr=0.05, fused=fused)
    elif name == "w3":
        opt = torch.optim.AdamW(params, lr=1e-3, weight_decay=0.01, fused=fused)
    else:
        opt = torch.optim.Adam(params, lr=1e-3, fused=fused)

    def step():
        opt.zero_grad()
        loss = F.cross_entropy(model(*x), y)
        loss.backward()
        opt.step()
        return loss.item()

    return step


if __name__ == "__main__":
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    name, seconds, *rest = sys.argv[1:]
    base = resident_mb()
    measure(torch.__version__, build(name, rest[0].split(",") if rest else []), float(seconds), base)
