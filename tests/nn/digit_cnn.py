"""The digit CNN written for other frameworks, with the same weights."""

import numpy as np


def torch_cnn(torch, params):
    """As an `nn.Module` of images [b, 1, 32, 32] in [-1, 1]."""
    nn = torch.nn

    class DigitCNN(nn.Module):
        def __init__(self):
            super().__init__()
            self.convs = nn.ModuleList()
            for i in range(4):
                kernel = np.asarray(params[f"conv_{i}"]["kernel"]).transpose(3, 2, 0, 1)
                conv = nn.Conv2d(kernel.shape[1], kernel.shape[0], 3, padding="same")
                conv.weight.data = torch.tensor(kernel)
                conv.bias.data = torch.tensor(np.asarray(params[f"conv_{i}"]["bias"]))
                self.convs.append(conv)
            kernel = np.asarray(params["dense"]["kernel"])
            self.dense = nn.Linear(*kernel.shape)
            self.dense.weight.data = torch.tensor(kernel.T)
            self.dense.bias.data = torch.tensor(np.asarray(params["dense"]["bias"]))
            self.drop = nn.Dropout(0.5)

        def forward(self, x):
            x = x[:, :, 2:30, 2:30]
            for i, conv in enumerate(self.convs):
                if i % 2 == 0:
                    b, c, h, w = x.shape
                    x = x.reshape(b, c, h // 2, 2, w // 2, 2).permute(0, 3, 5, 1, 2, 4)
                    x = x.reshape(b, 4 * c, h // 2, w // 2)
                x = torch.relu(conv(x))
            return self.dense(self.drop(x.permute(0, 2, 3, 1).flatten(1)))

    return DigitCNN()


def keras_cnn(keras, params, activation=None):
    """As a Keras model of images [b, 32, 32, 1] in [-1, 1]."""
    layers = keras.layers
    x = inputs = keras.Input((32, 32, 1))
    x = layers.Cropping2D(2)(x)
    convs = [layers.Conv2D(c, 3, padding="same", activation="relu") for c in (24, 24, 64, 64)]
    for i, conv in enumerate(convs):
        if i % 2 == 0:
            _, h, w, c = x.shape
            x = layers.Reshape((h // 2, 2, w // 2, 2 * c))(x)
            x = layers.Permute((1, 3, 2, 4))(x)
            x = layers.Reshape((h // 2, w // 2, 4 * c))(x)
        x = conv(x)
    dense = layers.Dense(10, activation=activation)
    model = keras.Model(inputs, dense(layers.Flatten()(x)))
    for i, conv in enumerate(convs):
        conv.set_weights([np.asarray(params[f"conv_{i}"][name]) for name in ("kernel", "bias")])
    dense.set_weights([np.asarray(params["dense"][name]) for name in ("kernel", "bias")])
    return model
