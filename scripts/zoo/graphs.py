"""What an ONNX file holds: parameters, multiply-accumulates, operators and their attributes.

Counted from the file alone, with the shapes that onnx infers, so that the figures share nothing
with the program that imports it.
"""

from collections import Counter
from math import prod

import numpy as np
import onnx
from onnx import helper, numpy_helper


def load(path):
    """The model without its external data."""
    return onnx.load(path, load_external_data=False)


def shapes(model):
    """name -> dimensions; inferred where the file does not state them."""
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    known = {t.name: tuple(t.dims) for t in graph.initializer}
    for v in [*graph.input, *graph.value_info, *graph.output]:
        known[v.name] = tuple(d.dim_value for d in v.type.tensor_type.shape.dim)
    return known


def macs_of(node, shape):
    """Products only, as in the published table: MatMul, Gemm, Conv, ConvTranspose, Einsum."""
    op = node.op_type
    if op == "MatMul":
        return prod(shape[node.output[0]]) * shape[node.input[0]][-1]
    if op == "Gemm":
        attributes = {a.name: a.i for a in node.attribute if a.name.startswith("trans")}
        k = shape[node.input[0]][0 if attributes.get("transA") else 1]
        return prod(shape[node.output[0]]) * k
    if op == "Conv":
        return prod(shape[node.output[0]]) * prod(shape[node.input[1]][1:])
    if op == "ConvTranspose":
        return prod(shape[node.input[0]]) * prod(shape[node.input[1]][1:])
    if op == "Einsum":
        equation = next(a.s for a in node.attribute if a.name == "equation").decode()
        equation = equation.replace(" ", "")
        sizes = {}
        for letters, name in zip(equation.split("->")[0].split(","), node.input):
            sizes.update(zip(letters, shape[name]))
        return prod(sizes.values())
    if op in ("Attention", "MultiHeadAttention", "Loop", "If", "Scan"):
        raise ValueError(f"no rule to count {op} '{node.name}'")
    return 0


def count(model):
    """params: elements of floating-point initializers; macs; nodes by operator."""
    graph = model.graph
    if model.functions:
        raise ValueError("model-local functions are not counted")
    shape = shapes(model)
    floats = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)
    return {
        "params": sum(prod(t.dims) for t in graph.initializer if t.data_type in floats),
        "macs": sum(macs_of(n, shape) for n in graph.node),
        "nodes": dict(sorted(Counter(n.op_type for n in graph.node).items())),
    }


def check_static(model):
    for v in [*model.graph.input, *model.graph.value_info, *model.graph.output]:
        for d in v.type.tensor_type.shape.dim:
            if not d.HasField("dim_value"):
                raise ValueError(f"'{v.name}' has a dynamic dimension '{d.dim_param}'")


def constants(graph):
    """name -> small integer or scalar constants, for the table of attributes."""
    found = {t.name: t for t in graph.initializer}
    for n in graph.node:
        if n.op_type == "Constant":
            for a in n.attribute:
                if a.name == "value":
                    found[n.output[0]] = a.t
    known = {}
    for name, t in found.items():
        if t.data_location != onnx.TensorProto.EXTERNAL and prod(t.dims) <= 8:
            known[name] = numpy_helper.to_array(t)
    return known, found


def spell(value):
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, np.ndarray):
        return np.array2string(value, separator=",", threshold=9, precision=6).replace("\n", "")
    return str(value)


# where a constant input says what the operator does
ARGUMENTS = {
    "Reshape": {1: "shape"}, "Slice": {1: "starts", 2: "ends", 3: "axes", 4: "steps"},
    "Split": {1: "split"}, "Unsqueeze": {1: "axes"}, "Squeeze": {1: "axes"}, "Pad": {1: "pads"},
    "Resize": {2: "scales", 3: "sizes"}, "Expand": {1: "shape"}, "Tile": {1: "repeats"},
    "ReduceMean": {1: "axes"}, "ReduceSum": {1: "axes"}, "ReduceMax": {1: "axes"},
    "Gather": {1: "indices"}, "Pow": {1: "exponent"}, "Clip": {1: "min", 2: "max"},
}
QUIET = {"Reshape"}  # as many shapes as nodes: ranks say enough


def occurrences(model):
    """Counter of (operator, attributes and constant arguments, kinds of its inputs)."""
    graph = model.graph
    known, weights = constants(graph)
    shape = shapes(model)
    rows = Counter()
    for n in graph.node:
        if n.op_type == "Constant":
            continue
        words = [f"{a.name}={spell(helper.get_attribute_value(a))}" for a in n.attribute
                 if a.name not in ("value",)]
        for i, what in ARGUMENTS.get(n.op_type, {}).items():
            if i < len(n.input) and n.input[i] in known and n.op_type not in QUIET:
                words.append(f"{what}={spell(known[n.input[i]])}")
        kinds = []
        for name in n.input:
            rank = len(shape.get(name, ()))
            kinds.append("-" if not name else f"const{rank}d" if name in weights else
                         f"{rank}d")
        rows[n.op_type, " ".join(sorted(words)), " ".join(kinds)] += 1
    return rows
