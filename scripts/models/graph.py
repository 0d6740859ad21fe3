"""Writes graph CSVs; the format is in datasets/README.md, "graph". Plain Python."""

import sys


class Graph:
    """Rows of one model in execution order."""

    def __init__(self, name, comment):
        self.rows = []
        self.comment = comment
        self.add("model", name)

    def add(self, kind, name, op="", params="", inputs=(), weights=()):
        names, inits = zip(*weights) if weights else ((), ())
        self.rows.append((kind, name, op, params, " ".join(inputs), " ".join(names),
                          " ".join(inits)))
        return name

    def input(self, name, what, **params):
        return self.add("input", name, what, spell(params))

    def layer(self, name, op, inputs, weights=(), **params):
        """weights: (name, init) pairs in the order of the operator's slots."""
        return self.add("layer", name, op, spell(params), inputs, weights)

    def write(self, out=sys.stdout):
        out.write("flashmem-graph,1\n")
        out.write("kind,name,op,params,inputs,weights,init\n")
        for line in self.comment.strip().splitlines():
            out.write(f"# {line}".rstrip() + "\n")
        for row in self.rows:
            out.write(",".join(row) + "\n")  # no field holds a comma or a quote


def spell(params):
    return " ".join(f"{k}={v}" for k, v in params.items())


def normal(std, mean=0):
    return f"normal:{std:.6g}:{mean:g}" if mean else f"normal:{std:.6g}"
