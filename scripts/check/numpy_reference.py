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


def softmax(v):
    e = np.exp(v - v.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


erf = np.vectorize(math.erf)

ACT = {
    "none": lambda v: v,
    "relu": lambda v: np.maximum(v, 0),
    "gelu": lambda v: 0.5 * v * (1 + erf(v / math.sqrt(2))),
    "gelu_tanh": lambda v: 0.5 * v * (1 + np.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v ** 3))),
    "silu": lambda v: v / (1 + np.exp(-v)),
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "tanh": np.tanh,
}
UNARY = {
    **{name: ACT[name] for name in ("relu", "silu", "sigmoid", "tanh")},
    "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos, "erf": erf,
    "abs": np.abs, "neg": np.negative, "recip": np.reciprocal,
}
BINARY = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide,
          "max": np.maximum, "min": np.minimum}


class Model:
    def __init__(self, weights, dtype):
        self.weights = weights
        self.dtype = dtype

    def run(self, op, p, x, w):
        if op in UNARY:
            return UNARY[op](x[0])
        if op in BINARY:
            return self.binary(BINARY[op], p, x, w)
        return getattr(self, op)(p, x, w)

    def matrix(self, w, rows, groups, inner):
        return self.weights.matrix(w[0], rows, groups, inner, w[1]).astype(self.dtype)

    def vector(self, w, cols):
        return self.weights.vector(w[0], cols, w[1]).astype(self.dtype)

    def gather(self, p, x, w):
        return self.matrix(w[0], p["vocab"], 1, p["cols"])[x[0].reshape(-1).astype(np.int64)]

    def end(self, p, y, x, w, cols):
        """act(y + bias + res): what products end in. w and x hold what is left of the slots."""
        if p.get("bias", 0):
            y = y + self.vector(w.pop(0), cols)
        if p.get("res", 0):
            y = y + x.pop(0)
        return ACT[p.get("act", "none")](y)

    def matmul(self, p, x, w):
        x, w = list(x), list(w)
        batch, m, n, k = p.get("batch", 1), p["m"], p["n"], p["k"]
        ta, tb = p.get("ta", 0), p.get("tb", 1)
        shape = {"a": (k, m) if ta else (m, k), "b": (n, k) if tb else (k, n)}
        part = {}
        for name, usual in (("a", "input"), ("b", "weight")):
            if p.get(name, usual) == "input":
                part[name] = heads(x.pop(0), batch, not p.get(name + "heads", 0))
            else:
                rows, cols = shape[name]
                part[name] = heads(self.matrix(w.pop(0), batch * rows, 1, cols), batch, True)
            assert part[name].shape == (batch, *shape[name]), (part[name].shape, p)
        y = ((part["a"].transpose(0, 2, 1) if ta else part["a"]) @
             (part["b"].transpose(0, 2, 1) if tb else part["b"]))
        if p.get("scaled", 0):
            y = y / math.sqrt(k)
        y = (y.transpose(1, 0, 2).reshape(m, batch * n) if p.get("cheads", 0)
             else y.reshape(batch * m, n))
        return self.end(p, y, x, w, n)

    def attention(self, p, x, w):
        batch, h, m, n = p.get("batch", 1), p["heads"], p["m"], p["n"]
        q, k, v = (a.reshape(batch, rows, h, -1).transpose(0, 2, 1, 3)
                   for a, rows in zip(x, (m, n, n)))
        assert q.shape[3] == p["d"] and v.shape[3] == p["dv"], p
        s = q @ k.transpose(0, 1, 3, 2)
        if p.get("scaled", 1):
            s = s / math.sqrt(p["d"])
        if p.get("causal", 0):
            s = np.where(np.arange(n)[None, :] > np.arange(m)[:, None], -np.inf, s)
        y = softmax(s) @ v
        return y.transpose(0, 2, 1, 3).reshape(batch * m, h * p["dv"])

    def conv2d(self, p, x, w):
        x, w = list(x), list(w)
        h, wd, cin, cout = p["h"], p["w"], p["cin"], p["cout"]
        r, s, groups = p["r"], p["s"], p.get("groups", 1)
        st, pad, dil = ([p.get(name, other), p.get(name + "_w", p.get(name, other))]
                        for name, other in (("stride", 1), ("pad", 0), ("dil", 1)))
        oh = (h + 2 * pad[0] - dil[0] * (r - 1) - 1) // st[0] + 1
        ow = (wd + 2 * pad[1] - dil[1] * (s - 1) - 1) // st[1] + 1
        cg, og = cin // groups, cout // groups
        image = np.zeros((h + 2 * pad[0], wd + 2 * pad[1], cin), self.dtype)
        image[pad[0]:pad[0] + h, pad[1]:pad[1] + wd] = x.pop(0).reshape(h, wd, cin)
        weight = self.matrix(w.pop(0), cout, r * s, cg).reshape(cout, r, s, cg)
        y = np.zeros((oh * ow, cout), self.dtype)
        for i in range(r):
            for j in range(s):
                tap = image[i * dil[0]:i * dil[0] + st[0] * (oh - 1) + 1:st[0],
                            j * dil[1]:j * dil[1] + st[1] * (ow - 1) + 1:st[1]]
                tap = tap.reshape(oh * ow, cin)
                for g in range(groups):
                    rows = slice(g * og, (g + 1) * og)
                    y[:, rows] += tap[:, g * cg:(g + 1) * cg] @ weight[rows, i, j].T
        return self.end(p, y, x, w, cout)

    def deconv2d(self, p, x, w):
        """Each input pixel is spread over an r x s patch of the output, at its stride."""
        x, w = list(x), list(w)
        h, wd, cin, cout = p["h"], p["w"], p["cin"], p["cout"]
        r, s, st, pad = p["r"], p["s"], p.get("stride", 1), p.get("pad", 0)
        oh = (h - 1) * st - 2 * pad + r + p.get("outpad", 0)
        ow = (wd - 1) * st - 2 * pad + s + p.get("outpad", 0)
        weight = self.matrix(w.pop(0), cout, r * s, cin).reshape(cout, r, s, cin)
        image = x.pop(0).reshape(h, wd, cin)
        y = np.zeros((h * st + r + pad + oh, wd * st + s + pad + ow, cout), self.dtype)
        for i in range(r):
            for j in range(s):
                y[i:i + st * h:st, j:j + st * wd:st] += image @ weight[:, i, j].T
        y = y[pad:pad + oh, pad:pad + ow].reshape(oh * ow, cout)
        return self.end(p, y, x, w, cout)

    def pool2d(self, p, x, w):
        h, wd, c = p["h"], p["w"], p["c"]
        r, s, stride, pad = p["r"], p["s"], p.get("stride", 1), p.get("pad", 0)
        oh, ow = (h + 2 * pad - r) // stride + 1, (wd + 2 * pad - s) // stride + 1
        image = np.full((h + 2 * pad, wd + 2 * pad, c), np.nan, self.dtype)
        image[pad:pad + h, pad:pad + wd] = x[0].reshape(h, wd, c)
        taps = np.stack([image[i:i + stride * (oh - 1) + 1:stride,
                               j:j + stride * (ow - 1) + 1:stride]
                         for i in range(r) for j in range(s)])
        if p["kind"] == "max":
            y = np.nanmax(taps, axis=0)
        elif p.get("count_pad", 0):
            y = np.nansum(taps, axis=0) / (r * s)
        else:  # an average leaves out what lies outside the map
            y = np.nanmean(taps, axis=0)
        return y.reshape(oh * ow, c)

    def binary(self, f, p, x, w):
        """b [brows, bcols] repeats over the rows; columns as NumPy broadcasts them."""
        rows, cols = p["brows"], p["bcols"]
        kind = p.get("b", "input")
        b = (x[1] if kind == "input" else self.vector(w[0], cols)[None, :] if kind == "vector"
             else self.matrix(w[0], rows, 1, cols))
        assert b.shape == (rows, cols) and p["rows"] % rows == 0, (b.shape, p)
        assert x[0].shape == (p["rows"], p["cols"]), (x[0].shape, p)
        b = np.tile(b, (p["rows"] // rows, 1))
        return ACT[p.get("act", "none")](f(b, x[0]) if p.get("swap", 0) else f(x[0], b))

    def affine(self, p, x, w):
        y = x[0] * self.vector(w[0], p["cols"]) + self.vector(w[1], p["cols"])
        return ACT[p.get("act", "none")](y)

    def gelu(self, p, x, w):
        return ACT["gelu_tanh" if p.get("approx", "erf") == "tanh" else "gelu"](x[0])

    def softmax(self, p, x, w):
        v = x[0].copy()
        causal = p.get("causal", 0)
        if causal:  # row r is query r % causal and sees columns 0 to that
            query = np.arange(v.shape[0]) % causal
            v[np.arange(v.shape[1])[None, :] > query[:, None]] = -np.inf
        return softmax(v)

    def groupnorm(self, p, x, w):
        c, groups = p["c"], p["groups"]
        v = x[0].reshape(p["rows"], groups, c // groups)
        v = v - v.mean(axis=(0, 2), keepdims=True)
        v = v / np.sqrt((v * v).mean(axis=(0, 2), keepdims=True) + 10.0 ** -p.get("eps_exp", 5))
        y = v.reshape(p["rows"], c) * self.vector(w[0], c) + self.vector(w[1], c)
        return ACT[p.get("act", "none")](y)

    def reduce(self, p, x, w):
        f = {"sum": np.sum, "mean": np.mean, "max": np.max, "min": np.min}[p["kind"]]
        return f(x[0], axis=1 if p["axis"] == "cols" else 0, keepdims=True)

    def concat(self, p, x, w):
        return np.concatenate(x, axis=0 if p["axis"] == "rows" else 1)

    def slice(self, p, x, w):
        r0, c0, rs, cs = p.get("r0", 0), p.get("c0", 0), p.get("rstep", 1), p.get("cstep", 1)
        assert x[0].shape == (p["rows"], p["cols"]), (x[0].shape, p)
        y = x[0][r0:r0 + (p["rn"] - 1) * rs + 1:rs, c0:c0 + (p["cn"] - 1) * cs + 1:cs]
        assert y.shape == (p["rn"], p["cn"]), (y.shape, p)
        return y

    def pad(self, p, x, w):
        get = [p.get(k, 0) for k in ("top", "bottom", "left", "right", "c0", "c1")]
        y = np.pad(x[0].reshape(p["h"], p["w"], p["c"]), (get[0:2], get[2:4], get[4:6]))
        return y.reshape(-1, y.shape[2])

    def transpose(self, p, x, w):
        perm = str(p["perm"])
        perm = [int(d) for d in (perm if "0" in perm else "0" + perm)]
        dims = [p.get(f"d{i}", 1) for i in range(len(perm))]
        cols = math.prod(dims[len(dims) - p["xc"]:])
        assert x[0].shape == (math.prod(dims) // cols, cols), (x[0].shape, p)
        y = x[0].reshape(dims).transpose(perm)
        return y.reshape(-1, math.prod(y.shape[y.ndim - p["yc"]:]))

    def resize(self, p, x, w):
        v = x[0].reshape(p["h"], p["w"], p["c"])
        for axis, (size, out) in enumerate(((p["h"], p["oh"]), (p["w"], p["ow"]))):
            at = np.arange(out)
            coord = p.get("coord", "half_pixel")
            if coord == "half_pixel":
                at = (at + 0.5) * size / out - 0.5
            elif coord == "asymmetric":
                at = at * size / out
            else:
                at = at * (size - 1) / max(out - 1, 1)
            if p["kind"] == "nearest":
                at = np.floor(at + 1e-9) if coord == "asymmetric" else np.ceil(at - 0.5)
                v = np.take(v, np.clip(at, 0, size - 1).astype(int), axis=axis)
            else:
                at = np.clip(at, 0, size - 1)
                low = np.floor(at).astype(int)
                part = (at - low).reshape([-1 if i == axis else 1 for i in range(3)])
                v = (np.take(v, low, axis=axis) * (1 - part) +
                     np.take(v, np.minimum(low + 1, size - 1), axis=axis) * part)
        return v.reshape(-1, p["c"])

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
        y = values[row["name"]] = model.run(row["op"], p, x, w)
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
