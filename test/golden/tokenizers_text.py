"""Token ids, positions, truncation and padding of Python's fast tokenizers, for src/hub/tokenizer.

Run: python test/golden/tokenizers_text.py   (pip install tokenizers transformers sentencepiece)
Trains tiny tokenizers of every kind on the sentences below and writes tokenizers.json: each tokenizer.json and
tokenizer_config.json, and what Python makes of the texts. Positions are code points there; the test converts them.
"""
import base64
import json
import pathlib

import tokenizers
import transformers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

CORPUS = [
    "The quick brown fox jumps over the lazy dog.",
    "A slow start, but the last hour is magnificent; the acting isn't bad either!",
    "I've seen this film 12 times in 2023 and 3 times before. It's unforgettable, unbelievable and unmissable.",
    "Café crème brûlée à la carte: naïve façade, coöperate, Zürich, Ångström.",
    "The lower the newer, the wider the slower: lowest, newest, widest, slowest.",
    "日本語のテキスト と 中文文本。 한국어 텍스트도 있습니다.",
    "Ελληνικά: ΣΟΦΟΣ σοφός. Привет, мир! İstanbul'da ışık.",
    "def f(x):\n    return x ** 2  # comment\n\n\nprint(f(3))",
    "emoji 😀 👍🏽 👨‍👩‍👧 flags 🇨🇭 and more 😀😀",
] * 3

TEXTS = [
    "",
    " ",
    "The quick brown fox jumps over the lazy dog.",
    "  Leading, trailing   and\tinner\r\nwhite space \n",
    "Café crème brûlée e\u0301te\u0301 a\u0323\u0307 naïve Å Å \ufb01ne ½ Ⅷ ①",
    "日本語のテキスト中文𠀀𪜀 한국어 한국",
    "Ελληνικά ΣΟΦΟΣ İSTANBUL ẞ straße ǅ",
    "emoji 😀 👍🏽👨‍👩‍👧 🇨🇭\u200d x\ufe0f",
    "control \x00\x01\x1f\x7f\x85\xa0\xad\u200b\u200e\u2028\u3000\ufeff\ufffd\ue000 end",
    "unaffable " + "abcdefghij" * 13 + " word " + "😀" * 40,
    "don't can't I'VE we'll he'd 's' 12345 3.14 1,000,000 x=y+z; a_b <html> $5 ~^`|",
    "[CLS] literal [MASK] special [SEP] tokens<s></s> <mask>x <pad>[PAD] <|endoftext|>a",
    "new_token and my new_tokens, NEW_TOKEN strip<sp>  me",
    "def f(x):\n\treturn x ** 2\n\n\n    print( f(3) )   ",
    "the the the the the the the the the the the the the the the the the the",
    "\x01ς's  z<s>😀x \ufb01\x01n\u200dnew_token ｱ👍🏽\ufeffXY ﷺ\r\nक्षि ～",
]
PAIRS = [(2, 10), (10, 2), (0, 4), (4, 0), (14, 3), (3, 14)]
SPECIAL = {
    "bert": ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
    "roberta": ["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
    "gpt2": ["<|endoftext|>"],
    "t5": ["<pad>", "</s>", "<unk>"],
    "llama": ["<unk>", "<s>", "</s>"],
}


def bert(lowercase, strip_accents=None, **config):
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=lowercase, strip_accents=strip_accents)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece(prefix="##")
    t.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=400, special_tokens=SPECIAL["bert"], show_progress=False))
    ids = {s: t.token_to_id(s) for s in SPECIAL["bert"]}
    t.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])])
    return t, dict(tokenizer_class="BertTokenizer", pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
                   mask_token="[MASK]", model_max_length=64, model_input_names=["input_ids", "token_type_ids", "attention_mask"], **config)


def byte_level(kind, prefix_space, **config):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=500, special_tokens=SPECIAL[kind], show_progress=False,
                                                       initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    if kind == "roberta":
        t.post_processor = processors.RobertaProcessing(("</s>", t.token_to_id("</s>")), ("<s>", t.token_to_id("<s>")),
                                                        trim_offsets=True, add_prefix_space=prefix_space)
        mask = AddedToken("<mask>", lstrip=True, special=True)
        t.add_special_tokens([mask])
        names = dict(bos_token="<s>", eos_token="</s>", unk_token="<unk>", cls_token="<s>", sep_token="</s>", pad_token="<pad>",
                     mask_token=dict(content="<mask>", lstrip=True, rstrip=False, single_word=False, normalized=True,
                                     special=True, __type="AddedToken"))
    else:
        t.post_processor = processors.ByteLevel(trim_offsets=False)
        names = dict(bos_token="<|endoftext|>", eos_token="<|endoftext|>", unk_token="<|endoftext|>")
        t.add_tokens([AddedToken("new_token", single_word=True, normalized=True), AddedToken("<sp>", rstrip=True, lstrip=True, normalized=False)])
    return t, dict(tokenizer_class="PreTrainedTokenizerFast", model_input_names=["input_ids", "attention_mask"], **names, **config)


