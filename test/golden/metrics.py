"""Reference values for src/train/metrics, from scikit-learn, sacreBLEU, jiwer and pycocotools.

Run: python test/golden/metrics.py   (pip install scikit-learn sacrebleu jiwer pycocotools)
"""
import contextlib
import io
import json
import pathlib
import warnings

import jiwer
import numpy as np
import pycocotools
import sacrebleu
import sklearn
import sklearn.metrics as M
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

warnings.filterwarnings("ignore")
SEED = 7
rng = np.random.default_rng(SEED)


def rounded(x, digits=4):
    return np.round(np.asarray(x, dtype=np.float64), digits)


def softmax(x):
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def classification(logits, target):
    pred = logits.argmax(1)
    out = {"logits": logits.tolist(), "target": target.tolist(), "accuracy": M.accuracy_score(target, pred)}
    for name, fn in (("precision", M.precision_score), ("recall", M.recall_score), ("f1", M.f1_score)):
        out[name] = {a: fn(target, pred, average=a, zero_division=0) for a in ("macro", "micro", "weighted")}
        out[name]["none"] = fn(target, pred, average=None, labels=range(logits.shape[1]), zero_division=0).tolist()
    out["jaccard"] = M.jaccard_score(target, pred, average="macro", zero_division=0)
    out["confusion"] = M.confusion_matrix(target, pred, labels=range(logits.shape[1])).tolist()
    out["report"] = M.classification_report(target, pred, zero_division=0, digits=3)
    return out


def boxes(n):
    corner = rng.uniform(0, 60, (n, 2))
    return np.concatenate([corner, corner + rng.uniform(8, 40, (n, 2))], 1)


def voc_ap(images, labels, threshold, points):
    """Pascal VOC as in the development kit (VOCevaldet.m), written from its text."""
    aps = []
    for c in labels:
        dets, gts, npos = [], {}, 0
        for i, (d, g) in enumerate(images):
            gts[i] = [[b, ig, False] for b, l, ig in zip(g["boxes"], g["labels"], g["ignore"]) if l == c]
            npos += sum(not ig for _, ig, _ in gts[i])
            dets += [(s, i, b) for b, s, l in zip(d["boxes"], d["scores"], d["labels"]) if l == c]
        if npos == 0:
            continue
        dets.sort(key=lambda t: -t[0])
        tp, fp = np.zeros(len(dets)), np.zeros(len(dets))
        for k, (_, i, b) in enumerate(dets):
            best, match = -1, None
            for gt in gts[i]:
                a = gt[0]
                w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
                if w > 0 and h > 0:
                    v = w * h / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h)
                    if v > best:
                        best, match = v, gt
            if best >= threshold:
                if not match[1]:
                    tp[k], fp[k] = (0, 1) if match[2] else (1, 0)
                    match[2] = True
            else:
                fp[k] = 1
        tp, fp = tp.cumsum(), fp.cumsum()
        rec, prec = tp / npos, tp / np.maximum(tp + fp, 1e-12)
        if points == 11:
            aps.append(np.mean([prec[rec >= t].max(initial=0) for t in np.arange(11) / 10]))
        else:
            mrec, mpre = np.concatenate([[0], rec, [1]]), np.concatenate([[0], prec, [0]])
            mpre = np.maximum.accumulate(mpre[::-1])[::-1]
            aps.append(float(np.sum(np.diff(mrec) * mpre[1:])))
    return float(np.mean(aps))


