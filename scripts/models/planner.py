#!/usr/bin/env python3
"""Graph CSVs of models too large to export: planner.py NAME > datasets/models/NAME.csv

Llama2-13B, Llama2-70B (Touvron et al. 2023) and ViT-8B, for the planner: what their layers are and
weigh is that of the published configurations, what they compute is right, but nobody has run them.
128 tokens; ViT-8B: 224x224 in patches of 16. Fused as the importer fuses the zoo.

The two halves that a rotary embedding turns lie apart, [2, heads, d / 2], until they are turned:
the order of a projection's rows is free. Keys and values that heads share are repeated, as exporters
do.
"""

import sys

from graph import Graph, normal

TOKENS = 128
LLAMA = {  # layers, width, heads, key heads, MLP width
    "Llama2-13B": (40, 5120, 40, 40, 13824),
    "Llama2-70B": (80, 8192, 64, 8, 28672),
}
VOCAB = 32000
VIT = {"ViT-8B": (40, 4096, 32, 16384)}  # layers, width, heads, MLP width
PATCHES, PATCH = 196, 16


def linear(g, name, x, m, n, k, bias=False, **more):
    weights = [(f"{name}.weight", normal(k ** -0.5))] + [(f"{name}.bias", normal(0.05))] * bias
    return g.layer(name, "matmul", x if isinstance(x, list) else [x], weights, m=m, n=n, k=k, tb=1,
                   b="weight", bias=int(bias), **more)


def pointwise(g, name, op, a, b, rows, cols, brows=None, bcols=None):
    return g.layer(name, op, [a, b], rows=rows, cols=cols, brows=brows or rows, bcols=bcols or cols)


# ---- Llama ----


def rms_norm(g, name, x, d):
    square = pointwise(g, f"{name}.square", "mul", x, x, TOKENS, d)
    mean = g.layer(f"{name}.mean", "reduce", [square], rows=TOKENS, cols=d, kind="mean",
                   axis="cols")
    safe = g.layer(f"{name}.eps", "add", [mean], [("eps", "const:1e-05")], rows=TOKENS, cols=1,
                   brows=1, bcols=1, b="vector")
    root = g.layer(f"{name}.root", "sqrt", [safe], rows=TOKENS, cols=1)
    y = pointwise(g, f"{name}.div", "div", x, root, TOKENS, d, TOKENS, 1)
    return g.layer(name, "mul", [y], [(f"{name}.weight", normal(0.1, 1))], rows=TOKENS, cols=d,
                   brows=1, bcols=d, b="vector")


def half(g, name, x, cols, which):
    return g.layer(name, "slice", [x], rows=TOKENS, cols=2 * cols, r0=0, rn=TOKENS, rstep=1,
                   c0=which * cols, cn=cols, cstep=1)


def rotary(g, name, x, heads, head):
    """[T, (2, heads, head / 2)], turned."""
    n = heads * head // 2
    parts = [half(g, f"{name}.half{i}", x, n, i) for i in (0, 1)]

    def times(part, table):
        return g.layer(f"{name}.{table}{part}", "mul", [parts[part]],
                       [(f"{table}.{heads}", normal(0.7))], rows=TOKENS, cols=n, brows=TOKENS,
                       bcols=n, b="weight")

    low = pointwise(g, f"{name}.low", "sub", times(0, "cos"), times(1, "sin"), TOKENS, n)
    high = pointwise(g, f"{name}.high", "add", times(1, "cos"), times(0, "sin"), TOKENS, n)
    return g.layer(f"{name}.turned", "concat", [low, high], n=2, axis="cols", size0=n, size1=n,
                   other=TOKENS)


def by_heads(g, name, x, shared, key_heads, head):
    """[T, (2, key_heads, shared, head / 2)] to [(shared, T), (key_heads, head)]."""
    return g.layer(name, "transpose", [x], d0=TOKENS, d1=2, d2=key_heads, d3=shared, d4=head // 2,
                   perm=30214, xc=4, yc=3)


def repeated(g, name, x, times, cols):
    """x below itself so many times."""
    rows = TOKENS
    while times > 1:
        n = min(times, 4)
        sizes = {f"size{i}": rows for i in range(n)}
        x = g.layer(f"{name}.{times}", "concat", [x] * n, n=n, axis="rows", **sizes, other=cols)
        rows, times = rows * n, times // n
    return x


