"""Logits and tokens of texts by Python's transformers. Run by check.ts: python read_folder.py FOLDER < texts.json"""
import json
import sys

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, __version__

folder, texts = sys.argv[1], json.load(sys.stdin)
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
inputs = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
with torch.no_grad():
    logits = model(**inputs).logits
labels = [model.config.id2label[i] for i in range(model.config.num_labels)]
ids = [row[mask.bool()].tolist() for row, mask in zip(inputs["input_ids"], inputs["attention_mask"])]
print(json.dumps({"version": __version__, "logits": logits.tolist(), "labels": labels, "ids": ids}))
