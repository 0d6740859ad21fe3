"""Seeded weights: every tensor from its own counter-based stream, keyed by seed and tensor name.

The bytes depend neither on the order of construction nor on torch's own initialisation, so a newer
library gives the same weights as long as it keeps the parameter names. Standard deviations follow
the fan-in, so that activations neither vanish nor blow up; biases, gains and running statistics
are spread, so that one read from the wrong place, or forgotten in a fold, shows in the output.
"""

import re
import zlib

import numpy as np
import torch
from torch import nn

BIAS = 0.05      # std of biases and shifts
GAIN = 0.1       # std of norm gains around 1
EMBEDDING = 0.5  # std of token embeddings: inputs must matter beside the positions


def stream(seed, name):
    """numpy generator of one named tensor."""
    return np.random.Generator(np.random.Philox(key=[seed, zlib.crc32(name.encode())]))


def fill(tensor, seed, name, std, mean=0.0):
    draws = stream(seed, name).standard_normal(tensor.numel(), dtype=np.float32)
    draws *= np.float32(std)
    draws += np.float32(mean)
    tensor.copy_(torch.from_numpy(draws).view(tensor.shape))


def fan_in(module):
    w = module.weight
    if isinstance(module, (nn.ConvTranspose1d, nn.ConvTranspose2d)):
        # each output sees kernel / stride taps of every input channel
        return w.shape[0] * w[0, 0].numel() / np.prod(module.stride)
    return w[0].numel()


def overrides(name, rules):
    """(std factor, mean) of the first rule whose pattern is found in name."""
    for pattern, factor, mean in rules:
        if re.search(pattern, name):
            return factor, mean
    return 1.0, 0.0


def fill_module(module, prefix, seed, rules):
    """Fills the module's own tensors. Returns the names that it knew."""
    known = set()

    def put(attr, std, mean=0.0):
        tensor = getattr(module, attr, None)
        if tensor is None:
            return
        name = f"{prefix}.{attr}" if prefix else attr
        factor, shift = overrides(name, rules)
        fill(tensor, seed, name, std * factor, mean + shift)
        known.add(name)

    if isinstance(module, (nn.Linear, nn.modules.conv._ConvNd)):
        put("weight", fan_in(module) ** -0.5)
        put("bias", BIAS)
    elif isinstance(module, nn.Embedding):
        put("weight", EMBEDDING)
    elif isinstance(module, (nn.LayerNorm, nn.GroupNorm, nn.BatchNorm2d)):
        put("weight", GAIN, 1.0)
        put("bias", BIAS)
    if isinstance(module, nn.BatchNorm2d):
        put("running_mean", BIAS)
        put("running_var", GAIN, 1.0)  # ten standard deviations from zero
    for attr, tensor in module.named_parameters(recurse=False):
        name = f"{prefix}.{attr}" if prefix else attr
        if name not in known:
            put(attr, 1.0)
    return known


@torch.no_grad()
def seed_weights(model, seed, rules=()):
    """Overwrites every parameter (and batchnorm statistic) of model.

    rules   (regex, std factor, added mean), first match wins. Bare parameters (class tokens,
            position tables, layer scales, mixing matrices) start from std 1 and mean 0.
    """
    for prefix, module in model.named_modules():
        fill_module(module, prefix, seed, rules)
    return model.eval()


def image(seed, name, *shape):
    return torch.from_numpy(stream(seed, "input:" + name).standard_normal(shape, dtype=np.float32))


def tokens(seed, name, vocab, *shape):
    return torch.from_numpy(stream(seed, "input:" + name).integers(0, vocab, shape))
