/** @file Networks for 32 x 32 images: VGG16, a compact ResNet, a small plain one. */
import { F, nn, type Tensor, vgg16, vgg16Bn } from 'gradus';

const block = (from: number, to: number, stride = 1) =>
  new nn.Sequential(
    new nn.Conv2d(from, to, 3, { stride, padding: 1, bias: false }),
    new nn.BatchNorm2d(to),
    new nn.ReLU(),
  );

/** Six convolutions in three pairs, each pair followed by a pool. */
export class SmallNet extends nn.Module {
  features: nn.Sequential;
  head: nn.Linear;
  dropout = new nn.Dropout(0.2);

  constructor(numClasses = 10, width = 32) {
    super();
    const widths = [width, 2 * width, 4 * width];
    this.features = new nn.Sequential();
    widths.forEach((to, i) => {
      this.features
        .append(block(i ? widths[i - 1] : 3, to))
        .append(block(to, to))
        .append(new nn.MaxPool2d(2));
    });
    this.head = new nn.Linear(4 * width, numClasses);
  }

  override forward(x: Tensor): Tensor {
    return this.head.forward(this.dropout.forward(F.adaptiveAvgPool2d(this.features.forward(x), 1).flatten(1)));
  }
}

class Residual extends nn.Module {
  first: nn.Sequential;
  second: nn.Sequential;

  constructor(channels: number) {
    super();
    this.first = block(channels, channels);
    this.second = block(channels, channels);
  }

  override forward(x: Tensor): Tensor {
    return x.add(this.second.forward(this.first.forward(x)));
  }
}

/** Eight convolutions, four of them in two residual blocks (the form of the fast CIFAR networks, halved in width). */
export class CompactResNet extends nn.Module {
  body: nn.Sequential;
  head: nn.Linear;

  constructor(numClasses = 10, width = 32) {
    super();
    const pool = () => new nn.MaxPool2d(2);
    const [a, b, c, d] = [width, 2 * width, 4 * width, 8 * width];
    this.body = new nn.Sequential(block(3, a), block(a, b), pool(), new Residual(b), block(b, c), pool());
    this.body.append(block(c, d)).append(pool()).append(new Residual(d)).append(new nn.AdaptiveMaxPool2d(1));
    this.head = new nn.Linear(d, numClasses);
  }

  override forward(x: Tensor): Tensor {
    return this.head.forward(this.body.forward(x).flatten(1));
  }
}

/** VGG16 for 32 x 32: after five pools one position is left, so the dense layers start at 512 and are 512 wide. */
const vggOptions = { hidden: 512, pooled: 1 };

export const networks = {
  small: (numClasses: number) => new SmallNet(numClasses),
  resnet: (numClasses: number) => new CompactResNet(numClasses),
  vgg16: (numClasses: number) => vgg16({ numClasses, ...vggOptions }),
  vgg16Bn: (numClasses: number) => vgg16Bn({ numClasses, ...vggOptions }),
} as const;

export type NetworkName = keyof typeof networks;