def detection():
    images = []
    for _ in range(8):
        g = boxes(rng.integers(1, 6))
        labels = rng.integers(0, 3, len(g))
        found = rounded(np.concatenate([g + rng.normal(0, 2.5, g.shape), g[:2] + rng.normal(0, 5, g[:2].shape), boxes(3)]), 2)
        found = np.concatenate([np.minimum(found[:, :2], found[:, 2:]), np.maximum(found[:, :2], found[:, 2:])], 1)
        found_labels = np.concatenate([labels, labels[:2], rng.integers(0, 3, 3)])
        images.append((
            {"boxes": found.tolist(), "scores": rounded(rng.uniform(0, 1, len(found)), 3).tolist(), "labels": found_labels.tolist()},
            {"boxes": rounded(g, 2).tolist(), "labels": labels.tolist(), "ignore": (rng.uniform(size=len(g)) < 0.15).tolist()},
        ))
    xywh = lambda b: [b[0], b[1], b[2] - b[0], b[3] - b[1]]
    gt = [(i, b, l, ig) for i, (_, g) in enumerate(images) for b, l, ig in zip(g["boxes"], g["labels"], g["ignore"])]
    dt = [(i, b, l, s) for i, (d, _) in enumerate(images) for b, l, s in zip(d["boxes"], d["labels"], d["scores"])]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "info": {}, "images": [{"id": i} for i in range(len(images))], "categories": [{"id": c} for c in range(3)],
            "annotations": [
                {"id": k + 1, "image_id": i, "category_id": l, "bbox": xywh(b), "area": xywh(b)[2] * xywh(b)[3], "iscrowd": int(ig)}
                for k, (i, b, l, ig) in enumerate(gt)
            ],
        }
        coco.createIndex()
        results = coco.loadRes([{"image_id": i, "category_id": l, "bbox": xywh(b), "score": s} for i, b, l, s in dt])
        ev = COCOeval(coco, results, "bbox")
        ev.evaluate()
        ev.accumulate()
        ev.summarize()
    per_class = ev.eval["precision"][:, :, :, 0, 2].mean((0, 1)).tolist()
    return {
        "detections": [d for d, _ in images], "objects": [g for _, g in images],
        "coco": {"mAP": ev.stats[0], "mAP@0.5": ev.stats[1], "mAP@0.75": ev.stats[2], "perClass": per_class},
        "voc": voc_ap(images, range(3), 0.5, 0), "voc07": voc_ap(images, range(3), 0.5, 11),
    }


target = rng.integers(0, 4, 40)
logits = rounded(rng.normal(size=(40, 4)) + 1.5 * np.eye(4)[target], 3)
gaps = rounded(rng.normal(size=(20, 5)), 3)  # class 3 never occurs, class 4 is predicted but never true
gaps[:, 3] = -9
binary_target = rng.integers(0, 2, 30)
binary = rounded(rng.normal(size=30) + binary_target, 1)  # one decimal: many ties
y = rng.normal(size=(25, 2))
yhat = rounded(y + rng.normal(0, 0.4, y.shape))
y = rounded(y)
relevance = rng.integers(0, 4, (6, 8))
relevance[2] = 0
ranking = rounded(rng.normal(size=(6, 8)) + 0.5 * relevance, 0)  # many ties

hyps = [
    "The quick brown fox jumps over the lazy dog.",
    "It costs $1,234.56 -- about 10% more (than in 2023-24)!",
    "He said: &quot;yes&quot;, then left.",
    "",
    "Ein Satz mit Umlauten: äöü ß, naïve café. 😀.",
    "a b c d e f g",
]
refs = [
    ["The quick brown fox jumped over the lazy dog.", "A fast brown fox jumps over a lazy dog."],
    ["It costs $1,234.56, roughly 10% more than in 2023-24!", "The price is $1,234.56."],
    ['He said "yes" and then left.', 'He said: "yes", then he left.'],
    ["An empty hypothesis.", "Nothing."],
    ["Ein Satz mit Umlauten: äöü ß; naïve café 😀.", "Ein Satz."],
    ["a b c x e f g", "a b c d"],
]
one = [r[0] for r in refs]
streams = [list(s) for s in zip(*refs)]
short = (["a b c", "d e f"], ["a b d", "d e g"])

spaced = ["\ufeffthe cat sat on the mat", "a b\u0085c\u001cd e f", "the\ufeffdog ran\u3000fast today\u001f", "plain words stay as they are"]
spaced_refs = ["the cat sat on the mat", "a b c d e g", "the dog ran fast today", "plain words stay as they\ufeffare"]
halves_target = [0] * 8 + [1] * 8 + [2] * 4
halves_predicted = [0] + [1] * 7 + [1] * 5 + [2] * 3 + [2] * 2 + [0] * 2
halves_names = ["cat", "\U0001f600\U0001f600 with a long name", "dog"]
# Two objects in one place, the first of them not counted; a second detection of the place.
ties = [(
    {"boxes": [[0, 0, 10, 10], [0, 0, 10, 9], [20, 20, 30, 30]], "scores": [0.9, 0.8, 0.7], "labels": [0, 0, 0]},
    {"boxes": [[0, 0, 10, 10], [0, 0, 10, 10], [20, 20, 30, 30]], "labels": [0, 0, 0], "ignore": [True, False, False]},
)]
def labels(columns):
    t = rng.integers(0, 2, (20, columns))
    s = rounded(rng.normal(size=t.shape) + t, 1)
    return {
        "scores": s.tolist(), "target": t.tolist(), "rocAuc": M.roc_auc_score(t, s), "rocAucEach": M.roc_auc_score(t, s, average=None).tolist(),
        "averagePrecision": M.average_precision_score(t, s),
    }


