"""Golden values of the losses: `python losses.py` writes losses.json."""

import torch
import torch.nn.functional as F
from torchvision.ops import generalized_box_iou_loss, sigmoid_focal_loss

from common import Golden, ints, normal, uniform, values

g = Golden("losses")
case = g.case
REDUCTIONS = ["mean", "sum", "none"]


def probabilities(*shape, dim=1):
    return torch.round(normal(*shape).softmax(dim), decimals=4)


def classification():
    for reduction in REDUCTIONS:
        r = {"reduction": reduction}
        x, target, weight = normal(4, 3), ints(4, below=3), uniform(3, low=0.5, high=2)
        some = torch.tensor([1, -100, 2, -100])
        two = torch.tensor([1, 2, 0, 2])
        case("crossEntropy", F.cross_entropy, {"x": x, "target": target}, r)
        case("crossEntropy", F.cross_entropy, {"x": x, "target": target, "weight": weight}, r, nograd=["weight"])
        case("crossEntropy", F.cross_entropy, {"x": x, "target": some}, r, name=f"crossEntropy ignores -100, {reduction}")
        case("crossEntropy", F.cross_entropy, {"x": x, "target": two, "weight": weight}, {**r, "ignoreIndex": 2}, nograd=["weight"])
        case("crossEntropy", F.cross_entropy, {"x": x, "target": target}, {**r, "labelSmoothing": 0.1})
        case("crossEntropy", F.cross_entropy, {"x": x, "target": two, "weight": weight}, {**r, "labelSmoothing": 0.2, "ignoreIndex": 2}, nograd=["weight"])
        case("crossEntropy", F.cross_entropy, {"x": normal(2, 3, 2, 2), "target": ints(2, 2, 2, below=3)}, r)
        case("crossEntropy", F.cross_entropy, {"x": normal(2, 3, 4), "target": ints(2, 4, below=3), "weight": weight}, {**r, "labelSmoothing": 0.1}, nograd=["weight"])
        case("crossEntropy", F.cross_entropy, {"x": x, "target": probabilities(4, 3)}, r, name=f"crossEntropy with probabilities, {reduction}")
        case("crossEntropy", F.cross_entropy, {"x": normal(2, 3, 4), "target": probabilities(2, 3, 4), "weight": weight}, {**r, "labelSmoothing": 0.1},
             nograd=["weight"], name=f"crossEntropy with probabilities, weight, smoothing, {reduction}")
        log_p = F.log_softmax(normal(4, 3), 1)
        log_p = torch.round(log_p, decimals=4)
        case("nllLoss", F.nll_loss, {"x": log_p, "target": target}, r)
        case("nllLoss", F.nll_loss, {"x": log_p, "target": two, "weight": weight}, {**r, "ignoreIndex": 2}, nograd=["weight"])
        case("nllLoss", F.nll_loss, {"x": normal(2, 3, 2, 2), "target": ints(2, 2, 2, below=3)}, r)
        p, t = uniform(3, 2, low=0.05, high=0.95), uniform(3, 2)
        case("binaryCrossEntropy", F.binary_cross_entropy, {"x": p, "target": t}, r, nograd=["target"])
        case("binaryCrossEntropy", F.binary_cross_entropy, {"x": p, "target": t, "weight": uniform(2, low=0.5, high=2)}, r, nograd=["target", "weight"])
        logits = F.binary_cross_entropy_with_logits
        case("binaryCrossEntropyWithLogits", logits, {"x": normal(3, 2), "target": t}, r, nograd=["target"])
        case("binaryCrossEntropyWithLogits", logits, {"x": normal(3, 2), "target": t, "posWeight": values([2.0, 0.5])}, r, nograd=["target", "posWeight"])
        case("binaryCrossEntropyWithLogits", logits, {"x": normal(3, 2), "target": t, "weight": uniform(3, 2), "posWeight": values([2.0, 0.5])}, r, nograd=["target", "weight", "posWeight"])
        case("sigmoidFocalLoss", lambda x, target, **o: sigmoid_focal_loss(x, target, **o), {"x": normal(3, 2), "target": ints(3, 2, below=2).float()}, r, nograd=["target"])
        case("sigmoidFocalLoss", lambda x, target, **o: sigmoid_focal_loss(x, target, **o), {"x": normal(3, 2), "target": ints(3, 2, below=2).float()}, {**r, "alpha": -1, "gamma": 3}, nograd=["target"])
        case("multiMarginLoss", F.multi_margin_loss, {"x": normal(4, 3), "target": target}, r)
        case("softMarginLoss", F.soft_margin_loss, {"x": normal(4, 3), "target": ints(4, 3, below=2).float() * 2 - 1}, r, nograd=["target"])
    case("binaryCrossEntropy", F.binary_cross_entropy, {"x": values([0.0, 1.0, 0.0, 1.0]), "target": values([1.0, 0.0, 0.0, 1.0])}, {"reduction": "none"}, grad=False,
         name="binaryCrossEntropy at 0 and 1 (logarithms are at least -100)")
    case("binaryCrossEntropyWithLogits", F.binary_cross_entropy_with_logits, {"x": values([100.0, -100.0, 200.0, -200.0]), "target": values([0.0, 1.0, 1.0, 0.0])}, {"reduction": "none"}, nograd=["target"],
         name="binaryCrossEntropyWithLogits of large logits")
    case("crossEntropy", F.cross_entropy, {"x": normal(2, 3), "target": torch.tensor([-100, -100])}, {"reduction": "mean"}, grad=False, name="crossEntropy with every target ignored (NaN)")
    case("crossEntropy", F.cross_entropy, {"x": values([[1e4, 0.0, -1e4], [0.0, 1.0, 2.0]]), "target": torch.tensor([0, 2])}, {"reduction": "none"}, name="crossEntropy of large logits")
    case("crossEntropy", F.cross_entropy, {"x": normal(3), "target": torch.tensor(1)}, {"reduction": "mean"}, name="crossEntropy of one sample without a batch axis")


