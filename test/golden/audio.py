"""Reference values for spectrograms (torch.stft), mel filters (torchaudio's formula), decibels, EER (scikit-learn).

Run: python test/golden/audio.py   (pip install torch numpy scikit-learn scipy)
torchaudio is not needed: its melscale_fbanks is written out below in float64 from its source (torchaudio 2.8,
functional.py), and its Spectrogram is torch.stft.
"""
import json
import math
import pathlib

import numpy as np
import scipy
import sklearn
import torch
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from sklearn.metrics import roc_curve

SEED = 20261124
rng = np.random.default_rng(SEED)


def hz_to_mel(f, scale):
    if scale == "htk":
        return 2595.0 * math.log10(1.0 + f / 700.0)
    f_sp, min_log_hz = 200.0 / 3, 1000.0
    return f / f_sp if f < min_log_hz else min_log_hz / f_sp + math.log(f / min_log_hz) / (math.log(6.4) / 27.0)


def mel_to_hz(m, scale):
    if scale == "htk":
        return 700.0 * (10.0 ** (m / 2595.0) - 1.0)
    f_sp, min_log_hz = 200.0 / 3, 1000.0
    min_log_mel = min_log_hz / f_sp
    return np.where(m >= min_log_mel, min_log_hz * np.exp(math.log(6.4) / 27.0 * (m - min_log_mel)), f_sp * m)


def melscale_fbanks(n_freqs, f_min, f_max, n_mels, sample_rate, norm, scale):
    all_freqs = np.linspace(0, sample_rate // 2, n_freqs)
    m_pts = np.linspace(hz_to_mel(f_min, scale), hz_to_mel(f_max, scale), n_mels + 2)
    f_pts = mel_to_hz(m_pts, scale)
    f_diff = f_pts[1:] - f_pts[:-1]
    slopes = f_pts[None, :] - all_freqs[:, None]
    fb = np.maximum(0.0, np.minimum(-slopes[:, :-2] / f_diff[:-1], slopes[:, 2:] / f_diff[1:]))
    if norm == "slaney":
        fb *= 2.0 / (f_pts[2:] - f_pts[:-2])
    return fb.T


def short(a, digits=7):
    return [float(f"{v:.{digits}g}") for v in np.asarray(a, dtype=np.float64).ravel()]


def spectrogram(x, o):
    n_fft = o["nFft"]
    win = o.get("winLength", n_fft)
    hop = o.get("hopLength", win // 2)
    y = torch.stft(x, n_fft, hop, win, torch.hann_window(win, dtype=x.dtype), center=o.get("center", True),
                   pad_mode=o.get("padMode", "reflect"), onesided=True, return_complex=True)
    return y.abs() ** o.get("power", 2)


cases = []
for o in (
    {"nFft": 16},
    {"nFft": 16, "winLength": 10, "hopLength": 3},
    {"nFft": 15, "winLength": 12, "hopLength": 5, "power": 1},
    {"nFft": 16, "hopLength": 4, "center": False},
    {"nFft": 16, "winLength": 16, "hopLength": 8, "padMode": "constant"},
):
    x = torch.tensor(np.round(rng.normal(size=(2, 40)) * 0.3, 3), dtype=torch.float64, requires_grad=True)
    y = spectrogram(x, o)
    g = torch.tensor(np.round(rng.normal(size=tuple(y.shape)), 2))
    y.backward(g)
    cases.append({"options": o, "x": short(x.detach()), "shape": list(y.shape), "y": short(y.detach()),
                  "gradOutput": short(g), "grad": short(x.grad)})

filters = []
for o in (
    {"sampleRate": 8000, "nMels": 8, "bins": 65},
    {"sampleRate": 16000, "nMels": 6, "bins": 33, "fMin": 60, "fMax": 7600, "melScale": "slaney", "norm": "slaney"},
    {"sampleRate": 8000, "nMels": 5, "bins": 33, "norm": "slaney"},
):
    fb = melscale_fbanks(o["bins"], o.get("fMin", 0), o.get("fMax", o["sampleRate"] / 2), o["nMels"], o["sampleRate"],
                         o.get("norm"), o.get("melScale", "htk"))
    filters.append({"options": o, "values": short(fb)})

x = torch.tensor(np.round(rng.normal(size=(1, 256)) * 0.3, 3), dtype=torch.float64)
mel_options = {"sampleRate": 8000, "nFft": 64, "winLength": 50, "hopLength": 20, "nMels": 6}
power = spectrogram(x, mel_options)[0].numpy()
mel = melscale_fbanks(33, 0, 4000, 6, 8000, None, "htk") @ power
db = 10 * np.log10(np.maximum(mel, 1e-10))
mels = {"options": mel_options, "x": short(x), "shape": [1, *mel.shape], "mel": short(mel), "db": short(db),
        "topDb": 12, "cut": short(np.maximum(db, db.max() - 12))}

eers = []
for n, shift, step in ((40, 1.0, None), (200, 0.3, 0.25), (30, 5.0, None)):
    same = rng.integers(0, 2, n)
    scores = rng.normal(size=n) + shift * same
    scores = np.round(scores, 3) if step is None else np.round(scores / step) * step
    fpr, tpr, _ = roc_curve(same, scores, drop_intermediate=False)
    eer = brentq(lambda v: 1.0 - v - interp1d(fpr, tpr)(v), 0.0, 1.0)
    eers.append({"scores": short(scores), "same": same.tolist(), "eer": eer})

out = {
    "about": {"script": "test/golden/audio.py", "seed": SEED, "torch": torch.__version__.split("+")[0],
              "numpy": np.__version__, "scipy": scipy.__version__, "sklearn": sklearn.__version__},
    "spectrogram": cases,
    "filters": filters,
    "mel": mels,
    "eer": eers,
}
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps(out, separators=(",", ":")) + "\n")
print(path, path.stat().st_size)