expected = {
    "versions": {"scikit-learn": sklearn.__version__, "sacrebleu": sacrebleu.__version__, "jiwer": jiwer.__version__ if hasattr(jiwer, "__version__") else "4.0.0", "pycocotools": getattr(pycocotools, "__version__", "2.0.11"), "numpy": np.__version__},
    "seed": SEED,
    "plain": classification(logits, target),
    "gaps": classification(gaps, rng.integers(0, 3, 20)),
    "topK": {str(k): M.top_k_accuracy_score(target, logits, k=k) for k in (1, 2, 3)},
    "binary": {
        "scores": binary.tolist(), "target": binary_target.tolist(),
        "rocAuc": M.roc_auc_score(binary_target, binary),
        "averagePrecision": M.average_precision_score(binary_target, binary),
        "precision": M.precision_score(binary_target, binary > 0), "recall": M.recall_score(binary_target, binary > 0),
        "f1": M.f1_score(binary_target, binary > 0),
    },
    "multi": {
        "rocAuc": M.roc_auc_score(target, softmax(logits), multi_class="ovr"),
        "rocAucEach": [M.roc_auc_score(target == c, softmax(logits)[:, c]) for c in range(4)],
        "averagePrecision": M.average_precision_score(np.eye(4)[target], softmax(logits), average="macro"),
    },
    "regression": {
        "output": yhat.tolist(), "target": y.tolist(), "r2": M.r2_score(y, yhat),
        "r2First": M.r2_score(y[:, 0], yhat[:, 0]), "mae": M.mean_absolute_error(y, yhat),
        "rmseFirst": M.root_mean_squared_error(y[:, 0], yhat[:, 0]),
        "r2Constant": M.r2_score([2, 2, 2], [2, 2, 1]), "r2Exact": M.r2_score([2, 2, 2], [2, 2, 2]),
    },
    "logLoss": M.log_loss(target, softmax(logits)),
    "ndcg": {
        "scores": ranking.tolist(), "relevance": relevance.tolist(),
        "all": M.ndcg_score(relevance, ranking), "3": M.ndcg_score(relevance, ranking, k=3), "1": M.ndcg_score(relevance, ranking, k=1),
    },
    "bleu": {
        "hyps": hyps, "refs": refs,
        "one": sacrebleu.corpus_bleu(hyps, [one]).score, "many": sacrebleu.corpus_bleu(hyps, streams).score,
        "lower": sacrebleu.corpus_bleu(hyps, [one], lowercase=True).score,
        "none": sacrebleu.corpus_bleu(hyps, [one], tokenize="none").score,
        "each": [sacrebleu.corpus_bleu([h], [[r]]).score for h, r in zip(hyps, one)],
        "short": {"hyps": short[0], "refs": short[1], "score": sacrebleu.corpus_bleu(short[0], [short[1]]).score},
        "tokens": [sacrebleu.tokenizers.tokenizer_13a.Tokenizer13a()(h) for h in hyps],
    },
    "wer": {"all": jiwer.wer(one, hyps), "cer": jiwer.cer(one, hyps)},
    "detection": detection(),
    # White space of Python and of JavaScript differ: byte order marks and the separators 1C to 1F and 85.
    "space": {
        "hyps": spaced, "refs": spaced_refs, "bleu": sacrebleu.corpus_bleu(spaced, [spaced_refs]).score,
        "bleuNone": sacrebleu.corpus_bleu(spaced, [spaced_refs], tokenize="none").score,
        "wer": jiwer.wer([" ".join(t.split()) for t in spaced_refs], [" ".join(t.split()) for t in spaced]),
        "cer": jiwer.cer(spaced_refs, spaced),
    },
    "halves": {
        "target": halves_target, "predicted": halves_predicted, "names": halves_names,
        **{str(d): M.classification_report(halves_target, halves_predicted, target_names=halves_names, digits=d, zero_division=0) for d in (0, 1, 2, 3)},
    },
    "labels": [labels(2), labels(3)],
    "vocTies": {"detections": [d for d, _ in ties], "objects": [g for _, g in ties], "voc": voc_ap(ties, range(1), 0.5, 0), "voc07": voc_ap(ties, range(1), 0.5, 11)},
}
path = pathlib.Path(__file__).parent / "metrics.json"
path.write_text(json.dumps(expected, ensure_ascii=False) + "\n")