def regression():
    for reduction in REDUCTIONS:
        r = {"reduction": reduction}
        pair = {"x": normal(3, 4), "target": normal(3, 4)}
        case("mseLoss", F.mse_loss, pair, r)
        case("l1Loss", F.l1_loss, pair, r)
        case("smoothL1Loss", F.smooth_l1_loss, pair, r)
        case("smoothL1Loss", F.smooth_l1_loss, pair, {**r, "beta": 0.5})
        case("huberLoss", F.huber_loss, pair, r)
        case("huberLoss", F.huber_loss, pair, {**r, "delta": 0.6})
        case("poissonNllLoss", F.poisson_nll_loss, {"x": normal(3), "target": ints(3, below=5).float()}, r, nograd=["target"])
        case("gaussianNllLoss", F.gaussian_nll_loss, {"x": normal(3, 2), "target": normal(3, 2), "var": uniform(3, 2, low=0.2, high=2)}, r)
    for reduction in [*REDUCTIONS, "batchmean"]:
        r = {"reduction": reduction}
        log_p = torch.round(F.log_softmax(normal(3, 4), 1), decimals=4)
        q = probabilities(3, 4)
        case("klDiv", F.kl_div, {"x": log_p, "target": q}, r)
        case("klDiv", F.kl_div, {"x": log_p, "target": torch.round(q.log(), decimals=4)}, {**r, "logTarget": True})
    case("klDiv", F.kl_div, {"x": values([[-0.5, -1.0]]), "target": values([[0.0, 1.0]])}, {"reduction": "none"}, nograd=["target"], name="klDiv with target 0")


def ranking():
    for reduction in REDUCTIONS:
        r = {"reduction": reduction}
        sign = values([1.0, -1.0, 1.0, -1.0])
        vectors = {"x": normal(4, 5), "y": normal(4, 5), "target": sign}
        case("cosineEmbeddingLoss", F.cosine_embedding_loss, vectors, r, nograd=["target"])
        case("cosineEmbeddingLoss", F.cosine_embedding_loss, vectors, {**r, "margin": -0.3}, nograd=["target"])
        triple = {"x": normal(4, 5), "y": normal(4, 5), "z": normal(4, 5)}
        case("tripletMarginLoss", F.triplet_margin_loss, triple, r)
        case("tripletMarginLoss", F.triplet_margin_loss, triple, {**r, "margin": 2.0, "p": 1.0, "swap": True})
        case("marginRankingLoss", F.margin_ranking_loss, {"x": normal(4), "y": normal(4), "target": sign}, {**r, "margin": 0.4}, nograd=["target"])
        case("hingeEmbeddingLoss", F.hinge_embedding_loss, {"x": uniform(4, high=2), "target": sign}, {**r, "margin": 1.2}, nograd=["target"])


def ctc():
    """x: logits [time, batch, classes]; y: targets [batch, length] padded, or one concatenated list.

    The loss is ctcLoss(logSoftmax(x, 2), y, ...): PyTorch's gradient with respect to the log-probabilities themselves
    already holds the softmax term, so only the gradient with respect to the logits is a derivative one can check.
    """

    def loss(x, y, input_lengths, target_lengths, **options):
        return F.ctc_loss(F.log_softmax(x, 2), y, input_lengths, target_lengths, **options)

    logits = normal(8, 3, 5)
    padded = torch.tensor([[1, 2, 2, 4], [3, 1, 0, 0], [4, 4, 4, 0]])
    joined = torch.tensor([1, 2, 2, 4, 3, 1, 4, 4, 4])
    lengths = torch.tensor([4, 2, 3])
    for reduction in REDUCTIONS:
        r = {"reduction": reduction}
        inputs = {"x": logits, "y": padded, "inputLengths": torch.tensor([8, 6, 7]), "targetLengths": lengths}
        case("ctcLoss", loss, inputs, r)
        case("ctcLoss", loss, {**inputs, "y": joined}, r, name=f"ctcLoss with concatenated targets, {reduction}")
        short = {**inputs, "inputLengths": torch.tensor([8, 6, 4])}
        case("ctcLoss", loss, short, {**r, "zeroInfinity": True}, name=f"ctcLoss that cannot be aligned, zeroInfinity, {reduction}")
    case("ctcLoss", loss, short, {"reduction": "none"}, grad=False, name="ctcLoss that cannot be aligned (Infinity)")
    last = {"x": logits, "y": torch.tensor([[0, 1, 1], [2, 3, 3], [3, 0, 0]]), "inputLengths": torch.tensor([8, 8, 8]), "targetLengths": torch.tensor([3, 2, 1])}
    case("ctcLoss", loss, last, {"blank": 4, "reduction": "mean"})
    empty = {**last, "y": torch.tensor([[1, 1, 1], [2, 3, 3], [3, 0, 0]]), "targetLengths": torch.tensor([0, 2, 1])}
    case("ctcLoss", loss, empty, {"reduction": "sum"}, name="ctcLoss with an empty target")


