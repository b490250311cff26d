"""Golden models of Python's transformers: `python transformers_models.py` writes the folders transformers/<case>.

Each holds a tiny model with random weights as `save_pretrained` writes it (config.json, model.safetensors) and
golden.safetensors: a batch with padding (`input.*`), outputs (`output.*`), the loss and its gradients for all parameters
(`grad.*`, by the keys of model.safetensors). Values are evaluated in float64 from exact float32 weights. The loss of a
model without a head is sum(lastHiddenState * cotangent) + sum(poolerOutput).
"""

import shutil
import tempfile
from pathlib import Path

import torch
import transformers as T
from safetensors.torch import load_file, save_file

from common import SEED, ints, normal

T.logging.set_verbosity_error()
T.logging.disable_progress_bar()
folder = Path(__file__).parent / "transformers"
VOCAB, BATCH, LENGTH = 30, 3, 7


def randomise(model):
    """Weights that matter: matrices of scale 0.3, norms near 1, biases near 0."""
    for name, p in model.named_parameters():
        lower = name.lower()
        values = normal(*p.shape, scale=0.1 if p.ndim == 1 else 0.3)
        p.data = values + 1 if "norm" in lower and lower.endswith("weight") else values
    model.tie_weights()


def save(name, model, inputs, outputs):
    """Weights and gradients, both under the keys that `save_pretrained` gives them."""
    out = folder / name
    shutil.rmtree(out, ignore_errors=True)
    model.float().eval().save_pretrained(out)
    model.double().zero_grad()
    result = model(**inputs)
    if "cotangent" in outputs:
        loss = (result.last_hidden_state * outputs["cotangent"].double()).sum()
        if getattr(result, "pooler_output", None) is not None:
            loss = loss + result.pooler_output.sum()
        inputs = {**inputs, "cotangent": outputs["cotangent"]}
    else:
        loss = result.loss
    loss.backward()
    golden = {f"input.{k}": v.float() if v.is_floating_point() else v for k, v in inputs.items()}
    golden |= {f"output.{k}": v.detach().float() for k, v in result.items() if k != "loss" and torch.is_tensor(v)}
    golden["output.loss"] = loss.detach().float()
    for p in model.parameters():
        p.data = torch.zeros_like(p) if p.grad is None else p.grad.clone()
    with tempfile.TemporaryDirectory() as other:
        model.float().save_pretrained(other)
        golden |= {f"grad.{k}": v for k, v in load_file(f"{other}/model.safetensors").items()}
    about = {"generator": f"transformers_models.py, seed {SEED}, transformers {T.__version__}, torch {torch.__version__}"}
    save_file({k: v.contiguous().clone() for k, v in golden.items()}, out / "golden.safetensors", about)


def tokens(family, pad, shape=(BATCH, LENGTH)):
    mask = torch.ones(shape, dtype=torch.int64)
    mask[..., -1, 4:] = 0
    mask[..., 0, 6:] = 0
    inputs = {"input_ids": torch.where(mask > 0, ints(*shape, low=3, below=VOCAB), torch.tensor(pad)), "attention_mask": mask}
    if family == "bert":
        inputs["token_type_ids"] = ints(*shape, below=2) * mask
    return inputs


TEXT = {
    "bert": (T.BertConfig, "Bert", {"pad_token_id": 0}),
    "roberta": (T.RobertaConfig, "Roberta", {"pad_token_id": 1, "type_vocab_size": 1, "hidden_act": "gelu"}),
    "distilbert": (T.DistilBertConfig, "DistilBert", {"pad_token_id": 0}),
}


def text_config(family, **changes):
    kind, _, own = TEXT[family]
    size = dict(vocab_size=VOCAB, max_position_embeddings=16)
    if family == "distilbert":
        size |= dict(dim=12, hidden_dim=20, n_layers=2, n_heads=3)
    else:
        size |= dict(hidden_size=12, intermediate_size=20, num_hidden_layers=2, num_attention_heads=3)
    return kind(**size, **own, **changes, attn_implementation="eager")


def text_case(family, name, head, labels, shape=(BATCH, LENGTH), **changes):
    torch.manual_seed(0)
    config = text_config(family, **changes)
    model = getattr(T, TEXT[family][1] + head)(config)
    randomise(model)
    save(f"{family}-{name}", model, {**tokens(family, config.pad_token_id, shape), **labels}, {})


def base_case(name, model, inputs, shape):
    randomise(model)
    save(name, model, inputs, {"cotangent": normal(*shape)})


def token_labels(below):
    labels = ints(BATCH, LENGTH, below=below)
    labels[0, 0] = labels[1, 3] = labels[2, 4:] = -100
    return labels


for family in TEXT:
    shape = (BATCH, LENGTH, 12)
    config = text_config(family)
    base_case(f"{family}-base", getattr(T, TEXT[family][1] + "Model")(config), tokens(family, config.pad_token_id), shape)
    kind = "ForSequenceClassification"
    text_case(family, "sequence", kind, {"labels": ints(BATCH, below=3)}, num_labels=3)
    text_case(family, "token", "ForTokenClassification", {"labels": token_labels(4)}, num_labels=4)
    spans = {"start_positions": torch.tensor([1, 4, 40]), "end_positions": torch.tensor([3, 5, 2])}
    text_case(family, "question", "ForQuestionAnswering", spans)
    text_case(family, "choice", "ForMultipleChoice", {"labels": torch.tensor([2, 0])}, shape=(2, 3, LENGTH))
    text_case(family, "masked", "ForMaskedLM", {"labels": token_labels(VOCAB)})
text_case("bert", "regression", "ForSequenceClassification", {"labels": normal(BATCH).double()}, num_labels=1)
several = {"labels": ints(BATCH, 4, below=2).double()}
text_case("bert", "multilabel", "ForSequenceClassification", several, num_labels=4, problem_type="multi_label_classification")
text_case("bert", "next", "ForNextSentencePrediction", {"labels": ints(BATCH, below=2)})
# Neither mask nor token types; another activation.
plain = T.BertModel(text_config("bert", hidden_act="gelu_new"))
base_case("bert-plain", plain, {"input_ids": ints(2, 5, low=1, below=VOCAB)}, (2, 5, 12))

picture = dict(hidden_size=12, intermediate_size=20, num_hidden_layers=2, num_attention_heads=3, image_size=8, patch_size=4)
config = T.ViTConfig(**picture, num_labels=3, attn_implementation="eager")
base_case("vit-base", T.ViTModel(config), {"pixel_values": normal(2, 3, 8, 8).double()}, (2, 5, 12))
model = T.ViTForImageClassification(config)
randomise(model)
save("vit-image", model, {"pixel_values": normal(2, 3, 8, 8).double(), "labels": torch.tensor([2, 0])}, {})
