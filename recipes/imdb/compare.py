"""The recipe's fine-tuning in PyTorch, on the same reviews: `python compare.py --model ./all-MiniLM-L6-v2 --data <folder>`

Needs torch and transformers. Same texts, lengths, batch size, optimiser and schedule as main.ts; the new classifier and
the order of the reviews are PyTorch's own.
"""

import argparse
import gzip
import json
import math
import time
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForSequenceClassification, AutoTokenizer, get_linear_schedule_with_warmup

parser = argparse.ArgumentParser()
parser.add_argument("--model", default="sentence-transformers/all-MiniLM-L6-v2")
parser.add_argument("--data", required=True)
parser.add_argument("--epochs", type=int, default=1)
parser.add_argument("--lr", type=float, default=1e-4)
parser.add_argument("--length", type=int, default=256)
parser.add_argument("--limit", type=int, default=25000)
parser.add_argument("--seed", type=int, default=1)
args = parser.parse_args()
start = time.perf_counter()


def reviews(part):
    with gzip.open(Path(args.data) / "imdb" / f"{part}.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return rows[:: math.ceil(len(rows) / args.limit)]


torch.manual_seed(args.seed)
tokenizer = AutoTokenizer.from_pretrained(args.model)
model = AutoModelForSequenceClassification.from_pretrained(args.model, num_labels=2)


def encode(rows):
    texts = tokenizer([row["text"] for row in rows], truncation=True, max_length=args.length)["input_ids"]
    return list(zip(texts, (int(row["label"]) for row in rows)))


def run(rows):
    batch = tokenizer.pad({"input_ids": [ids for ids, _ in rows]}, pad_to_multiple_of=8, return_tensors="pt")
    return model(**batch, labels=torch.tensor([label for _, label in rows]))


def bucketed(rows, size):
    """Batches of texts of similar length, in random order."""
    order = torch.randperm(len(rows)).tolist()
    pools = [sorted(order[i : i + 50 * size], key=lambda j: len(rows[j][0])) for i in range(0, len(order), 50 * size)]
    batches = [pool[i : i + size] for pool in pools for i in range(0, len(pool), size)]
    return [[rows[j] for j in batches[b]] for b in torch.randperm(len(batches)).tolist()]


train, test = encode(reviews("train")), encode(reviews("test"))
plain = [p for name, p in model.named_parameters() if name.endswith(".bias") or "LayerNorm" in name]
decayed = [p for name, p in model.named_parameters() if not (name.endswith(".bias") or "LayerNorm" in name)]
optimizer = torch.optim.AdamW(
    [{"params": decayed, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0}], lr=args.lr, fused=True)
total = args.epochs * math.ceil(len(train) / 16)
schedule = get_linear_schedule_with_warmup(optimizer, round(total / 10), total)
model.train()
for _ in range(args.epochs):
    for rows in bucketed(train, 16):
        loss = run(rows).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
trained = time.perf_counter() - start
model.eval()
right = 0
with torch.no_grad():
    test.sort(key=lambda row: len(row[0]))
    for i in range(0, len(test), 32):
        rows = test[i : i + 32]
        right += (run(rows).logits.argmax(-1) == torch.tensor([label for _, label in rows])).sum().item()
print(f"PyTorch {torch.__version__}, transformers {transformers.__version__}: {len(train)} to train on, {len(test)} to test")
print(f"test accuracy {right / len(test):.4f} ({len(test) - right} wrong); training {trained:.1f} s")
