#!/usr/bin/env python3
"""Exports the eleven models of the published evaluation to ONNX, with expected outputs.

    python3 -m venv venv && venv/bin/pip install -r scripts/zoo/requirements.txt
    venv/bin/python scripts/export_models.py --tiny --out zoo/tiny all
    venv/bin/python scripts/export_models.py --out zoo GPTN-S ResNet ViT

Every model is built from its public configuration with seeded random weights; nothing is
downloaded. For each NAME it writes to --out:

    NAME.onnx [NAME.onnx.data]     static shapes, batch 1, f32
    NAME.in/INPUT.npy              what goes in
    NAME.out/OUTPUT.npy            what comes out, says ONNX Runtime without graph optimisations
    NAME.groups/GROUP.npy          the value at the end of each layer group
    NAME.json                      group -> value in the graph, counts, versions, seed

A group's value bears the name "group.GROUP" in the graph. --tables collates the JSON files into
counts.csv (parameters and multiply-accumulates beside the published ones) and operators.md.
The largest model takes 12 GB of disk, about 15 GiB of memory and ten minutes; all, 27 GB.
"""

import argparse
import csv
import gc
import json
import os
import resource
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAPER = HERE.parent / "datasets" / "paper"
PREFIX = "group."


def probed(case):
    """case.model with the values of its groups as further outputs."""
    import torch

    class Probed(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = case.model

        def forward(self, *inputs):
            kept = {}

            def keep(name, value):
                kept.setdefault(name, value if isinstance(value, torch.Tensor) else value[0])

            hooks = []
            for name, module, where in case.groups:
                if where == "out":
                    hooks.append(module.register_forward_hook(
                        lambda _m, _a, y, name=name: keep(name, y)))
                else:
                    hooks.append(module.register_forward_pre_hook(
                        lambda _m, a, k, name=name: keep(name, a[0] if a else
                                                         k["hidden_states"]),
                        with_kwargs=True))
            y = self.inner(*inputs)
            for hook in hooks:
                hook.remove()
            y = (y,) if isinstance(y, torch.Tensor) else tuple(y)
            return y + tuple(kept[name] for name, _, _ in case.groups)

    return Probed().eval()


def export(case, path, args):
    import torch

    names = case.outputs + [PREFIX + g for g, _, _ in case.groups]
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(probed(case), tuple(case.inputs.values()), str(path),
                          input_names=list(case.inputs), output_names=names,
                          dynamo=args.exporter == "dynamo", opset_version=args.opset,
                          optimize=not args.raw, do_constant_folding=not args.raw,
                          external_data=not args.tiny, verbose=False)


def shorten_names(graph):
    """Weights bear the names of the published module; no traces of the exporting machine."""
    def short(name):
        return name.removeprefix("inner.").removeprefix("model.")

    weights = {tensor.name for tensor in graph.initializer}
    for value in list(graph.value_info):
        if value.name in weights:
            graph.value_info.remove(value)
        else:
            del value.metadata_props[:]
    for tensor in graph.initializer:
        tensor.name = short(tensor.name)
    for node in graph.node:
        node.input[:] = [short(name) for name in node.input]
        node.doc_string = ""
        del node.metadata_props[:]
    del graph.metadata_props[:]


def hide_groups(path, outputs):
    """Writes the file again with the model's own outputs only; group values keep their names."""
    import onnx
    from zoo import graphs

    model = graphs.load(path)
    graphs.check_static(model)
    groups = {}
    for value in list(model.graph.output):
        if value.name in outputs:
            continue
        groups[value.name.removeprefix(PREFIX)] = value.name
        model.graph.output.remove(value)
        if not any(v.name == value.name for v in model.graph.value_info):
            model.graph.value_info.append(value)
    shorten_names(model.graph)
    onnx.save(model, path)
    return model, groups


def run(path, model, case_inputs, outputs, groups):
    """Every output and group value by ONNX Runtime, graph optimisations off."""
    import onnxruntime as ort

    shown = path.with_suffix(".shown.onnx")
    infos = {v.name: v for v in model.graph.value_info}
    for value in groups.values():
        model.graph.output.append(infos[value])
    shown.write_bytes(model.SerializeToString())
    del infos
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", 0))
    options.add_session_config_entry("session.disable_prepacking", "1")
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(str(shown), options, providers=["CPUExecutionProvider"])
        names = outputs + list(groups.values())
        return dict(zip(names, session.run(names, case_inputs)))
    finally:
        shown.unlink()


def replace_folder(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def store(folder, arrays):
    import numpy as np

    replace_folder(folder)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


def relative(a, b):
    import numpy as np

    a, b = a.astype(np.float64), b.astype(np.float64)
    return float(np.linalg.norm(a - b) / max(np.linalg.norm(b), 1e-30))


def judge(name, array):
    """Seeded weights must make sense: a value that vanished or blew up proves nothing."""
    import numpy as np

    std = float(np.std(array.astype(np.float64)))
    if not np.isfinite(array).all() or not (array.size == 1 or 1e-3 <= std <= 100):
        sys.exit(f"export_models: '{name}': std {std:.3g}, want finite values and 0.001..100")
    return std


def describe(args, name, case, counts, groups, stds, error):
    import onnx
    import onnxruntime
    import torch

    return {
        "name": name, "tiny": args.tiny, "seed": args.seed, "size": case.size, "note": case.note,
        "exporter": args.exporter, "raw": args.raw, "opset": args.opset,
        "module_params": case.params,
        "params": counts["params"], "macs": counts["macs"], "nodes": counts["nodes"],
        "inputs": {k: list(v.shape) for k, v in case.inputs.items()},
        "outputs": case.outputs, "groups": groups, "std": stds, "torch_error": error,
        "versions": {m.__name__: m.__version__ for m in (torch, onnx, onnxruntime)},
    }


def write_model(args, name):
    import torch
    from zoo import architectures, graphs

    begun = time.monotonic()
    torch.manual_seed(args.seed)  # constructors draw weights that are overwritten
    options = {"layers": args.layers} if args.layers else {}
    case = architectures.build(name, args.tiny, args.seed, args.size, **options)
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / f"{name}.onnx"
    for old in (path, Path(f"{path}.data")):
        old.unlink(missing_ok=True)
    with torch.no_grad():
        theirs = case.model(*case.inputs.values())
    theirs = [t.numpy() for t in ([theirs] if isinstance(theirs, torch.Tensor) else theirs)]
    export(case, path, args)
    inputs = {k: v.numpy() for k, v in case.inputs.items()}
    case.model = None
    case.groups = []
    case.finish = None
    gc.collect()
    model, groups = hide_groups(path, case.outputs)
    counts = graphs.count(model)
    values = run(path, model, inputs, case.outputs, groups)
    stds = {k: judge(k, v) for k, v in values.items()}
    error = max(relative(values[k], t) for k, t in zip(case.outputs, theirs))
    if not error <= 1e-4:
        sys.exit(f"export_models: {name}: ONNX Runtime and torch differ by {error:.3g}, relative")
    store(args.out / f"{name}.in", inputs)
    store(args.out / f"{name}.out", {k: values[k] for k in case.outputs})
    store(args.out / f"{name}.groups",
          {f"{i:03d}.{g}": values[v] for i, (g, v) in enumerate(groups.items())})
    record = describe(args, name, case, counts, groups, stds, error)
    (args.out / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")
    print(f"{name}: {case.note}; {counts['params'] / 1e6:.2f} M, {counts['macs'] / 1e9:.3f} GMACs,"
          f" {sum(counts['nodes'].values())} nodes, {len(groups)} groups, std"
          f" {min(stds.values()):.2g}..{max(stds.values()):.2g}, torch {error:.1e},"
          f" {time.monotonic() - begun:.0f} s,"
          f" {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2 ** 20:.1f} GiB", flush=True)


def paper_rows():
    with open(PAPER / "table6_models.csv", newline="", encoding="utf-8") as file:
        lines = (line for line in file if not line.startswith("#"))
        return {row["abbr"]: row for row in csv.DictReader(lines)}


def write_tables(folder):
    """counts.csv and operators.md of every NAME.json in folder."""
    from zoo import graphs

    records = [json.loads(p.read_text()) for p in sorted(folder.glob("*.json"))]
    order = list(paper_rows())
    records.sort(key=lambda r: order.index(r["name"]))
    with open(folder / "counts.csv", "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["model", "size", "params_m", "paper_params_m", "params_ratio", "macs_g",
                      "paper_macs_g", "macs_ratio", "nodes", "paper_layers", "note"])
        for r in records:
            sides = r["size"] if isinstance(r["size"], list) else [r["size"]]
            paper = paper_rows()[r["name"]]
            params, macs = r["module_params"] / 1e6, r["macs"] / 1e9
            out.writerow([r["name"], "x".join(map(str, sides)), f"{params:.2f}", paper["params_m"],
                          f"{params / float(paper['params_m']):.3f}", f"{macs:.3f}",
                          paper["macs_g"], f"{macs / float(paper['macs_g']):.3f}",
                          sum(r["nodes"].values()), paper["layers"], r["note"]])
    with open(folder / "operators.md", "w", encoding="utf-8") as file:
        write_operators(file, folder, records, graphs)


def write_operators(file, folder, records, graphs):
    names = [r["name"] for r in records]
    ops = sorted({op for r in records for op in r["nodes"]})
    file.write("# ONNX operators of the exported models\n\n| operator | " + " | ".join(names) +
               " |\n|" + "---|" * (len(names) + 1) + "\n")
    for op in ops:
        file.write(f"| {op} | " + " | ".join(str(r["nodes"].get(op, "")) for r in records) + " |\n")
    file.write("\nInputs: `3d` is a runtime value of three dimensions, `const2d` a constant, `-` "
               "absent. Constant\narguments (axes, sizes, ...) stand among the attributes.\n")
    for r in records:
        rows = graphs.occurrences(graphs.load(folder / f"{r['name']}.onnx"))
        file.write(f"\n## {r['name']}\n\n{r['note']}; opset {r['opset']}, {r['exporter']}\n\n"
                   "| operator | count | inputs | attributes |\n|---|---|---|---|\n")
        for (op, words, kinds), n in sorted(rows.items()):
            file.write(f"| {op} | {n} | {kinds} | {words} |\n".replace("||", "| |"))


def size(text):
    sides = tuple(int(part) for part in text.split("x"))
    return sides[0] if len(sides) == 1 else sides


def arguments():
    order = list(paper_rows())
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("models", nargs="*", metavar="NAME", help=f"all, or of {' '.join(order)}")
    p.add_argument("--out", type=Path, required=True, help="folder to write to")
    p.add_argument("--tiny", action="store_true", help="two layers, small odd widths")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--size", type=size, help="tokens, pixels of the image's side, or ROWSxCOLS for"
                   " DepA-S and DepA-L")
    p.add_argument("--layers", type=int, help="fewer layers (GPT-Neo only)")
    p.add_argument("--exporter", choices=("dynamo", "torchscript"), default="dynamo")
    p.add_argument("--raw", action="store_true",
                   help="as exported: batchnorm and weight transposes not folded")
    p.add_argument("--opset", type=int, default=18)
    p.add_argument("--tables", action="store_true", help="collate counts.csv and operators.md")
    args = p.parse_args()
    if args.models == ["all"]:
        args.models = order
    for name in args.models:
        if name not in order:
            p.error(f"model: want one of {' '.join(order)}, got '{name}'")
    if args.layers and not all(name.startswith("GPTN") for name in args.models):
        p.error("--layers: only GPT-Neo models can be cut")
    if isinstance(args.size, tuple) != (args.size is not None and
                                        all(name.startswith("DepA") for name in args.models)):
        p.error("--size: want ROWSxCOLS for DepA-S and DepA-L, one number for the others")
    if not args.models and not args.tables:
        p.error("nothing to do: name a model, or --tables")
    return args


def main():
    args = arguments()
    sys.path.insert(0, str(HERE))
    if len(args.models) == 1:
        write_model(args, args.models[0])
    for name in args.models if len(args.models) > 1 else []:
        # a process each: memory goes back before the next model
        rest = [a for a in sys.argv[1:] if a not in args.models and a not in ("all", "--tables")]
        subprocess.run([sys.executable, __file__, *rest, name], check=True)
    if args.tables:
        write_tables(args.out)


if __name__ == "__main__":
    main()
