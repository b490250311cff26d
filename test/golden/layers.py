"""Golden values of the layers: `python layers.py` writes layers.json.

A case holds the constructor's options, the state dict, the inputs, the options of `forward`, the outputs (a single one
has the key "output" only if there are several) and the gradients of inputs and parameters.
"""

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from common import Golden, cast, describe, differs, ints, named, normal, snake, uniform, unnamed

g = Golden("layers")


def fill(layer):
    """Parameters and running statistics in the same ranges for every kind of layer."""
    for name, p in layer.named_parameters():
        p.data = normal(*p.shape, scale=0.5)
    for name, b in layer.named_buffers():
        if b.is_floating_point():
            b.copy_(uniform(*b.shape, low=0.5, high=1.5))
    return layer


def is_mask(name):
    return name.lower().endswith("mask")


def case(op, options, args, forward=None, *, call=None, build=None, training=True, name=None):
    forward = forward or {}
    layer = fill((build or getattr(nn, op))(**{snake(k): v for k, v in options.items()})).train(training)
    state = {k: v.clone() for k, v in layer.state_dict().items()}
    label = name or describe(op, args, {**options, **forward})
    call = call or (lambda m, args, options: m(*args.values(), **options))

    def run(dtype, grad_output):
        layer.to(dtype).load_state_dict(state)
        layer.zero_grad()
        tensors = {k: cast(v.clone(), dtype) for k, v in args.items()}
        for k, v in tensors.items():
            if v.is_floating_point() and not is_mask(k):
                v.requires_grad_()
        outs = named(call(layer, tensors, {snake(k): v for k, v in forward.items()}))
        smooth = {k: v for k, v in outs.items() if v is not None and v.requires_grad}
        if not grad_output:
            grad_output.update({k: normal(*v.shape) for k, v in smooth.items()})
        sum((v * grad_output[k].to(dtype)).sum() for k, v in smooth.items()).backward()
        grads = {k: v.grad for k, v in tensors.items() if v.requires_grad}
        param_grads = {k: p.grad for k, p in layer.named_parameters()}
        after = {k: b.clone() for k, b in layer.named_buffers()}
        return outs, grads, param_grads, after

    grad_output = {}
    results = run(torch.float64, grad_output)
    for exact, single in zip(results, run(torch.float32, grad_output)):
        for k in exact:
            if differs(exact[k], single[k]):
                raise AssertionError(f"{label}: {k} depends on precision\n{exact[k]}\n{single[k]}")
    outs, grads, param_grads, after = results
    g.add({"name": label, "op": op, "options": options, "training": training, "state": state, "args": args, "forward": forward,
           "output": unnamed(outs), "gradOutput": unnamed(grad_output), "grads": grads, "paramGrads": param_grads,
           **({"stateAfter": after} if after else {})})


def dense_and_convolution():
    case("Linear", {"inFeatures": 3, "outFeatures": 4}, {"x": normal(2, 5, 3)})
    case("Linear", {"inFeatures": 3, "outFeatures": 4, "bias": False}, {"x": normal(2, 3)})
    sizes = {1: (6,), 2: (5, 6), 3: (3, 4, 4)}
    for n in [1, 2, 3]:
        for options in [{}, {"stride": 2, "padding": 1, "groups": 2, "bias": False}]:
            case(f"Conv{n}d", {"inChannels": 2, "outChannels": 4, "kernelSize": 3 if n < 3 else 2, **options}, {"x": normal(2 if n < 3 else 1, 2, *sizes[n])})
        case(f"ConvTranspose{n}d", {"inChannels": 2, "outChannels": 3, "kernelSize": 3 if n < 3 else 2, "stride": 2, "outputPadding": 1}, {"x": normal(1, 2, *([3, 2, 2][:n]))})
    for mode in ["reflect", "replicate", "circular"]:
        case("Conv2d", {"inChannels": 2, "outChannels": 2, "kernelSize": 3, "padding": 1, "paddingMode": mode}, {"x": normal(1, 2, 4, 4)})
    case("PReLU", {"numParameters": 3}, {"x": normal(2, 3, 2)})
    case("Embedding", {"numEmbeddings": 5, "embeddingDim": 3}, {"x": ints(2, 4, below=5)})
    case("Embedding", {"numEmbeddings": 5, "embeddingDim": 3, "paddingIdx": 1}, {"x": torch.tensor([[1, 2], [4, 1]])})