def segmentation():
    def dice(x, target, smooth):
        """1 - (2 sum(p t) + smooth) / (sum p + sum t + smooth) per sample over all but the first axis, then the mean."""
        axes = tuple(range(1, x.ndim))
        return (1 - (2 * (x * target).sum(axes) + smooth) / (x.sum(axes) + target.sum(axes) + smooth)).mean()

    for smooth in [1.0, 1e-3]:
        case("diceLoss", dice, {"x": uniform(2, 1, 3, 3), "target": ints(2, 1, 3, 3, below=2).float()}, {"smooth": smooth}, nograd=["target"])


def further():
    l1 = lambda a, b: (a - b).abs().sum(-1)
    for reduction in REDUCTIONS:
        r = {"reduction": reduction}
        case("multilabelSoftMarginLoss", F.multilabel_soft_margin_loss, {"x": normal(3, 4), "target": ints(3, 4, below=2).float()}, r, nograd=["target"])
        case("multilabelSoftMarginLoss", F.multilabel_soft_margin_loss, {"x": normal(3, 4), "target": ints(3, 4, below=2).float(), "weight": uniform(4)}, r, nograd=["target", "weight"])
        case("multiMarginLoss", F.multi_margin_loss, {"x": normal(4, 3), "target": ints(4, below=3), "weight": uniform(3, low=0.5, high=2)}, {**r, "p": 2, "margin": 0.7}, nograd=["weight"])
        case("gaussianNllLoss", F.gaussian_nll_loss, {"x": normal(3, 2), "target": normal(3, 2), "var": uniform(3, 2, low=0.2, high=2)}, {**r, "full": True, "eps": 0.5})
        case("poissonNllLoss", F.poisson_nll_loss, {"x": uniform(3, low=0.5, high=3), "target": values([0.0, 3.0, 5.0])}, {**r, "logInput": False, "full": True}, nograd=["target"])
        case("tripletMarginWithDistanceLoss", lambda x, y, z, **o: F.triplet_margin_with_distance_loss(x, y, z, distance_function=l1, **o), {"x": normal(4, 3), "y": normal(4, 3), "z": normal(4, 3)}, {**r, "margin": 2.0, "swap": True})
        case("crossEntropy", F.cross_entropy, {"x": normal(1, 3, 2, 2, 2), "target": ints(1, 2, 2, 2, below=3), "weight": uniform(3, low=0.5, high=2)}, r, nograd=["weight"])
    case("ctcLoss", lambda x, y, input_lengths, target_lengths, **o: F.ctc_loss(F.log_softmax(x, 2), y, input_lengths, target_lengths, **o),
         {"x": normal(30, 2, 6, scale=4), "y": ints(2, 9, below=6, low=1), "inputLengths": torch.tensor([30, 27]), "targetLengths": torch.tensor([9, 7])}, {"reduction": "sum"}, name="ctcLoss of confident logits")


def boxes():
    giou = lambda x, target, **o: generalized_box_iou_loss(x, target, **o)
    x = values([0.5, 1.0, 4.0, 3.0], [2.0, 2.0, 5.0, 7.0], [0.0, 0.0, 1.0, 1.0], [1.0, 1.5, 9.0, 8.0])
    target = values([1.0, 0.5, 5.0, 2.5], [2.25, 2.5, 5.25, 6.0], [3.0, 4.0, 6.0, 5.5], [2.0, 3.0, 4.0, 5.0])
    for reduction in REDUCTIONS:
        case("generalizedBoxIouLoss", giou, {"x": x, "target": target}, {"reduction": reduction})
    case("generalizedBoxIouLoss", giou, {"x": x.reshape(2, 2, 4), "target": target.reshape(2, 2, 4)}, {"reduction": "none", "eps": 0.5}, nograd=["target"])


for family in [classification, regression, ranking, ctc, segmentation, further, boxes]:
    family()
g.write()
