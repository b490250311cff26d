"""Golden values of question answering: `python question_answering.py` writes question_answering.json (needs tokenizers).

- scores: normalised answers, exact match and F1 by the rules of SQuAD's evaluation programs (evaluate-v1.1.py and
  evaluate-v2.0.py of https://rajpurkar.github.io/SQuAD-explorer, whose functions are repeated here)
- windows: ids, positions in the context and answers of windows, as transformers' examples/pytorch/question-answering/
  run_qa.py makes them (prepare_train_features, repeated here for one question)
- spans: the best passages by the rule of the question-answering pipeline of transformers 4 (decode_spans)
"""
import collections
import json
import pathlib
import random
import re
import string

import numpy as np
import tokenizers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

SEED = 20261124
rng = random.Random(SEED)


def normalize_answer(s):
    def remove_articles(text):
        return re.sub(r"\b(a|an|the)\b", " ", text)

    def white_space_fix(text):
        return " ".join(text.split())

    def remove_punc(text):
        exclude = set(string.punctuation)
        return "".join(ch for ch in text if ch not in exclude)

    return white_space_fix(remove_articles(remove_punc(s.lower())))


def f1_v1(prediction, truth):
    prediction, truth = normalize_answer(prediction).split(), normalize_answer(truth).split()
    same = sum((collections.Counter(prediction) & collections.Counter(truth)).values())
    if same == 0:
        return 0
    precision, recall = same / len(prediction), same / len(truth)
    return 2 * precision * recall / (precision + recall)


def f1_v2(prediction, truth):
    a, b = normalize_answer(truth).split(), normalize_answer(prediction).split()
    return int(a == b) if not a or not b else f1_v1(prediction, truth)


def score_v2(prediction, truths):
    gold = [t for t in truths if normalize_answer(t)] or [""]
    exact = max(int(normalize_answer(prediction) == normalize_answer(t)) for t in gold)
    f1 = max(f1_v2(prediction, t) for t in gold)
    if all(normalize_answer(t) for t in truths) and truths and normalize_answer(prediction):
        assert f1 == max(f1_v1(prediction, t) for t in truths)
    return exact, f1


PIECES = ["the", "The", "a", "an", "An", "A.", "cat", "Cat's", "cat,", "1,000", "théâtre", "éa", "a_b", "the-end", "(1912)",
          "İ", "ΣΑΣ", "東京", "$5", "“quoted”", "a.", "AN", "and", "U.S.", "naïve", "a\u0301", "²a", "…", "—"]
SPACES = [" ", "  ", "\t", "\n", "\u00a0", "\u3000", "\u2028", "\x1c", "\x85", "\ufeff", ""]


def phrase():
    return "".join(rng.choice(PIECES) + rng.choice(SPACES) for _ in range(rng.randint(0, 5)))


scores = []
for _ in range(150):
    prediction = phrase()
    truths = [phrase() for _ in range(rng.randint(0, 3))]
    if rng.random() < 0.3:
        truths.append(prediction.upper() + ".")
    exact, f1 = score_v2(prediction, truths)
    scores.append(dict(answer=prediction, expected=truths, normalized=normalize_answer(prediction), exact=exact, f1=f1))

WORDS = "the tower of paris was built in 18 ##89 by eif ##fel ##s company who ? , . when where is it and 3 ##30 metres high".split()
VOCAB = {w: i for i, w in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + WORDS)}
t = Tokenizer(models.WordPiece(VOCAB, unk_token="[UNK]"))
t.normalizer = normalizers.BertNormalizer(lowercase=True)
t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
t.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
tokenizer = json.loads(t.to_str())

CONTEXT = ("The Tower of Paris was built in 1889, by Eiffel's company. It is 330 metres high, and Eiffel was it. "
           "Where was it built? In Paris, in 1889, and the tower is 330 metres high.")
CASES = [("When was it built?", "1889", 0), ("Who built the tower?", "Eiffel's company", 0), ("Where?", "Paris", 1),
         ("Who?", "88", 0), ("Where is it ?", "In Paris, in 1889, and the tower", 0), ("Where is the tower?", None, 0)]


def window_features(question, answer, max_length, stride):
    t.enable_truncation(max_length, stride=stride, strategy="only_second")
    first = t.encode(question, CONTEXT)
    rows = []
    for e in [first, *first.overflowing]:
        cls, offsets, sequence = e.ids.index(2), e.offsets, e.sequence_ids
        start, end = 0, len(e.ids) - 1
        while sequence[start] != 1:
            start += 1
        while sequence[end] != 1:
            end -= 1
        context_start, context = start, [list(o) for o, s in zip(offsets, sequence) if s == 1]
        if answer is None:
            position = [cls, cls]
        else:
            begin, finish = answer["start"], answer["start"] + len(answer["text"])
            if not (offsets[start][0] <= begin and offsets[end][1] >= finish):
                position = [cls, cls]
            else:
                while start < len(offsets) and offsets[start][0] <= begin and sequence[start] == 1:
                    start += 1
                while offsets[end][1] >= finish and sequence[end] == 1:
                    end -= 1
                position = [start - 1, end + 1]
        rows.append(dict(ids=e.ids, types=e.type_ids, contextStart=context_start, offsets=context, position=position))
    return rows


windows = []
for question, text, nth in CASES:
    for max_length, stride in ((64, 8), (24, 6), (20, 0)):
        answer = None
        if text is not None:
            at = -1
            for _ in range(nth + 1):
                at = CONTEXT.index(text, at + 1)
            answer = dict(text=text, start=at)
        windows.append(dict(question=question, answer=answer, maxLength=max_length, stride=stride,
                            rows=window_features(question, answer, max_length, stride)))


def decode_spans(start, end, mask, top_k, max_answer_len):
    """Rows of scores of one window; mask: True at the context's tokens and [CLS], which is token 0."""
    def probabilities(x):
        x = np.where(mask, x, -10000.0)
        x = np.exp(x - x.max())
        return x / x.sum()

    start, end = probabilities(start), probabilities(end)
    null = float(start[0] * end[0])
    start[0] = end[0] = 0.0
    outer = np.tril(np.triu(np.matmul(start[:, None], end[None])), max_answer_len - 1)
    order = np.argsort(-outer.flatten(), kind="stable")[:top_k]
    starts, ends = np.unravel_index(order, outer.shape)
    return [[int(s), int(e), float(outer[s, e])] for s, e in zip(starts, ends)], null


spans = []
numbers = np.random.default_rng(SEED)
for length, context_start, padding, top_k, longest in ((12, 4, 2, 3, 15), (20, 6, 0, 5, 3), (9, 3, 1, 2, 1), (30, 5, 4, 8, 6)):
    start, end = (np.round(numbers.normal(size=length) * 3, 4) for _ in range(2))
    mask = np.zeros(length, bool)
    mask[0] = True
    mask[context_start:length - 1 - padding] = True
    found, null = decode_spans(start, end, mask, top_k, longest)
    spans.append(dict(start=start.tolist(), end=end.tolist(), contextStart=context_start,
                      tokens=length - 1 - padding - context_start, topK=top_k, maxAnswerLen=longest, spans=found, nullScore=null))

out = dict(tokenizers=tokenizers.__version__, numpy=np.__version__, seed=SEED, scores=scores, tokenizer=tokenizer,
           context=CONTEXT, windows=windows, spans=spans)
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps(out, separators=(",", ":")) + "\n")
print(path.stat().st_size, "bytes")
