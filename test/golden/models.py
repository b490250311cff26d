"""Golden values of whole networks: `python models.py` writes models.json.

Weights, one batch, the first loss and its gradients (of some also Hessian-vector products), and the losses of five
steps of Adam (lr 1e-2) on that batch. The keys of the state dict follow the classes below, which a test rewrites line for line.
"""

import torch
import torch.nn.functional as F
from torch import nn

from common import Golden, cast, differs, ints, normal

g = Golden("models")


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(6, 8), nn.Linear(8, 5), nn.Linear(5, 3)

    def forward(self, x):
        return self.fc3(torch.tanh(self.fc2(F.relu(self.fc1(x)))))


class Cnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.fc = nn.Linear(6 * 2 * 2, 3)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        return self.fc(F.relu(self.conv2(x)).flatten(1))


class Encoder(nn.Module):
    """Token ids to classes: embeddings, two encoder layers with a key padding mask (id 0), mean over the real tokens."""

    def __init__(self):
        super().__init__()
        self.token, self.position = nn.Embedding(11, 8, padding_idx=0), nn.Embedding(6, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0, activation="gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        padding = x == 0
        h = self.token(x) + self.position(torch.arange(x.shape[1]))
        h = self.encoder(h, src_key_padding_mask=padding)
        keep = (~padding)[..., None].to(h.dtype)
        return self.head((h * keep).sum(1) / keep.sum(1))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 5, num_layers=2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(10, 3)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])


def model(name, kind, x, classes=3, second=False):
    torch.manual_seed(0)
    target = ints(x.shape[0], below=classes)
    state = {k: v.clone() for k, v in kind().state_dict().items()}

    def run(dtype):
        net = kind().to(dtype)
        net.load_state_dict(state)
        inputs, losses = cast(x, dtype), []
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
        for step in range(5):
            optimizer.zero_grad()
            output = net(inputs)
            loss = F.cross_entropy(output, target)
            loss.backward()
            if step == 0:
                first = output.detach().clone(), {k: p.grad.clone() for k, p in net.named_parameters()}
            losses.append(loss.item())
            optimizer.step()
        return *first, losses

    def hessian_product():
        """H v of the first loss, with v of the parameters' shapes."""
        net = kind().double()
        net.load_state_dict(state)
        params = dict(net.named_parameters())
        vectors = {k: normal(*p.shape) for k, p in params.items()}
        first = torch.autograd.grad(F.cross_entropy(net(cast(x, torch.float64)), target), list(params.values()), create_graph=True)
        product = sum((d * v.double()).sum() for d, v in zip(first, vectors.values()))
        return {"vectors": vectors, "hessianVectors": dict(zip(params, torch.autograd.grad(product, list(params.values()))))}

    output, grads, losses = run(torch.float64)
    assert not any(abs(a - b) > 1e-4 for a, b in zip(losses, run(torch.float32)[2])), f"{name} depends on precision"
    g.add({"name": name, "op": name, "options": {"lr": 1e-2}, "state": state, "args": {"x": x, "target": target},
           "output": output, "loss": losses[0], "grads": grads, "losses": losses, **(hessian_product() if second else {})})


model("mlp", Mlp, normal(7, 6), second=True)
model("cnn", Cnn, normal(4, 2, 8, 8), second=True)
model("encoder", Encoder, torch.tensor([[3, 4, 5, 6, 7, 8], [9, 10, 1, 0, 0, 0], [2, 2, 4, 4, 1, 0]]))
model("lstm", Recurrent, normal(4, 6, 3))
g.write()
