"""Golden values of scaling (scikit-learn) and resampling (torchaudio's published algorithm, restated with NumPy).

Run: python test/golden/data_prepare.py  (writes data_prepare.json beside itself)
"""
import json
import math
import pathlib

import numpy as np
import sklearn
from sklearn.preprocessing import MinMaxScaler, StandardScaler

SEED = 21
rng = np.random.default_rng(SEED)
x = rng.normal(size=(6, 3)) * [1, 100, 0.01] + [5, -1000, 0]
x[2, 1] = np.nan
x[:, 2] = 7
test = rng.normal(size=(2, 3))


def resample(wave, orig, new, width=6, rolloff=0.99):
    """torchaudio.functional.resample, sinc_interp_hann."""
    g = math.gcd(orig, new)
    orig, new = orig // g, new // g
    base = min(orig, new) * rolloff
    w = math.ceil(width * orig / base)
    idx = np.arange(-w, w + orig)[None, :] / orig
    t = (np.arange(0, -new, -1)[:, None] / new + idx) * base
    t = np.clip(t, -width, width)
    window = np.cos(t * math.pi / width / 2) ** 2
    kernels = np.sinc(t) * window * base / orig
    padded = np.pad(wave, (w, w + orig))
    frames = np.stack([padded[i : i + 2 * w + orig] for i in range(0, len(padded) - 2 * w - orig + 1, orig)])
    return (frames @ kernels.T).reshape(-1)[: math.ceil(new * len(wave) / orig)]


wave = rng.normal(size=41)
doc = {
    "versions": {"numpy": np.__version__, "sklearn": sklearn.__version__},
    "seed": SEED,
    "x": [[None if math.isnan(v) else v for v in row] for row in x.tolist()],
    "test": test.tolist(),
    "standard": StandardScaler().fit(x).transform(test).tolist(),
    "minmax": MinMaxScaler().fit(x).transform(test).tolist(),
    "wave": wave.tolist(),
    "resampled": [{"from": a, "to": b, "out": resample(wave, a, b).tolist()} for a, b in [(8000, 16000), (16000, 8000), (44100, 16000), (3, 5)]],
}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(doc, separators=(",", ":")) + "\n")