def norms():
    for n, shape in [(1, (4, 3)), (1, (2, 3, 4)), (2, (2, 3, 2, 3)), (3, (2, 3, 2, 1, 2))]:
        for training in [True, False]:
            case(f"BatchNorm{n}d", {"numFeatures": 3}, {"x": normal(*shape)}, training=training, name=f"BatchNorm{n}d {list(shape)} training={training}")
    case("BatchNorm1d", {"numFeatures": 3, "momentum": None}, {"x": normal(4, 3)}, name="BatchNorm1d momentum=null (cumulative average)")
    case("BatchNorm2d", {"numFeatures": 3, "affine": False, "momentum": 0.3, "eps": 1e-2}, {"x": normal(2, 3, 2, 2)})
    case("BatchNorm2d", {"numFeatures": 3, "trackRunningStats": False}, {"x": normal(2, 3, 2, 2)}, training=False, name="BatchNorm2d trackRunningStats=false training=False")
    case("LayerNorm", {"normalizedShape": [4]}, {"x": normal(2, 3, 4)})
    case("LayerNorm", {"normalizedShape": [3, 4], "eps": 1e-2, "bias": False}, {"x": normal(2, 3, 4)})
    case("RMSNorm", {"normalizedShape": [4], "eps": 1e-6}, {"x": normal(2, 3, 4)})
    case("GroupNorm", {"numGroups": 2, "numChannels": 4}, {"x": normal(2, 4, 3)})
    case("InstanceNorm1d", {"numFeatures": 3, "affine": True}, {"x": normal(2, 3, 4)})
    case("InstanceNorm2d", {"numFeatures": 3}, {"x": normal(2, 3, 2, 3)})


def packed(m, args, options):
    x, lengths = args["x"], args["lengths"]
    sequence = pack_padded_sequence(x, lengths, batch_first=m.batch_first, enforce_sorted=False)
    output, state = m(sequence)
    output, _ = pad_packed_sequence(output, batch_first=m.batch_first, total_length=x.shape[1 if m.batch_first else 0])
    return states(m, output, state)


def states(m, output, state):
    """output, hN and, for an LSTM, cN."""
    return {"output": output, "hN": state[0], "cN": state[1]} if isinstance(state, tuple) else {"output": output, "hN": state}


def recurrent(m, args, options):
    initial = [args[k] for k in ("h0", "c0") if k in args]
    return states(m, *m(args["x"], *([tuple(initial)] if len(initial) > 1 else initial)))


def recurrent_layers():
    for op, extra in [("RNN", {}), ("RNN", {"nonlinearity": "relu"}), ("LSTM", {}), ("GRU", {})]:
        size = {"inputSize": 3, "hiddenSize": 2, **extra}
        case(op, size, {"x": normal(4, 2, 3)}, call=recurrent)
        case(op, {**size, "batchFirst": True, "numLayers": 2, "bidirectional": True}, {"x": normal(2, 4, 3)}, call=recurrent)
        initial = {"h0": normal(2, 2, 2), **({"c0": normal(2, 2, 2)} if op == "LSTM" else {})}
        case(op, {**size, "bidirectional": True, "bias": False}, {"x": normal(3, 2, 3), **initial}, call=recurrent)
        lengths = torch.tensor([2, 5, 3])
        case(op, {**size, "batchFirst": True}, {"x": normal(3, 5, 3), "lengths": lengths}, call=packed)
        case(op, {**size, "batchFirst": True, "numLayers": 2, "bidirectional": True}, {"x": normal(3, 5, 3), "lengths": lengths}, call=packed)
    case("LSTM", {"inputSize": 3, "hiddenSize": 4, "projSize": 2}, {"x": normal(4, 2, 3)}, call=recurrent)
    case("LSTM", {"inputSize": 3, "hiddenSize": 2}, {"x": normal(4, 3)}, call=recurrent, name="LSTM of one sequence without a batch axis")
    for op in ["RNNCell", "GRUCell"]:
        case(op, {"inputSize": 3, "hiddenSize": 2}, {"x": normal(4, 3), "h": normal(4, 2)})
    case("LSTMCell", {"inputSize": 3, "hiddenSize": 2}, {"x": normal(4, 3), "h": normal(4, 2), "c": normal(4, 2)},
         call=lambda m, a, o: dict(zip(("h", "c"), m(a["x"], (a["h"], a["c"])))))


def attend(m, args, options):
    masks = {snake(k): v for k, v in args.items() if is_mask(k)}
    output, weights = m(args["query"], args["key"], args["value"], **masks, **options)
    return {"output": output, **({"weights": weights} if weights is not None else {})}


