#!/usr/bin/env python3
"""Run a graph CSV with NumPy, from the weights file alone: the independent check of a replay.

  scripts/check/numpy_reference.py datasets/models/ResNet.csv weights/ResNet.f32.safetensors \\
      --input image=i.npy --out y.npy [--against z.npy] [--stats] [--float32]

Shares nothing with the C code: reads the CSV, the safetensors header and the texel order (datasets/
README.md) by itself, and computes in float64. Inputs are row-major .npy files, given as NAME=FILE;
an iota input needs none. With --random SEED in place of the weights file the weights are drawn
here, by NumPy, which is how the standard deviations in the graphs were chosen. --against prints the
largest difference from another output relative to the largest value of its row, as operators do.
Needs numpy. Costs 3 s of processor time for GPTN-S, 2 s for ResNet.
"""

import argparse
import csv
import json
import math
import sys

import numpy as np


def read_graph(path):
    with open(path, newline="") as f:
        lines = [line for line in f if not line.startswith("#")]
    rows = list(csv.reader(lines))
    assert rows[0][:2] == ["flashmem-graph", "1"], f"{path}: not a graph, version 1"
    return [dict(zip(rows[1], row)) for row in rows[2:] if row]


def params_of(row):
    pairs = row["params"].replace(",", " ").split()
    return {k: int(v) if v.lstrip("-").isdigit() else v for k, v in (p.split("=") for p in pairs)}


