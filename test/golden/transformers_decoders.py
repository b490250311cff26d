"""Decoder families as Python's transformers computes them: outputs, losses and gradients of tiny models with fixed
weights, texts that `generate` writes, scores after logits processors.

    python transformers_decoders.py
"""

import torch
import transformers
from transformers import (
    GPT2Config, GPT2ForSequenceClassification, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM,
    LlamaForSequenceClassification, MistralConfig, MistralForCausalLM, Qwen2Config, Qwen2ForCausalLM, T5Config,
    T5EncoderModel, T5ForConditionalGeneration,
)
from transformers.generation.logits_process import (
    MinNewTokensLengthLogitsProcessor, RepetitionPenaltyLogitsProcessor, TemperatureLogitsWarper, TopKLogitsWarper,
    TopPLogitsWarper,
)
from transformers.models.t5.modeling_t5 import T5Attention

import common
from common import Golden, ints, normal

golden = Golden("transformers_decoders")
VOCAB = 19


def build(model_class, config, scale=0.4):
    """A model in evaluation mode whose weights are short decimals; tied ones stay tied."""
    torch.manual_seed(0)
    model = model_class(config).eval()
    if hasattr(model, "lm_head") and not getattr(config, "scale_decoder_outputs", True):
        # transformers 5 always ties T5; checkpoints of T5 1.1 have a head of their own, as transformers 4 knows.
        model.lm_head.weight = torch.nn.Parameter(torch.zeros(VOCAB, config.d_model))
        model.config.tie_word_embeddings = False
    with torch.no_grad():
        for name, p in model.named_parameters():
            offset = 1.0 if "norm" in name or "ln_" in name else 0.0
            if name.endswith(".bias"):
                offset = 0.0
            p.copy_(torch.round((normal(*p.shape, scale=scale) + offset) * 1000) / 1000)
    return model


def state_of(model):
    """The tensors that a saved checkpoint has."""
    tied = set(getattr(model, "all_tied_weights_keys", {}) or {})
    if hasattr(model, "shared") and not model.config.tie_word_embeddings:
        tied.remove("lm_head.weight")
    return {k: v for k, v in model.state_dict().items() if k not in tied}


def config_of(model):
    json = model.config.to_dict()
    keep = {k: v for k, v in json.items() if v is not None and k not in ("transformers_version", "architectures", "dtype")}
    return keep | {"model_type": model.config.model_type}


def case(name, model, inputs, outputs, valid=None):
    """Outputs, loss and gradients; `valid` marks the positions of the outputs that padding does not touch."""
    model.zero_grad()
    result = model(**inputs)
    got = {key: getattr(result, key) for key in outputs}
    grads = {}
    if "labels" in inputs:
        result.loss.backward()
        grads = {k: p.grad if p.grad is not None else torch.zeros_like(p) for k, p in model.named_parameters()}
        got["loss"] = result.loss
    first = ":" not in name
    same = {"config": config_of(model), "state": state_of(model)} if first else {"model": name.split(":")[0]}
    golden.add({"name": name, "op": type(model).__name__, **same, "inputs": inputs, "outputs": got, "grads": grads, **({"valid": valid} if valid is not None else {})})


def written(name, model, prompts, mask=None, **options):
    """What generate() writes for prompts of one length, padded where the mask says so."""
    ids = torch.tensor(prompts)
    mask = torch.tensor(mask) if mask is not None else torch.ones_like(ids)
    with torch.no_grad():
        out = model.generate(ids, attention_mask=mask, do_sample=False, **options)
    golden.add({"name": f"generate {name}", "op": "generate", "model": f"{name.split(':')[0]} writer",
                "inputs": {"input_ids": ids, "attention_mask": mask}, "options": options, "output": out})


right = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]])
left = torch.flip(right, [1])
left_positions = (left.cumsum(-1) - 1).clamp(min=0)


def causal_cases(prefix, model):
    pad = model.config.pad_token_id or 0
    ids = ints(2, 6, low=3, below=VOCAB)
    with_labels = torch.where(right.bool(), ids, torch.tensor(-100))
    case(prefix, model, {"input_ids": ids, "labels": ids}, ["logits"])
    case(f"{prefix}: padding on the right", model,
         {"input_ids": torch.where(right.bool(), ids, pad), "attention_mask": right, "labels": with_labels}, ["logits"], right)
    flipped = torch.where(left.bool(), ids, pad)
    case(f"{prefix}: padding on the left", model,
         {"input_ids": flipped, "attention_mask": left, "position_ids": left_positions,
          "labels": torch.where(left.bool(), ids, torch.tensor(-100))}, ["logits"], left)


