#!/usr/bin/env python3
"""Writes planning instances (datasets/instances) from public model configurations.

usage: scripts/models/instances.py [DIR]      all of INSTANCES below; DIR: datasets/instances

The graph is lowered as exporters do (norms and rotary embedding into elementwise steps, reshapes
left in), weights are 16 bits and every one rounded up to a chunk by itself, as in the frozen
instances. Times and capacities are modelled, with the constants that the frozen ones show:

  product      flop / 1.2 TFLOP/s; moves 44 GB/s of its time for nothing; beyond, +20 % of its time
  elementwise  6 us + bytes / 65 GB/s; moves nothing for nothing; +300 % of its time
  reduction    the same time, moves nothing (hierarchical); reshapes 6 us, nothing
  what exceeds the hidden chunks moves at 47 GB/s

Supply scales all capacities: loose is as modelled, tight 1.15 and over 0.7 times the demand. Rounding
is by error diffusion, so that small capacities do not all become 0.
"""
import os
import sys

FLOPS, HIDDEN, MOVE, BANDWIDTH, STEP_US = 1.2e12, 44e9, 47e9, 65e9, 6.0
M_PEAK = 500_000_000
TOKENS = 128


class Graph:
    def __init__(self):
        self.layers = []    # (time_us, hidden_bytes, extra_bytes)
        self.weights = []   # (layer, bytes)

    def weight(self, elements):
        self.weights.append((len(self.layers) + 1, 2 * elements))

    def product(self, m, n, k, weight=True, bias=False):
        if weight:
            self.weight(n * k)
        if bias:
            self.weight(n)
        us = 2.0 * m * n * k / FLOPS * 1e6
        self.layers.append((us, us * 1e-6 * HIDDEN, 0.2 * us * 1e-6 * MOVE))

    def steps(self, count, elements, operands=2, weight=0):
        for i in range(count):
            if weight and i == count - 1:
                self.weight(weight)
            us = STEP_US + 2.0 * elements * operands / BANDWIDTH * 1e6
            self.layers.append((us, 0.0, 3.0 * us * 1e-6 * MOVE))

    def reduce(self, elements):
        self.layers.append((STEP_US + 4.0 * elements / BANDWIDTH * 1e6, 0.0, 0.0))

    def reshape(self, count):
        self.layers += [(STEP_US, 0.0, 0.0)] * count


def rmsnorm(g, t, d):
    g.steps(1, t * d)
    g.reduce(t * d)
    g.steps(2, t)
    g.steps(2, t * d, weight=d)


def layernorm(g, t, d):
    g.reduce(t * d)
    g.steps(1, t * d)
    g.steps(1, t * d)
    g.reduce(t * d)
    g.steps(2, t)
    g.steps(1, t * d)
    g.steps(1, t * d, weight=d)
    g.steps(1, t * d, weight=d)


def attention(g, t, d, kv, rope):
    for n in (d, kv, kv):
        g.product(t, n, d)
    g.reshape(3)
    for n in (d, kv) if rope else ():
        g.steps(1, t * n)
        g.reshape(1)
        g.steps(1, t * n)
        g.reshape(1)
        g.steps(2, t * n)
    g.product(t, t, d, weight=False)
    g.steps(1, t * t * d // 128)
    g.reduce(t * t * d // 128)
    g.product(t, d, t, weight=False)
    g.reshape(2)


def llama(layers, d, kv, ffn, vocab=32000, t=TOKENS):
    g = Graph()
    g.weight(t * d)    # of the embedding a gather reads its rows alone
    g.reshape(1)
    for _ in range(layers):
        rmsnorm(g, t, d)
        attention(g, t, d, kv, True)
        g.product(t, d, d)
        g.steps(1, t * d, 3)
        rmsnorm(g, t, d)
        g.product(t, ffn, d)
        g.steps(1, t * ffn)
        g.product(t, ffn, d)
        g.steps(1, t * ffn, 3)
        g.product(t, d, ffn)
        g.steps(1, t * d, 3)
    rmsnorm(g, t, d)
    g.product(t, vocab, d)
    return g


def transformer(layers, d, ffn, head, t=TOKENS):
    """GPT-Neo and ViT: biases, layer norms, one hidden layer."""
    g = Graph()
    g.reshape(2)
    for _ in range(layers):
        layernorm(g, t, d)
        attention(g, t, d, d, False)
        g.product(t, d, d, bias=True)
        g.steps(1, t * d, 3)
        layernorm(g, t, d)
        g.product(t, ffn, d, bias=True)
        g.steps(8, t * ffn)    # tanh GELU, step by step
        g.product(t, d, ffn, bias=True)
        g.steps(1, t * d, 3)
    layernorm(g, t, d)
    g.product(t if head > 5000 else 1, head, d)
    return g


MODELS = {
    "gptneo-s": lambda: transformer(12, 768, 3072, 50257),
    "gptneo-1.3b": lambda: transformer(24, 2048, 8192, 50257),
    "gptneo-2.7b": lambda: transformer(32, 2560, 10240, 50257),
    "vit-8b": lambda: transformer(40, 4096, 16384, 1000, 197),
    "llama2-13b": lambda: llama(40, 5120, 5120, 13824),
    "llama2-70b": lambda: llama(80, 8192, 1024, 28672),
}
INSTANCES = [(m, "1m", s) for m in ("gptneo-2.7b", "vit-8b", "llama2-70b")
             for s in ("loose", "tight", "over")]
INSTANCES += [(m, "256k", "over") for m in
              ("gptneo-s", "gptneo-1.3b", "gptneo-2.7b", "vit-8b", "llama2-70b")]


def write(path, g, chunk, supply):
    weights = [(l, -(-b // chunk)) for l, b in g.weights]
    capacity = [int((hidden + extra) / chunk) for _, hidden, extra in g.layers]
    if supply:
        factor = supply * sum(n for _, n in weights) / sum(capacity)
        rest, scaled = 0.0, []
        for c in capacity:
            rest += c * factor
            now = int(rest + 1e-9) if c else 0
            scaled.append(now)
            rest -= now
        capacity = scaled
    with open(path, "w") as f:
        f.write("kind,layer,chunks,time_us,hidden_chunks\n")
        f.write(f"chunk_bytes,,{chunk},,\nmemory,,{M_PEAK // chunk},,\n")
        for i, ((us, hidden, _), c) in enumerate(zip(g.layers, capacity), 1):
            f.write(f"capacity,{i},{c},{us:.3f},{int(hidden / chunk)}\n")
        for layer, n in weights:
            f.write(f"weight,{layer},{n},,\n")


def main():
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    out = sys.argv[1] if len(sys.argv) > 1 else os.path.join(root, "datasets", "instances")
    for model, size, supply in INSTANCES:
        write(os.path.join(out, f"{model}.{size}.{supply}.csv"), MODELS[model](),
              {"1m": 1 << 20, "256k": 1 << 18}[size], {"loose": 0, "tight": 1.15, "over": 0.7}[supply])


main()
