"""What Python's tokenizers make of the files that trainTokenizer wrote, and what its own trainers learn from the corpus.

Run: python test/golden/tokenizers_trained.py   (pip install tokenizers; needs node and the packages of package.json)
"""
import json
import pathlib
import subprocess

import tokenizers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

TEXTS = [
    "",
    "the slowest newcomer is unbelievably wide",
    "CAFÉ crème, Über-naïve! 日本 中国 😀👍 ~ y=f(1234)",
    "lowlowlow [MASK] <|endoftext|> tab\tand\nline",
    "the the the lower",
]

folder = pathlib.Path(__file__).parent
made = json.loads(subprocess.run(
    ["node", "-C", "gradus-source", "--import", "tsx", str(folder / "tokenizers_trained.ts")],
    check=True, capture_output=True, cwd=folder.parent.parent).stdout)
out = dict(version=tokenizers.__version__, texts=TEXTS)
for kind in ("wordpiece", "bpe"):
    t = Tokenizer.from_str(made[kind])
    encoded = [t.encode(text) for text in TEXTS]
    out[kind] = dict(ids=[e.ids for e in encoded], offsets=[e.offsets for e in encoded])

t = Tokenizer(models.BPE())
t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
t.train_from_iterator(made["corpus"], trainers.BpeTrainer(
    vocab_size=320, min_frequency=2, special_tokens=["<|endoftext|>"], show_progress=False,
    initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
model = json.loads(t.to_str())["model"]
out["bpe"] |= dict(merges=model["merges"], vocab=sorted(model["vocab"], key=model["vocab"].get))

t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
t.normalizer = normalizers.BertNormalizer(lowercase=True)
t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
t.train_from_iterator(made["corpus"], trainers.WordPieceTrainer(
    vocab_size=150, min_frequency=2, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False))
out["wordpiece"]["vocab"] = sorted(t.get_vocab())
(folder / "tokenizers_trained.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")