def attention():
    padding = torch.tensor([[False, False, False, True], [False, True, False, False]])
    causal = torch.triu(torch.ones(3, 4, dtype=torch.bool), 1)
    base = {"embedDim": 4, "numHeads": 2, "batchFirst": True}
    qkv = lambda: {"query": normal(2, 3, 4), "key": normal(2, 4, 4), "value": normal(2, 4, 4)}
    op = "MultiheadAttention"
    case(op, base, qkv(), call=attend)
    case(op, base, {**qkv(), "keyPaddingMask": padding}, call=attend)
    case(op, base, {**qkv(), "attnMask": causal}, {"averageAttnWeights": False}, call=attend, name="MultiheadAttention boolean attnMask, weights of each head")
    case(op, base, {**qkv(), "attnMask": normal(3, 4)}, {"needWeights": False}, call=attend)
    case(op, base, {**qkv(), "attnMask": normal(4, 3, 4)}, {"needWeights": False}, call=attend)
    case(op, base, {**qkv(), "keyPaddingMask": padding, "attnMask": causal}, {"needWeights": False}, call=attend, name="MultiheadAttention both masks")
    case(op, {**base, "kdim": 3, "vdim": 5}, {"query": normal(2, 3, 4), "key": normal(2, 4, 3), "value": normal(2, 4, 5)}, call=attend)
    case(op, {**base, "bias": False}, qkv(), call=attend)
    case(op, {"embedDim": 4, "numHeads": 2}, {"query": normal(3, 2, 4), "key": normal(4, 2, 4), "value": normal(4, 2, 4)}, call=attend)
    case(op, {**base, "addBiasKv": True, "addZeroAttn": True}, qkv(), call=attend)


def transform(m, args, options):
    masks = {snake(k): v for k, v in args.items() if is_mask(k)}
    return m(*[v for k, v in args.items() if not is_mask(k)], **masks, **options)


def transformers():
    padding = torch.tensor([[False, False, True], [False, False, False]])
    causal = nn.Transformer.generate_square_subsequent_mask(3)
    for norm_first in [False, True]:
        for activation in ["relu", "gelu"]:
            options = {"dModel": 4, "nhead": 2, "dimFeedforward": 6, "dropout": 0.0, "batchFirst": True, "normFirst": norm_first, "activation": activation}
            case("TransformerEncoderLayer", options, {"src": normal(2, 3, 4), "srcKeyPaddingMask": padding}, call=transform, name=f"TransformerEncoderLayer normFirst={norm_first} {activation}")
            case("TransformerDecoderLayer", options, {"tgt": normal(2, 3, 4), "memory": normal(2, 3, 4), "memoryKeyPaddingMask": padding, "tgtMask": causal}, call=transform,
                 name=f"TransformerDecoderLayer normFirst={norm_first} {activation}")
    base = {"dModel": 4, "nhead": 2, "dimFeedforward": 6, "dropout": 0.0}
    case("TransformerEncoderLayer", base, {"src": normal(3, 2, 4)}, call=transform, name="TransformerEncoderLayer sequence first")

    # Stacks are described by the options of one layer, numLayers and, with norm: true, a final LayerNorm(dModel).
    inputs = {"Encoder": {"src": normal(2, 3, 4), "mask": causal}, "Decoder": {"tgt": normal(2, 3, 4), "memory": normal(2, 3, 4), "tgtMask": causal}}
    for kind, args in inputs.items():

        def build(num_layers, norm, kind=kind, **options):
            layer = getattr(nn, f"Transformer{kind}Layer")(**options)
            return getattr(nn, f"Transformer{kind}")(layer, num_layers, norm=nn.LayerNorm(4) if norm else None)

        for norm in [True, False]:
            case(f"Transformer{kind}", {**base, "batchFirst": True, "numLayers": 2, "norm": norm}, args, call=transform, build=build, name=f"Transformer{kind} norm={norm}")


def attention_to_nothing():
    mixed = {"query": normal(2, 3, 4), "key": normal(2, 4, 4), "value": normal(2, 4, 4), "attnMask": normal(3, 4),
             "keyPaddingMask": torch.tensor([[True, True, True, True], [False, True, False, False]])}
    case("MultiheadAttention", {"embedDim": 4, "numHeads": 2, "batchFirst": True}, mixed, {"needWeights": False}, call=attend,
         name="MultiheadAttention numbers and a whole row of padding")


for family in [dense_and_convolution, norms, recurrent_layers, attention, transformers, attention_to_nothing]:
    family()
g.write()
