"""One cold start of one framework on one model, in a process of its own: worker.py JOB.json

Run by scripts/peers/run. Prints one JSON object: times in ms, memory in bytes, the greatest
relative error (L2) of the outputs. Importing the framework is set-up and is not timed. Memory is
the process's resident set above what it was when the framework had been imported, sampled every
2 ms from the first byte loaded to the first output."""

import json
import os
import pathlib
import sys
import threading
import time

import numpy as np

PAGE = os.sysconf("SC_PAGE_SIZE")


def resident():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * PAGE


class Sampler(threading.Thread):
    """Peak and time average of the resident set above its base."""

    def __init__(self):
        super().__init__(daemon=True)
        self.base = resident()
        self.peak = self.area = 0
        self.began = self.last = time.perf_counter()
        self.stopped = threading.Event()

    def sample(self):
        now, bytes_ = time.perf_counter(), max(resident() - self.base, 0)
        self.area += bytes_ * (now - self.last)
        self.last = now
        self.peak = max(self.peak, bytes_)

    def run(self):
        while not self.stopped.wait(0.002):
            self.sample()

    def stop(self):
        self.stopped.set()
        self.join()
        self.sample()
        return self.peak, self.area / (self.last - self.began)


class OnnxRuntime:
    """load and initialise are one call, so load stays empty."""

    def __init__(self, job):
        import onnxruntime

        self.job = job
        self.module = onnxruntime
        self.version = onnxruntime.__version__

    def load(self):
        return False

    def initialise(self, feeds):
        options = self.module.SessionOptions()
        options.intra_op_num_threads = self.job["threads"]
        options.inter_op_num_threads = 1
        self.session = self.module.InferenceSession(self.job["model"], options,
                                                    providers=["CPUExecutionProvider"])
        self.names = [o.name for o in self.session.get_outputs()]
        self.feeds = feeds

    def run(self):
        return dict(zip(self.names, self.session.run(self.names, self.feeds)))


class Mnn:
    def __init__(self, job):
        import MNN

        self.job = job
        self.module = MNN
        self.version = MNN.version()

    def load(self):
        self.net = self.module.Interpreter(self.job["model"])
        return True

    def initialise(self, feeds):
        m = self.module
        self.session = self.net.createSession(
            {"backend": self.job["backend"].upper(), "numThread": self.job["threads"],
             "precision": "high"})
        self.inputs = []
        for name, tensor in self.net.getSessionInputAll(self.session).items():
            value = feeds[name]
            kind = m.Halide_Type_Float
            if value.dtype.kind == "i":
                value, kind = value.astype(np.int32), m.Halide_Type_Int
            value = np.ascontiguousarray(value)
            host = m.Tensor(value.shape, kind, value, m.Tensor_DimensionType_Caffe)
            self.inputs.append((tensor, host))

    def run(self):
        m = self.module
        for tensor, host in self.inputs:
            tensor.copyFrom(host)
        self.net.runSession(self.session)
        out = {}
        for name, tensor in self.net.getSessionOutputAll(self.session).items():
            shape = tensor.getShape()
            host = m.Tensor(shape, m.Halide_Type_Float, np.zeros(shape, np.float32),
                            m.Tensor_DimensionType_Caffe)
            tensor.copyToHostTensor(host)
            out[name] = np.array(host.getNumpyData()).reshape(shape)
        return out


FRAMEWORKS = {"onnxruntime": OnnxRuntime, "mnn": Mnn}


def arrays(folder):
    return {f.stem: np.load(f) for f in sorted(pathlib.Path(folder).glob("*.npy"))}


def error(outputs, expected):
    worst = 0.0
    for name, want in expected.items():
        want = want.astype(np.float64).ravel()
        got = outputs[name].astype(np.float64).ravel()
        worst = max(worst, float(np.linalg.norm(got - want) / np.linalg.norm(want)))
    return worst


def main():
    job = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    feeds, expected = arrays(job["inputs"]), arrays(job["outputs"])
    peer = FRAMEWORKS[job["framework"]](job)
    sampler = Sampler()
    sampler.start()
    at = [time.perf_counter()]
    loads_apart = peer.load()
    at.append(time.perf_counter())
    peer.initialise(feeds)
    at.append(time.perf_counter())
    outputs = peer.run()
    at.append(time.perf_counter())
    peak, average = sampler.stop()
    steady = []
    for _ in range(job["steady"]):
        began = time.perf_counter()
        peer.run()
        steady.append((time.perf_counter() - began) * 1e3)
    ms = [(b - a) * 1e3 for a, b in zip(at, at[1:])]
    print(json.dumps({
        "version": peer.version, "load_ms": ms[0] if loads_apart else None, "init_ms": ms[1],
        "first_ms": ms[2], "steady_ms": steady, "peak_bytes": peak, "avg_bytes": average,
        "error": error(outputs, expected)}))


if __name__ == "__main__":
    main()
