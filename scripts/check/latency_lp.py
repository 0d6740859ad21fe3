#!/usr/bin/env python3
"""Latency bounds of planning instances by an independent LP solver (SciPy's HiGHS).

usage: scripts/check/latency_lp.py [INSTANCE RATE_GB/S MEMORY_MIB]...     CSV on stdout

The runtime's model as a linear program, written from its description and not from our planner: layer
l starts at t_l, lasts f_l(x_l), convex piecewise linear; S_l units have moved by its end, R_l have
been read by its start; the disk reads B and stands still while what is read and not yet freed fills
the memory. Fluid, so its optimum is a lower bound of every plan's time. Kept in
datasets/instances/latency_lp.csv, which tests/test_plan_latency.c holds the planner against.
"""
import csv
import os
import sys

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_matrix

PRICE_NS = 1 / 47.0     # a byte beyond the hidden ones
SETTINGS = [(m, r, g) for m in ("gptneo-s.1m.tight", "resnet50.1m.tight", "vitb.1m.over",
                                "gptneo-1.3b.4m.tight", "llama2-13b.4m.over")
            for r, g in ((1.5, 250), (1.5, 500), (6, 300), (12, 500), (25, 500))]
# where disk and kernels are in balance, and where memory is about the two largest weights
SETTINGS += [("gptneo-2.7b.1m.tight", 6, 476), ("gptneo-2.7b.1m.tight", 6, 2000),
             ("gptneo-2.7b.1m.tight", 12, 250), ("llama2-13b.1m.tight", 12, 476),
             ("vit-8b.1m.tight", 6, 250), ("vit-8b.1m.tight", 50, 250),
             ("llama2-70b.1m.tight", 12, 1000), ("llama2-70b.1m.tight", 50, 1000)]


def read(path):
    capacity, weights, chunk = [], [], 0
    with open(path) as f:
        for row in csv.DictReader(f):
            if row["kind"] == "chunk_bytes":
                chunk = int(row["chunks"])
            elif row["kind"] == "capacity":
                capacity.append((int(row["chunks"]), float(row["time_us"]),
                                 int(row["hidden_chunks"] or 0)))
            elif row["kind"] == "weight":
                weights.append((int(row["layer"]), int(row["chunks"])))
    return chunk, capacity, weights


def solve(path, gbs, mib):
    chunk, layers, weights = read(path)
    n, rate = len(layers), gbs * 1e3 / chunk    # chunks a us
    limit = mib * (1 << 20) // chunk
    price = PRICE_NS * chunk / 1e3
    first = sum(t for l, t in weights if l == 1)        # preloaded by rule
    if first > limit:
        return None
    need = np.zeros(n + 2)
    for l, t in weights:
        need[l] += t
    done = np.cumsum(need)                              # D(l), from 0
    total = done[n + 1]
    # variables: S_0..S_n, R_1..R_n (from 1), t_1..t_n (from 1), extra_1..extra_n (us)
    S, R, T, X = 0, n + 1, 2 * n + 1, 3 * n + 1
    size = 4 * n + 1
    rows, cols, vals, rhs = [], [], [], []

    def le(terms, b):
        for c, v in terms:
            rows.append(len(rhs))
            cols.append(c)
            vals.append(v)
        rhs.append(b)

    lower, upper = np.zeros(size), np.full(size, np.inf)
    lower[S], upper[S] = done[1], min(total, limit)
    for l in range(1, n + 1):
        cap, us, hidden = layers[l - 1]
        lower[S + l] = done[l + 1] if l < n else total
        upper[S + l] = min(total, done[l - 1] + limit)
        upper[R + l - 1] = min(total, done[l - 1] + limit)
        le([(S + l - 1, 1), (S + l, -1)], 0)
        if cap == 0 and hidden == 0:
            le([(S + l, 1), (S + l - 1, -1)], 0)
            upper[X + l - 1] = 0
        else:   # extra >= price * (x - hidden)
            le([(S + l, price), (S + l - 1, -price), (X + l - 1, -1)], price * hidden)
        le([(S + l, 1), (R + l - 1, -1)], 0)            # read before it is moved
        if l == 1:
            le([(R, 1), (T, -rate)], 0)
            le([(S, 1), (T, -rate)], 0)                 # all that is preloaded is there
            continue
        us1 = layers[l - 2][1]
        le([(T + l - 2, 1), (X + l - 2, 1), (T + l - 1, -1)], -us1)
        le([(R + l - 1, 1), (R + l - 2, -1), (T + l - 1, -rate), (T + l - 2, rate)], 0)
        # full while layer l - 1 runs: beyond that, only what comes in the stall behind it
        le([(R + l - 1, 1), (T + l - 1, -rate), (T + l - 2, rate), (X + l - 2, rate)],
           done[l - 2] + limit - rate * us1)
    cost = np.zeros(size)
    cost[T + n - 1] = cost[X + n - 1] = 1
    a = coo_matrix((vals, (rows, cols)), shape=(len(rhs), size)).tocsr()
    got = linprog(cost, A_ub=a, b_ub=rhs, bounds=np.column_stack([lower, upper]), method="highs")
    return got.fun + layers[n - 1][1] if got.status == 0 else None


def main():
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "datasets", "instances")
    args = sys.argv[1:]
    settings = [(args[i], float(args[i + 1]), int(args[i + 2])) for i in range(0, len(args), 3)]
    print("instance,rate_gb_s,memory_mib,lp_us")
    for name, rate, mib in settings or SETTINGS:
        us = solve(os.path.join(root, name + ".csv"), rate, mib)
        if us is not None:
            print(f"{name},{rate:g},{mib},{us:.3f}", flush=True)


main()