def llama_attention(g, name, x, d, heads, key_heads):
    head, shared, kd = d // heads, heads // key_heads, d // heads * key_heads
    q = linear(g, f"{name}.q_proj", x, TOKENS, d, d)
    k = linear(g, f"{name}.k_proj", x, TOKENS, kd, d)
    v = linear(g, f"{name}.v_proj", x, TOKENS, kd, d)
    q = by_heads(g, f"{name}.q", rotary(g, f"{name}.q", q, heads, head), shared, key_heads, head)
    k = by_heads(g, f"{name}.k", rotary(g, f"{name}.k", k, key_heads, head), 1, key_heads, head)
    k = repeated(g, f"{name}.keys", k, shared, kd)
    v = repeated(g, f"{name}.values", v, shared, kd)
    y = g.layer(f"{name}.context", "attention", [q, k, v], batch=shared, heads=key_heads, m=TOKENS,
                n=TOKENS, d=head, dv=head, causal=1)
    if shared > 1:
        y = g.layer(f"{name}.joined", "transpose", [y], d0=shared, d1=TOKENS, d2=key_heads, d3=head,
                    perm=1203, xc=2, yc=3)
    return y


def llama(name):
    layers, d, heads, key_heads, mlp = LLAMA[name]
    g = Graph(name, f"{TOKENS} tokens; written by scripts/models/planner.py {name}")
    tokens = g.input("tokens", "ids", n=TOKENS, vocab=VOCAB)
    x = g.layer("embed_tokens", "gather", [tokens], [("embed_tokens.weight", normal(1))], t=TOKENS,
                vocab=VOCAB, cols=d)
    for i in range(layers):
        h = rms_norm(g, f"layers.{i}.input_layernorm", x, d)
        h = llama_attention(g, f"layers.{i}.self_attn", h, d, heads, key_heads)
        x = linear(g, f"layers.{i}.self_attn.o_proj", [h, x], TOKENS, d, d, res=1)
        h = rms_norm(g, f"layers.{i}.post_attention_layernorm", x, d)
        up = linear(g, f"layers.{i}.mlp.up_proj", h, TOKENS, mlp, d)
        h = linear(g, f"layers.{i}.mlp.gate_proj", h, TOKENS, mlp, d, act="silu")
        h = pointwise(g, f"layers.{i}.mlp.mul", "mul", h, up, TOKENS, mlp)
        x = linear(g, f"layers.{i}.mlp.down_proj", [h, x], TOKENS, d, mlp, res=1)
    x = rms_norm(g, "norm", x, d)
    linear(g, "lm_head", x, TOKENS, VOCAB, d)
    return g


# ---- ViT ----


def layer_norm(g, name, x, rows, cols):
    return g.layer(name, "layernorm", [x],
                   [(f"{name}.weight", normal(0.1, 1)), (f"{name}.bias", normal(0.05))],
                   rows=rows, cols=cols)


def vit(name):
    layers, d, heads, mlp = VIT[name]
    rows, head = PATCHES + 1, d // heads
    g = Graph(name, f"224x224; written by scripts/models/planner.py {name}")
    x = g.input("patches", "values", rows=PATCHES, cols=3 * PATCH * PATCH)
    x = linear(g, "patch_embedding", x, PATCHES, d, 3 * PATCH * PATCH, True)
    x = g.layer("class_row", "pad", [x], h=PATCHES, w=1, c=d, top=1, bottom=0)
    x = g.layer("embedding", "add", [x], [("positions", normal(0.5))], rows=rows, cols=d,
                brows=rows, bcols=d, b="weight")
    for i in range(layers):
        n = f"layers.{i}"
        h = layer_norm(g, f"{n}.norm1", x, rows, d)
        qkv = [linear(g, f"{n}.attn.{p}", h, rows, d, d, True) for p in "qkv"]
        h = g.layer(f"{n}.attn.context", "attention", qkv, batch=1, heads=heads, m=rows, n=rows,
                    d=head, dv=head)
        x = linear(g, f"{n}.attn.proj", [h, x], rows, d, d, True, res=1)
        h = layer_norm(g, f"{n}.norm2", x, rows, d)
        h = linear(g, f"{n}.mlp.fc1", h, rows, mlp, d, True, act="gelu")
        x = linear(g, f"{n}.mlp.fc2", [h, x], rows, d, mlp, True, res=1)
    x = layer_norm(g, "norm", x, rows, d)
    x = g.layer("class_token", "slice", [x], rows=rows, cols=d, r0=0, rn=1, rstep=1, c0=0, cn=d,
                cstep=1)
    linear(g, "head", x, 1, 1000, d, True)
    return g


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in {**LLAMA, **VIT}:
        sys.exit(f"usage: planner.py {'|'.join([*LLAMA, *VIT])}")
    (vit if sys.argv[1] in VIT else llama)(sys.argv[1]).write()
