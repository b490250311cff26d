"""Golden values of the losses of sentence-transformers: `python sentence_losses.py` writes transformers/sentence-losses.safetensors.

Embeddings a, p, n [4, 6], wanted similarities, and each loss with its gradients (`<loss>.loss`, `<loss>.grad.a`).
"""

from pathlib import Path

import sentence_transformers
import torch
from safetensors.torch import save_file
from sentence_transformers.sentence_transformer import losses

from common import SEED, normal, uniform


class Given(torch.nn.Module):
    """A model whose embeddings are the features themselves."""

    def forward(self, features):
        return {"sentence_embedding": features["e"]}


embeddings = {k: normal(4, 6) for k in "apn"}
similarities = uniform(4)
cases = {
    "ranking": (losses.MultipleNegativesRankingLoss(Given()), "ap", None),
    "ranking_negatives": (losses.MultipleNegativesRankingLoss(Given(), scale=10), "apn", None),
    "cosine": (losses.CosineSimilarityLoss(Given()), "ap", similarities.double()),
    "triplet": (losses.TripletLoss(Given()), "apn", None),
    "triplet_cosine": (losses.TripletLoss(Given(), distance_metric=losses.TripletDistanceMetric.COSINE, triplet_margin=0.5), "apn", None),
}
golden = {**embeddings, "similarities": similarities}
for name, (loss, keys, labels) in cases.items():
    inputs = [embeddings[k].double().requires_grad_() for k in keys]
    value = loss([{"e": x} for x in inputs], labels)
    value.backward()
    golden[f"{name}.loss"] = value.detach().float()
    golden |= {f"{name}.grad.{k}": x.grad.float() for k, x in zip(keys, inputs)}
about = f"sentence_losses.py, seed {SEED}, sentence-transformers {sentence_transformers.__version__}, torch {torch.__version__}"
save_file(golden, Path(__file__).parent / "transformers" / "sentence-losses.safetensors", {"generator": about})