PROMPTS = [[5, 3, 8], [4, 4, 9], [11, 7, 3]]
PADDED, MASK = [[0, 0, 5, 3], [6, 12, 4, 9], [0, 7, 8, 3]], [[0, 0, 1, 1], [1, 1, 1, 1], [0, 1, 1, 1]]
BEAMS = [(2, 1.0, False), (3, 2.0, True), (4, 0.0, "never"), (3, -1.0, False), (4, 1.5, "never")]


def varied(make, several=False):
    """A model that does not repeat itself much, and a token that ends some of its texts in the middle."""
    while True:
        model = make()
        run = lambda **o: model.generate(torch.tensor(PADDED), attention_mask=torch.tensor(MASK), do_sample=False,
                                         max_new_tokens=9, pad_token_id=2, **o)[:, -9:].tolist()
        rows = run(eos_token_id=None)
        if min(len(set(r)) for r in rows) < 4:
            continue
        for eos in range(3, VOCAB):
            at = [r.index(eos) if eos in r else 9 for r in rows]
            if len(set(at)) < 2 or not 2 < min(at) < 7:
                continue
            found = {str(run(eos_token_id=eos, num_beams=n, length_penalty=p, early_stopping=e)) for n, p, e in BEAMS}
            if len(found) > 3:
                return model, [eos, 2] if several else eos


def generation_cases(prefix, model, eos):
    for i, p in enumerate(PROMPTS):
        written(f"{prefix}: greedy {i}", model, [p], max_new_tokens=12, eos_token_id=None, pad_token_id=0)
    batch = {"pad_token_id": 0, "eos_token_id": eos}
    written(f"{prefix}: greedy batch", model, PADDED, MASK, max_new_tokens=12, **batch)
    written(f"{prefix}: min_new_tokens", model, PADDED, MASK, max_new_tokens=12, min_new_tokens=6, **batch)
    written(f"{prefix}: repetition_penalty", model, PADDED, MASK, max_new_tokens=10, repetition_penalty=1.7, **batch)
    beam = {"pad_token_id": 2, "eos_token_id": eos}
    for beams, penalty, early in BEAMS:
        written(f"{prefix}: beams {beams} {penalty} {early}", model, PADDED, MASK, max_new_tokens=9, num_beams=beams,
                length_penalty=penalty, early_stopping=early, **beam)
    written(f"{prefix}: beams without end", model, PADDED, MASK, max_new_tokens=7, num_beams=3, pad_token_id=2,
            eos_token_id=None)


def writer(name, make, several=False):
    model, eos = varied(make, several)
    generation_cases(name, model, eos)
    golden.add({"name": f"{name} writer", "op": "model", "config": config_of(model), "state": state_of(model)})


def gpt2(**changes):
    return GPT2Config(**{"vocab_size": VOCAB, "n_positions": 40, "n_embd": 8, "n_layer": 2, "n_head": 2, "bos_token_id": 1,
                         "eos_token_id": 2, "pad_token_id": 0, "num_labels": 3, "attn_implementation": "sdpa"} | changes)


def llama(config_class=LlamaConfig, **changes):
    return config_class(**{"vocab_size": VOCAB, "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 2,
                           "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64,
                           "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "num_labels": 3,
                           "attn_implementation": "sdpa"} | changes)


def t5(**changes):
    return T5Config(**{"vocab_size": VOCAB, "d_model": 8, "d_kv": 3, "d_ff": 12, "num_layers": 2, "num_heads": 2,
                       "relative_attention_num_buckets": 8, "relative_attention_max_distance": 10, "decoder_start_token_id": 0,
                       "attn_implementation": "sdpa"} | changes)


def classify(name, model_class, config):
    model = build(model_class, config)
    ids = ints(2, 6, low=3, below=VOCAB)
    case(name, model, {"input_ids": torch.where(right.bool(), ids, 0), "attention_mask": right,
                       "labels": torch.tensor([2, 0])}, ["logits"])