def llama3():
    """Split by a regular expression, then bytes; ignore_merges; a post-processor of two parts."""
    t = Tokenizer(models.BPE(ignore_merges=True))
    pattern = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
               r"\s+(?!\S)|\s+")
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=500, special_tokens=["<|begin|>", "<|end|>"], show_progress=False,
                                                       initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    t.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="<|begin|> $A", pair="<|begin|> $A <|begin|>:1 $B:1", special_tokens=[("<|begin|>", 0)])])
    return t, dict(tokenizer_class="PreTrainedTokenizerFast", bos_token="<|begin|>", eos_token="<|end|>", pad_token="<|end|>",
                   padding_side="left", model_input_names=["input_ids", "attention_mask"])


def charsmap():
    """SentencePiece's nmt_nfkc map, taken out of a model that it trains; committed beside this file."""
    kept = pathlib.Path(__file__).parent / "sentencepiece_nmt_nfkc.b64"
    if kept.exists():
        return base64.b64decode(kept.read_text())
    import io

    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(CORPUS), model_writer=model, vocab_size=150, minloglevel=2)
    from google.protobuf.internal.decoder import _DecodeVarint

    data, at = model.getvalue(), 0
    while at < len(data):  # ModelProto: normalizer_spec = 3, in it precompiled_charsmap = 2
        key, at = _DecodeVarint(data, at)
        assert key & 7 == 2, key
        size, at = _DecodeVarint(data, at)
        if key >> 3 == 3:
            spec, inner = data[at:at + size], 0
            while inner < len(spec):
                key, inner = _DecodeVarint(spec, inner)
                if key & 7 == 0:
                    _, inner = _DecodeVarint(spec, inner)
                    continue
                size, inner = _DecodeVarint(spec, inner)
                if key >> 3 == 2:
                    return spec[inner:inner + size]
                inner += size
        at += size
    raise ValueError("no map")


def t5(map_bytes):
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.Sequence([normalizers.Precompiled(map_bytes)] if map_bytes else
                                        [normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()] if map_bytes
                                              else [pre_tokenizers.Metaspace(prepend_scheme="first", split=True)])
    t.decoder = decoders.Metaspace()
    t.train_from_iterator(CORPUS, trainers.UnigramTrainer(vocab_size=300, special_tokens=SPECIAL["t5"], unk_token="<unk>", show_progress=False))
    t.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    return t, dict(tokenizer_class="PreTrainedTokenizerFast", pad_token="<pad>", eos_token="</s>", unk_token="<unk>",
                   model_input_names=["input_ids", "attention_mask"], model_max_length=32)


def llama2(truncation_side):
    """▁ by the normaliser, no pre-tokeniser, bytes for unknown characters."""
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    byte_tokens = [f"<0x{b:02X}>" for b in range(256)]
    split = Tokenizer(models.BPE(unk_token="<unk>"))
    split.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    split.pre_tokenizer = pre_tokenizers.Split("▁", behavior="merged_with_next")
    split.train_from_iterator(CORPUS[:5] + CORPUS[7:8], trainers.BpeTrainer(vocab_size=300, special_tokens=SPECIAL["llama"], show_progress=False))
    state = json.loads(split.to_str())
    vocab = {**{s: i for i, s in enumerate(SPECIAL["llama"])}, **{b: i + 3 for i, b in enumerate(byte_tokens)}}
    for token in state["model"]["vocab"]:
        vocab.setdefault(token, len(vocab))
    vocab.setdefault("▁▁", len(vocab))
    t.model = models.BPE(vocab, [tuple(m) for m in state["model"]["merges"]] + [("▁", "▁")], unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    t.normalizer = split.normalizer
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    t.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in SPECIAL["llama"]])
    t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)])
    return t, dict(tokenizer_class="PreTrainedTokenizerFast", bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="</s>",
                   padding_side="left", truncation_side=truncation_side, model_input_names=["input_ids", "attention_mask"])


