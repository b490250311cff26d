"""Windows and logits of questions by Python's transformers. Run by check.ts: python read_folder.py FOLDER LENGTH < questions.json"""
import json
import sys

import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer, __version__

folder, length, questions = sys.argv[1], int(sys.argv[2]), json.load(sys.stdin)
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForQuestionAnswering.from_pretrained(folder).eval()
ids, logits = [], []
for q in questions:
    rows = tokenizer(q["question"], q["context"], truncation="only_second", max_length=length,
                     stride=min(128, length // 2), return_overflowing_tokens=True)
    for i in range(len(rows["input_ids"])):
        names = [n for n in ("input_ids", "attention_mask", "token_type_ids") if n in rows]
        with torch.no_grad():
            out = model(**{n: torch.tensor([rows[n][i]]) for n in names})
        ids.append(rows["input_ids"][i])
        logits += out.start_logits[0].tolist() + out.end_logits[0].tolist()
print(json.dumps({"version": __version__, "ids": ids, "logits": logits}))
