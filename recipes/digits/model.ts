/** @file A small convolutional network for 28 x 28 grey images. */
import { F, nn, type Tensor } from 'gradus';

/** Two convolutions with pooling, then two dense layers: [batch, 1, 28, 28] to [batch, 10]. */
export class DigitNet extends nn.Module {
  conv1 = new nn.Conv2d(1, 32, 3, { padding: 1 });
  conv2 = new nn.Conv2d(32, 64, 3, { padding: 1 });
  dropout = new nn.Dropout(0.25);
  fc1 = new nn.Linear(64 * 7 * 7, 128);
  fc2 = new nn.Linear(128, 10);

  override forward(x: Tensor): Tensor {
    x = F.maxPool2d(F.relu(this.conv1.forward(x)), 2);
    x = F.maxPool2d(F.relu(this.conv2.forward(x)), 2);
    x = F.relu(this.fc1.forward(this.dropout.forward(x.flatten(1))));
    return this.fc2.forward(this.dropout.forward(x));
  }
}
