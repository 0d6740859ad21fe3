#!/usr/bin/env python3
"""Golden models of what the zoo does not have: older spellings, and one of each odd operator.

  scripts/models/patterns.py tests/golden

Writes maps.onnx and tokens.onnx (TorchScript exporter, opset 13: LayerNorm, GELU and GroupNorm come written
out), with inputs and ONNX Runtime's outputs. Needs numpy, torch and onnxruntime; takes seconds.
"""

import pathlib
import sys
import warnings

import numpy as np
import onnxruntime
import torch
import torch.nn.functional as F
from torch import nn


class Maps(nn.Module):
    """Feature maps: convolutions of all kinds, pooling, resizing, norms, activations."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 8, (3, 5), stride=(2, 1), padding=(1, 2))
        self.bn = nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=8, bias=False)
        self.grouped = nn.Conv2d(8, 12, 1, groups=2)
        self.gn = nn.GroupNorm(3, 12)
        self.inorm = nn.InstanceNorm2d(12, affine=True)
        self.up = nn.ConvTranspose2d(12, 6, 3, stride=2, padding=1, output_padding=1)
        self.shuffle = nn.Conv2d(6, 8, 1)
        self.bn2 = nn.BatchNorm2d(2)
        self.line = nn.Conv1d(2, 5, 3, padding=1)

    def forward(self, x):
        x = F.pad(x, (0, 1, 2, 0))
        y = F.relu6(self.bn(self.first(x)))
        y = y + F.silu(self.depthwise(y))
        y = self.gn(self.grouped(y)) * torch.sigmoid(y.mean((2, 3), keepdim=True)).repeat(1, 2, 1, 1)[:, :12]
        y = F.avg_pool2d(y, 3, stride=2, padding=1) - F.max_pool2d(y, 3, stride=2, padding=1)
        y = torch.maximum(y, torch.full((1,), -0.5))
        y = torch.tanh(self.inorm(y))
        y = F.interpolate(self.up(y), scale_factor=2, mode="nearest")
        y = F.interpolate(y, size=(9, 7), mode="bilinear", align_corners=False)
        y = self.bn2(F.pixel_shuffle(self.shuffle(y), 2))
        gate = torch.softmax(y, dim=1).amax(dim=3, keepdim=True)
        y = torch.cat([y[:, :, ::2], gate.expand(1, 2, 18, 14)[:, :, 1::2], y[:, :, 1::2]], 2)
        y = self.line(y.flatten(2))
        return y.abs().clamp(min=0.1).log()


class Attention(nn.Module):
    def __init__(self, dim, heads, mask):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.register_buffer("mask", mask)

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(x).reshape(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        s = (q / 3.0) @ k.transpose(-2, -1) * 0.7
        if self.mask is not None:
            s = s.masked_fill(self.mask, float("-inf")) if self.mask.dtype == torch.bool else s + self.mask
        y = torch.softmax(s, -1) @ v
        return self.out(y.transpose(1, 2).reshape(b, t, d))


class RMSNorm(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(dim) + 0.5)

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight


class Tokens(nn.Module):
    """Token mixers: LayerNorm and both GELUs written out, masks of all kinds, packed and gated weights."""

    def __init__(self, dim=12, t=7):
        super().__init__()
        future = torch.ones(t, t).triu(1).bool()
        near = torch.full((t, t), -1e9).triu(2)
        bias = torch.randn(1, 3, t, t)
        self.table = nn.Embedding(19, dim)
        self.cls = nn.Parameter(torch.randn(1, 1, dim))
        self.norms = nn.ModuleList([nn.LayerNorm(dim) for _ in range(3)] + [nn.LayerNorm(dim, eps=1e-6, elementwise_affine=False)])
        self.rms = RMSNorm(dim)
        self.attention = nn.ModuleList([Attention(dim, h, m) for h, m in ((3, future), (2, near), (3, bias), (4, None))])
        self.gate = nn.Linear(dim, 4 * dim)
        self.down = nn.Linear(2 * dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 20), nn.GELU("tanh"), nn.Linear(20, dim))
        self.scale = nn.Parameter(torch.rand(dim))

    def forward(self, ids, more):
        x = self.table(ids) + more
        x = torch.cat([self.cls, x[:, 1:], torch.zeros(1, 0, x.shape[2])], 1)
        for norm, attention in zip(self.norms, self.attention):
            x = x + attention(norm(x)) * self.scale
        a, b = self.gate(self.rms(x)).chunk(2, -1)
        x = x + self.down(a * F.gelu(b))
        x = x + self.mlp(x)
        y = torch.einsum("btd,bsd->bts", x, x) / x.shape[2] ** 0.5
        first = x[:, [0, 2, 4, 6]] * torch.minimum(x[:, ::2], more[:, ::2]) / (1.5 - x[:, 0:1].sigmoid())
        return torch.cat([y.softmax(1), first.transpose(1, 2).reshape(1, 4, 12)[:, :, :7]], 1)


def fill(module):
    for m in module.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.running_mean.normal_(0, 0.3)
            m.running_var.uniform_(0.5, 2)
        if getattr(m, "weight", None) is not None and m.weight.dim() == 1:
            nn.init.normal_(m.weight, 1, 0.2)
            if getattr(m, "bias", None) is not None:
                nn.init.normal_(m.bias, 0, 0.2)


def export(folder, name, module, inputs):
    torch.manual_seed(1)
    fill(module)
    path = folder / f"{name}.onnx"
    torch.onnx.export(module.eval(), tuple(inputs.values()), path, opset_version=13, dynamo=False,
                      input_names=list(inputs), output_names=["y"], do_constant_folding=False,
                      training=torch.onnx.TrainingMode.PRESERVE)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    y, = session.run(None, {k: v.numpy() for k, v in inputs.items()})
    np.testing.assert_allclose(y, module(*inputs.values()).detach().numpy(), rtol=1e-3, atol=1e-5)
    for k, v in inputs.items():
        np.save(folder / f"{name}.in.{k}.npy", v.numpy())
    np.save(folder / f"{name}.out.npy", y)


def main():
    warnings.simplefilter("ignore")
    folder = pathlib.Path(sys.argv[1])
    torch.manual_seed(7)
    export(folder, "maps", Maps(), {"x": torch.randn(1, 3, 13, 11)})
    export(folder, "tokens", Tokens(), {"ids": torch.randint(0, 19, (1, 7)), "more": torch.randn(1, 7, 12)})


if __name__ == "__main__":
    main()