def split_kinds():
    """Digits, punctuation and the ways of splitting, on whole words."""
    t = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=12))
    t.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase(), normalizers.Strip()])
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.Punctuation(behavior="contiguous"),
        pre_tokenizers.Split("_", behavior="merged_with_previous"), pre_tokenizers.Split(Regex("[aeiou]"), behavior="removed")])
    t.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=300, special_tokens=SPECIAL["bert"], show_progress=False))
    t.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return t, dict(tokenizer_class="BertTokenizer", pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
                   mask_token="[MASK]", model_input_names=["input_ids", "token_type_ids", "attention_mask"])


CALLS = [
    dict(truncation=True, max_length=12),
    dict(truncation=True, max_length=9, stride=3, return_overflowing_tokens=True),
    dict(padding="max_length", max_length=40, truncation=True),
    dict(padding="max_length", max_length=24, pad_to_multiple_of=8, truncation="longest_first", return_special_tokens_mask=True),
    dict(add_special_tokens=False, truncation=True, max_length=7),
]
PAIR_CALLS = [
    dict(),
    dict(add_special_tokens=False),
    dict(truncation="longest_first", max_length=16),
    dict(truncation="longest_first", max_length=15, stride=2, return_overflowing_tokens=True),
    dict(truncation="only_first", max_length=40),
    dict(truncation="only_second", max_length=40, stride=4, return_overflowing_tokens=True, padding="max_length"),
]


def call(tokenizer, text, pair, options):
    """One encoding, or one for each window. As a batch of one, because a single empty second text counts as none."""
    try:
        data = dict(tokenizer([text], None if pair is None else [pair], return_offsets_mapping=True, **options))
    except BaseException as error:  # the Rust side panics for some
        return f"{type(error).__name__}: {str(error)[:80]}"
    data.pop("overflow_to_sample_mapping", None)
    return [{k: v[i] for k, v in data.items()} for i in range(len(data["input_ids"]))]


def case(name, tokenizer, config):
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **{
        k: AddedToken(v["content"], lstrip=v["lstrip"], special=True, normalized=v["normalized"]) if isinstance(v, dict) else v
        for k, v in config.items() if k not in ("tokenizer_class",)})
    single, pairs = [], []
    for text in TEXTS:
        encoded = call(fast, text, None, dict(return_special_tokens_mask=True))
        single.append(dict(encoded=encoded, decoded=fast.decode(encoded[0]["input_ids"], clean_up_tokenization_spaces=False),
                           skipped=fast.decode(encoded[0]["input_ids"], skip_special_tokens=True, clean_up_tokenization_spaces=False)))
    has_pad = fast.pad_token is not None
    calls = [dict(options=o, text=i, encoded=call(fast, TEXTS[i], None, o)) for o in CALLS if has_pad or "padding" not in o for i in (0, 2, 3, 10)]
    for options in PAIR_CALLS:
        if has_pad or "padding" not in options:
            pairs += [dict(options=options, texts=[a, b], encoded=call(fast, TEXTS[a], TEXTS[b], options)) for a, b in PAIRS]
    state = json.loads(fast.backend_tokenizer.to_str())
    state["truncation"] = state["padding"] = None
    return dict(name=name, tokenizer=state, config=config, size=len(fast), single=single, calls=calls, pairs=pairs)


if __name__ == "__main__":
    nmt = charsmap()
    folder = pathlib.Path(__file__).parent
    cases = [
        case("bert-uncased", *bert(True)),
        case("bert-cased", *bert(False)),
        case("bert-lower-with-accents", *bert(True, strip_accents=False, padding_side="left")),
        case("roberta", *byte_level("roberta", False)),
        case("roberta-prefix-space", *byte_level("roberta", True)),
        case("gpt2", *byte_level("gpt2", False)),
        case("llama3", *llama3()),
        case("unigram", *t5(None)),
        case("t5", *t5(nmt)),
        case("llama2", *llama2("right")),
        case("llama2-left", *llama2("left")),
        case("split-kinds", *split_kinds()),
    ]
    (folder / "sentencepiece_nmt_nfkc.b64").write_text(base64.b64encode(nmt).decode())
    for c in cases:  # the map of 300 kB is kept once
        for n in (c["tokenizer"]["normalizer"] or {}).get("normalizers", []):
            if n["type"] == "Precompiled":
                n["precompiled_charsmap"] = "sentencepiece_nmt_nfkc.b64"
    versions = dict(tokenizers=tokenizers.__version__, transformers=transformers.__version__)
    out = json.dumps(dict(versions=versions, texts=TEXTS, cases=cases), ensure_ascii=True, separators=(",", ":"))
    (folder / "tokenizers.json").write_text(out + "\n")
    print(len(out))
