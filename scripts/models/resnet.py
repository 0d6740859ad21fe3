#!/usr/bin/env python3
"""Graph CSV of ResNet50: scripts/models/resnet.py > datasets/models/ResNet.csv

He et al. 2015, version 1.5 (the stride of a bottleneck is in its 3x3 convolution), 224x224, batch
normalisation folded into the convolutions' weights and biases. Lowered and unfused: relu and add
are layers of their own. Names are torchvision's.

Standard deviations: sqrt(2 / fan-in) before a relu (He et al. 2015b), a quarter of the variance
on the last convolution of a residual branch and none of the doubling on the projections, so that
16 blocks neither blow up nor die out.
"""

from graph import Graph, normal

STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))  # width, blocks, stride
CLASSES = 1000
BIAS = 0.05


def conv(g, name, x, size, cin, cout, r, stride, gain):
    fan_in = cin * r * r
    weights = [(f"{name}.weight", normal((gain / fan_in) ** 0.5)), (f"{name}.bias", normal(BIAS))]
    return g.layer(name, "conv2d", [x], weights, h=size, w=size, cin=cin, cout=cout, r=r, s=r,
                   stride=stride, pad=r // 2, bias=1)


def relu(g, name, x, size, c):
    return g.layer(name, "relu", [x], rows=size * size, cols=c)


def bottleneck(g, name, x, size, cin, width, stride):
    cout, out = 4 * width, size // stride
    h = conv(g, f"{name}.conv1", x, size, cin, width, 1, 1, 2)
    h = relu(g, f"{name}.relu1", h, size, width)
    h = conv(g, f"{name}.conv2", h, size, width, width, 3, stride, 2)
    h = relu(g, f"{name}.relu2", h, out, width)
    h = conv(g, f"{name}.conv3", h, out, width, cout, 1, 1, 0.5)
    if cin != cout:
        x = conv(g, f"{name}.downsample", x, size, cin, cout, 1, stride, 1)
    h = g.layer(f"{name}.add", "add", [h, x], rows=out * out, cols=cout, brows=out * out,
                bcols=cout)
    return relu(g, f"{name}.relu3", h, out, cout)


def resnet():
    g = Graph("ResNet", "ResNet50 v1.5, 224x224; written by scripts/models/resnet.py")
    x = g.input("image", "values", rows=224 * 224, cols=3)
    x = conv(g, "conv1", x, 224, 3, 64, 7, 2, 2)
    x = relu(g, "relu", x, 112, 64)
    x = g.layer("maxpool", "pool2d", [x], h=112, w=112, c=64, kind="max", r=3, s=3, stride=2,
                pad=1)
    size, c = 56, 64
    for i, (width, blocks, stride) in enumerate(STAGES):
        for j in range(blocks):
            x = bottleneck(g, f"layer{i + 1}.{j}", x, size, c, width, stride if j == 0 else 1)
            size, c = size // (stride if j == 0 else 1), 4 * width
    x = g.layer("avgpool", "pool2d", [x], h=size, w=size, c=c, kind="avg", r=size, s=size,
                stride=1, pad=0)
    # the pooled features are near 4, mean and deviation: logits of order 1
    std = 0.2 * (1 / c) ** 0.5
    g.layer("fc", "matmul", [x], [("fc.weight", normal(std)), ("fc.bias", normal(BIAS))], m=1,
            n=CLASSES, k=c, tb=1, b="weight", bias=1)
    return g


if __name__ == "__main__":
    resnet().write()
