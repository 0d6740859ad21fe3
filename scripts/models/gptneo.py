#!/usr/bin/env python3
"""Graph CSV of a GPT-Neo model: scripts/models/gptneo.py GPTN-S > datasets/models/GPTN-S.csv

Black et al. 2021; shapes from the published configurations (EleutherAI/gpt-neo-125m and larger).
Lowered and unfused: biases are part of the products, everything else is a layer of its own.
128 tokens, so that the local attention's window of 256 is the whole causal mask. Scores are not
divided by sqrt(head size): GPT-Neo is trained that way. The output projection has its own weight,
which is how the paper counts 164 M parameters.

Standard deviations keep every activation between about 0.1 and 10 through all layers and the
logits of order 1: 0.02 as in training, embeddings larger so that the tokens matter, gains of the
norms spread around 1 so that a gain read from the wrong place shows.
"""

import sys

from graph import Graph, normal

# name: layers, width, heads, MLP width, gain of what is added to the residual
CONFIGS = {
    "GPTN-S": (12, 768, 12, 3072, 1.0),
    "GPTN-1.3B": (24, 2048, 16, 8192, 0.5),
    "GPTN-2.7B": (32, 2560, 20, 10240, 0.4),
}
TOKENS, VOCAB, POSITIONS = 128, 50257, 2048
STD = 0.02


def norm(g, name, x, d):
    return g.layer(name, "layernorm", [x],
                   [(f"{name}.weight", normal(0.1, 1)), (f"{name}.bias", normal(STD))],
                   rows=TOKENS, cols=d)


def add(g, name, a, b, d):
    return g.layer(name, "add", [a, b], rows=TOKENS, cols=d, brows=TOKENS, bcols=d)


def linear(g, name, x, n, k, std, bias):
    weights = [(f"{name}.weight", normal(std))]
    if bias:
        weights.append((f"{name}.bias", normal(STD)))
    return g.layer(name, "matmul", [x], weights, m=TOKENS, n=n, k=k, tb=1, b="weight",
                   bias=int(bias))


def attention(g, name, x, d, heads, gain):
    head = d // heads
    q, k, v = (linear(g, f"{name}.{p}_proj", x, d, d, STD * (768 / d) ** 0.5, False)
               for p in "qkv")
    scores = g.layer(f"{name}.scores", "matmul", [q, k], batch=heads, m=TOKENS, n=TOKENS, k=head,
                     tb=1, b="input", aheads=1, bheads=1)
    p = g.layer(f"{name}.softmax", "softmax", [scores], rows=heads * TOKENS, cols=TOKENS,
                causal=TOKENS)
    context = g.layer(f"{name}.context", "matmul", [p, v], batch=heads, m=TOKENS, n=head,
                      k=TOKENS, tb=0, b="input", bheads=1, cheads=1)
    return linear(g, f"{name}.out_proj", context, d, d, gain * STD, True)


def block(g, name, x, d, heads, mlp, gain):
    h = norm(g, f"{name}.ln_1", x, d)
    h = attention(g, f"{name}.attn.attention", h, d, heads, gain)
    x = add(g, f"{name}.attn.add", x, h, d)
    h = norm(g, f"{name}.ln_2", x, d)
    h = linear(g, f"{name}.mlp.c_fc", h, mlp, d, STD, True)
    h = g.layer(f"{name}.mlp.act", "gelu", [h], rows=TOKENS, cols=mlp, approx="tanh")
    h = linear(g, f"{name}.mlp.c_proj", h, d, mlp, gain * STD, True)
    return add(g, f"{name}.mlp.add", x, h, d)


def gptneo(name):
    layers, d, heads, mlp, gain = CONFIGS[name]
    g = Graph(name, f"GPT-Neo, {TOKENS} tokens; written by scripts/models/gptneo.py {name}")
    tokens = g.input("tokens", "ids", n=TOKENS, vocab=VOCAB)
    positions = g.input("positions", "iota", n=TOKENS)
    t = g.layer("wte", "gather", [tokens], [("wte.weight", normal(0.5))],
                t=TOKENS, vocab=VOCAB, cols=d)
    p = g.layer("wpe", "gather", [positions], [("wpe.weight", normal(0.2))],
                t=TOKENS, vocab=POSITIONS, cols=d)
    x = add(g, "embed", t, p, d)
    for i in range(layers):
        x = block(g, f"h.{i}", x, d, heads, mlp, gain)
    x = norm(g, "ln_f", x, d)
    linear(g, "lm_head", x, VOCAB, d, STD, False)
    return g


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in CONFIGS:
        sys.exit(f"usage: gptneo.py {'|'.join(CONFIGS)}")
    gptneo(sys.argv[1]).write()
