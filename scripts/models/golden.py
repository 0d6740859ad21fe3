#!/usr/bin/env python3
"""Golden models for the importer's tests, from what export_models.py --tiny wrote.

  scripts/models/golden.py zoo/tiny tests/golden ViT ResNet ...        NAME.onnx, NAME.in.*, NAME.out
  scripts/models/golden.py zoo/tiny-raw tests/golden GPTN-1.3B=GPTN-raw

Takes the model's first output, as ONNX Runtime computed it. Leaves out what exporters write for
debuggers (half of a small file). Needs numpy and onnx; takes a second.
"""

import json
import pathlib
import shutil
import sys

import onnx


def strip(model):
    graph = model.graph
    model.doc_string = graph.doc_string = ""
    for holder in (model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output):
        holder.doc_string = ""
        if hasattr(holder, "metadata_props"):
            del holder.metadata_props[:]
    del graph.value_info[:]
    return model


def main():
    source, target = (pathlib.Path(a) for a in sys.argv[1:3])
    target.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[3:]:
        name, _, called = name.partition("=")
        called = called or name
        facts = json.loads((source / f"{name}.json").read_text())
        onnx.save(strip(onnx.load(source / f"{name}.onnx")), target / f"{called}.onnx")
        for path in (source / f"{name}.in").glob("*.npy"):
            shutil.copyfile(path, target / f"{called}.in.{path.stem}.npy")
        shutil.copyfile(source / f"{name}.out" / f"{facts['outputs'][0]}.npy",
                        target / f"{called}.out.npy")


if __name__ == "__main__":
    main()