model = build(GPT2LMHeadModel, gpt2())
causal_cases("gpt2", model)
writer("gpt2", lambda: build(GPT2LMHeadModel, gpt2(tie_word_embeddings=False), scale=0.7))
causal_cases("gpt2 options", build(GPT2LMHeadModel, gpt2(
    scale_attn_by_inverse_layer_idx=True, scale_attn_weights=False, n_inner=10, activation_function="relu",
    tie_word_embeddings=False)))
classify("gpt2 classifier", GPT2ForSequenceClassification, gpt2())

causal_cases("llama", build(LlamaForCausalLM, llama()))
causal_cases("llama tied, biases", build(LlamaForCausalLM, llama(
    tie_word_embeddings=True, attention_bias=True, mlp_bias=True, num_key_value_heads=4, head_dim=4)))
causal_cases("llama linear", build(LlamaForCausalLM, llama(
    rope_parameters={"rope_type": "linear", "factor": 3.0, "rope_theta": 5000.0})))
causal_cases("llama 3", build(LlamaForCausalLM, llama(rope_parameters={
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32, "rope_theta": 500.0}, head_dim=8)))
causal_cases("mistral", build(MistralForCausalLM, llama(MistralConfig, sliding_window=None)))
causal_cases("qwen2", build(Qwen2ForCausalLM, llama(Qwen2Config)))
classify("llama classifier", LlamaForSequenceClassification, llama())
writer("llama", lambda: build(LlamaForCausalLM, llama(), scale=0.7), several=True)


def t5_cases(prefix, model):
    ids, labels = ints(2, 7, low=3, below=VOCAB), ints(2, 5, low=3, below=VOCAB)
    mask = torch.tensor([[1] * 7, [1] * 5 + [0] * 2])
    labels[1, 3:] = -100
    case(prefix, model, {"input_ids": ids, "labels": labels}, ["logits", "encoder_last_hidden_state"])
    case(f"{prefix}: padding", model, {"input_ids": torch.where(mask.bool(), ids, 0), "attention_mask": mask,
                                       "labels": labels}, ["logits"])


t5_cases("t5", build(T5ForConditionalGeneration, t5()))
t5_cases("t5 v1.1", build(T5ForConditionalGeneration, t5(
    feed_forward_proj="gated-gelu", tie_word_embeddings=False, num_decoder_layers=1)))
encoder = build(T5EncoderModel, t5())
case("t5 encoder", encoder, {"input_ids": ints(2, 7, low=3, below=VOCAB)}, ["last_hidden_state"])
writer("t5", lambda: build(T5ForConditionalGeneration, t5(), scale=0.9))

distance = torch.arange(-300, 301)
for both in (True, False):
    for buckets, longest in ((32, 128), (8, 10), (64, 200)):
        golden.add({"name": f"buckets {both} {buckets} {longest}", "op": "buckets", "bidirectional": both,
                    "buckets": buckets, "maxDistance": longest,
                    "output": T5Attention._relative_position_bucket(distance, both, buckets, longest)})

scores, tokens = normal(3, 12, scale=2.0), ints(3, 5, below=12)
for name, processor in {
    "temperature": TemperatureLogitsWarper(0.7), "topK": TopKLogitsWarper(4), "topP": TopPLogitsWarper(0.8),
    "topP small": TopPLogitsWarper(0.05), "repetitionPenalty": RepetitionPenaltyLogitsProcessor(1.4),
    "minNewTokens": MinNewTokensLengthLogitsProcessor(3, 4, [2, 7]),
}.items():
    golden.add({"name": f"scores {name}", "op": "scores", "args": {"scores": scores, "tokens": tokens},
                "output": processor(tokens, scores.clone())})
chain = scores.clone()
for processor in (RepetitionPenaltyLogitsProcessor(1.4), TemperatureLogitsWarper(0.7), TopKLogitsWarper(6), TopPLogitsWarper(0.8)):
    chain = processor(tokens, chain)
golden.add({"name": "scores all", "op": "scores", "args": {"scores": scores, "tokens": tokens}, "output": chain})
golden.add({"name": "versions", "op": "versions", "transformers": transformers.__version__})
golden.write()