class File:
    """A weights file; shapes of the matrices come from the graph, not from its index."""

    def __init__(self, path):
        self.path = path
        raw = np.memmap(path, dtype=np.uint8, mode="r")
        n = int.from_bytes(raw[:8].tobytes(), "little")
        self.header = json.loads(raw[8:8 + n].tobytes())
        self.meta = self.header.pop("__metadata__")
        self.vectors = json.loads(self.meta["vectors"])
        self.data = raw[8 + n:]

    def array(self, name):
        t = self.header[name]
        first, last = t["data_offsets"]
        dtype = {"F32": np.float32, "F16": np.float16}[t["dtype"]]
        return self.data[first:last].view(dtype)

    def matrix(self, name, rows, groups, inner, _):
        texels = -(-inner // 4)
        a = self.array(name).reshape(rows, groups, texels * 4)
        assert not a[:, :, inner:].any(), f"{name}: padding is not zero"
        return a[:, :, :inner].reshape(rows, groups * inner)

    def vector(self, name, cols, _):
        offset, n = self.vectors[name]
        bundle = self.array("__vectors")
        assert n == cols, f"{name}: {n} elements, want {cols}"
        first = offset // bundle.itemsize
        return bundle[first:first + cols]


class Random:
    """Weights drawn by NumPy from the graph's init column."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.made = {}

    def draw(self, name, shape, init):
        if name not in self.made:
            what, *values = init.split(":")
            v = [float(x) for x in values] + [0.0]
            self.made[name] = (np.full(shape, v[0]) if what == "const"
                               else self.rng.standard_normal(shape) * v[0] + v[1])
        return self.made[name]

    def matrix(self, name, rows, groups, inner, init):
        return self.draw(name, (rows, groups * inner), init)

    def vector(self, name, cols, init):
        return self.draw(name, (cols,), init)


def heads(x, count, stacked_rows):
    """[rows, cols] to [count, m, n]: heads are column blocks (1) or stacked rows (0)."""
    rows, cols = x.shape
    if stacked_rows:
        return x.reshape(count, rows // count, cols)
    return x.reshape(rows, count, cols // count).transpose(1, 0, 2)


class Model:
    def __init__(self, weights, dtype):
        self.weights = weights
        self.dtype = dtype

    def matrix(self, w, rows, groups, inner):
        return self.weights.matrix(w[0], rows, groups, inner, w[1]).astype(self.dtype)

    def vector(self, w, cols):
        return self.weights.vector(w[0], cols, w[1]).astype(self.dtype)

    def gather(self, p, x, w):
        return self.matrix(w[0], p["vocab"], 1, p["cols"])[x[0].reshape(-1).astype(np.int64)]

    def matmul(self, p, x, w):
        batch, m, n, k = p.get("batch", 1), p["m"], p["n"], p["k"]
        bias = self.vector(w.pop(), n) if p.get("bias", 0) else 0
        a = heads(x[0], batch, not p.get("aheads", 0))
        if p["b"] == "weight":
            # [batch * n, k] with tb, [batch * k, n] without
            b = self.matrix(w[0], batch * (n if p["tb"] else k), 1, k if p["tb"] else n)
            b = heads(b, batch, True)
        else:
            b = heads(x[1], batch, not p.get("bheads", 0))
        assert a.shape == (batch, m, k), (a.shape, p)
        y = a @ (b.transpose(0, 2, 1) if p["tb"] else b) + bias
        if p.get("cheads", 0):
            return y.transpose(1, 0, 2).reshape(m, batch * n)
        return y.reshape(batch * m, n)

    def conv2d(self, p, x, w):
        h, wd, cin, cout = p["h"], p["w"], p["cin"], p["cout"]
        r, s, stride, pad = p["r"], p["s"], p.get("stride", 1), p.get("pad", 0)
        dil, groups = p.get("dil", 1), p.get("groups", 1)
        oh = (h + 2 * pad - dil * (r - 1) - 1) // stride + 1
        ow = (wd + 2 * pad - dil * (s - 1) - 1) // stride + 1
        cg, og = cin // groups, cout // groups
        image = np.zeros((h + 2 * pad, wd + 2 * pad, cin), self.dtype)
        image[pad:pad + h, pad:pad + wd] = x[0].reshape(h, wd, cin)
        weight = self.matrix(w[0], cout, r * s, cg).reshape(cout, r, s, cg)
        y = np.zeros((oh * ow, cout), self.dtype)
        for i in range(r):
            for j in range(s):
                tap = image[i * dil:i * dil + stride * (oh - 1) + 1:stride,
                            j * dil:j * dil + stride * (ow - 1) + 1:stride].reshape(oh * ow, cin)
                for g in range(groups):
                    rows = slice(g * og, (g + 1) * og)
                    y[:, rows] += tap[:, g * cg:(g + 1) * cg] @ weight[rows, i, j].T
        return y + self.vector(w[1], cout) if p.get("bias", 0) else y

    def pool2d(self, p, x, w):
        h, wd, c = p["h"], p["w"], p["c"]
        r, s, stride, pad = p["r"], p["s"], p.get("stride", 1), p.get("pad", 0)
        oh, ow = (h + 2 * pad - r) // stride + 1, (wd + 2 * pad - s) // stride + 1
        image = np.full((h + 2 * pad, wd + 2 * pad, c), np.nan, self.dtype)
        image[pad:pad + h, pad:pad + wd] = x[0].reshape(h, wd, c)
        taps = np.stack([image[i:i + stride * (oh - 1) + 1:stride,
                               j:j + stride * (ow - 1) + 1:stride]
                         for i in range(r) for j in range(s)])
        # an average leaves out what lies outside the map
        y = np.nanmax(taps, axis=0) if p["kind"] == "max" else np.nanmean(taps, axis=0)
        return y.reshape(oh * ow, c)

    def add(self, p, x, w):
        return x[0] + self.operand(p, x, w)

    def mul(self, p, x, w):
        return x[0] * self.operand(p, x, w)

    def operand(self, p, x, w):
        """b [brows, bcols], each 1 or that of a: NumPy's own broadcasting."""
        rows, cols = p["brows"], p["bcols"]
        kind = p.get("b", "input")
        b = (x[1] if kind == "input" else self.vector(w[0], cols)[None, :] if kind == "vector"
             else self.matrix(w[0], rows, 1, cols))
        assert b.shape == (rows, cols), (b.shape, p)
        return b

    def relu(self, p, x, w):
        return np.maximum(x[0], 0)

    def gelu(self, p, x, w):
        v = x[0]
        if p.get("approx", "erf") == "tanh":
            return 0.5 * v * (1 + np.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v ** 3)))
        return 0.5 * v * (1 + np.vectorize(math.erf)(v / math.sqrt(2)))

    def softmax(self, p, x, w):
        v = x[0].copy()
        causal = p.get("causal", 0)
        if causal:  # row r is query r % causal and sees columns 0 to that
            query = np.arange(v.shape[0]) % causal
            v[np.arange(v.shape[1])[None, :] > query[:, None]] = -np.inf
        e = np.exp(v - v.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def layernorm(self, p, x, w):
        v = x[0] - x[0].mean(axis=1, keepdims=True)
        v /= np.sqrt((v * v).mean(axis=1, keepdims=True) + 10.0 ** -p.get("eps_exp", 5))
        return v * self.vector(w[0], p["cols"]) + self.vector(w[1], p["cols"])


def run(graph, weights, inputs, dtype, stats):
    model = Model(weights, dtype)
    values, y = {}, None
    last = {name: i for i, row in enumerate(graph) for name in row["inputs"].split()}
    for i, row in enumerate(graph):
        p = params_of(row)
        if row["kind"] == "input":
            name = row["name"]
            if row["op"] == "iota":
                values[name] = np.arange(p["n"])[None, :]
            elif name in inputs:
                values[name] = inputs[name] if row["op"] == "ids" else inputs[name].astype(dtype)
            else:
                sys.exit(f"input '{name}' is missing: give --input {name}=FILE.npy")
        if row["kind"] != "layer":
            continue
        x = [values[name] for name in row["inputs"].split()]
        w = list(zip(row["weights"].split(), row["init"].split()))
        y = values[row["name"]] = getattr(model, row["op"])(p, x, w)
        if stats:
            print(f"{row['name']:32} {row['op']:10} mean {y.mean():10.4f} std {y.std():10.4f} "
                  f"max {np.abs(y).max():10.4f}")
        if not np.isfinite(y).all():
            sys.exit(f"{row['name']}: not finite")
        for name in row["inputs"].split():
            if last[name] == i:
                values.pop(name, None)
    return y


def draw_inputs(graph, given, seed):
    rng = np.random.default_rng(seed)
    for row in graph:
        p = params_of(row)
        if row["kind"] == "input" and row["op"] == "values":
            given.setdefault(row["name"], rng.standard_normal((p["rows"], p["cols"])))
        if row["kind"] == "input" and row["op"] == "ids":
            given.setdefault(row["name"], rng.integers(0, p["vocab"], (1, p["n"])))


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    a.add_argument("graph")
    a.add_argument("weights", nargs="?")
    a.add_argument("--input", action="append", default=[], metavar="NAME=FILE.npy")
    a.add_argument("--out", metavar="FILE.npy")
    a.add_argument("--against", metavar="FILE.npy")
    a.add_argument("--random", type=int, metavar="SEED")
    a.add_argument("--stats", action="store_true")
    a.add_argument("--float32", action="store_true")
    a = a.parse_args()
    graph = read_graph(a.graph)
    inputs = {name: np.load(path) for name, path in (i.split("=", 1) for i in a.input)}
    if a.random is not None:
        draw_inputs(graph, inputs, a.random)
        weights = Random(a.random)
    elif a.weights:
        weights = File(a.weights)
    else:
        sys.exit("which weights? give a file or --random SEED")
    y = run(graph, weights, inputs, np.float32 if a.float32 else np.float64, a.stats)
    if a.out:
        np.save(a.out, y.astype(np.float32))
    if a.against:
        z = np.load(a.against).astype(np.float64)
        assert z.shape == y.shape, f"{z.shape} against {y.shape}"
        worst = (np.abs(z - y) / (np.abs(y).max(axis=1, keepdims=True) + 1e-30)).max()
        print(f"worst {worst:.3g}")
        if not np.isfinite(worst):
            sys.exit(1)


if __name__ == "__main__":
    main()
