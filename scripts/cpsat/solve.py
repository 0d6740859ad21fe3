#!/usr/bin/env python3
"""One overlap plan by OR-Tools CP-SAT, for `flashmem plan --policy cp-sat` (stdin to stdout).

The paper's formulation (x[w,l], z_w, W under C0..C3), with its rolling window over the layers where
the model is too large for one, and its tiers (C4): relax the window's capacities, then preload more
(incrementally), then greedy. Input: one line of numbers, capacities, weights; see
harness/plan/opg/policy_cp_sat.c. Exit status 3: OR-Tools is not installed.
"""
import os
import sys
import time

try:
    from ortools.sat.python import cp_model
except ImportError:
    sys.exit(3)

MOST_VARIABLES = 120_000  # of one window: x[w,l] as an integer and as a boolean
LOOK_BACK = 400           # layers with room that a weight may use, where windows roll
WORKERS = int(os.environ.get("FLASHMEM_WORKERS") or os.cpu_count() or 1)


class Problem:
    def __init__(self, f):
        head = f.readline().split()
        self.a, self.b = int(head[0]), int(head[1])
        self.price, self.limit = head[2], head[3]
        self.m_peak, self.m_total, self.max_loads = (int(v) for v in head[4:7])
        self.seconds = float(head[7])
        n, m = int(head[8]), int(head[9])
        self.n = n
        self.capacity = [0] + [int(f.readline()) for _ in range(n)]
        rows = [tuple(int(v) for v in f.readline().split()) for _ in range(m)]
        self.consumer = [r[0] for r in rows]
        self.last_use = [r[1] for r in rows]
        self.chunks = [r[2] for r in rows]
        self.forced = [bool(r[3]) for r in rows]
        if self.limit == "literal" and self.m_peak >= 0:
            self.capacity = [min(c, self.m_peak) for c in self.capacity]

    def cost(self, w):
        return self.a * (self.chunks[w] if self.price == "bytes" else 1)


def windows(p):
    """Lists of weights: one if the model is small enough, else runs of consumers."""
    usable = [0]
    for c in p.capacity[1:]:
        usable.append(usable[-1] + (c > 0))
    free = [w for w in range(len(p.chunks)) if not p.forced[w]]
    if 2 * sum(usable[p.consumer[w] - 1] for w in free) <= MOST_VARIABLES:
        return [free], None
    out, run, size = [], [], 0
    for w in free:
        run.append(w)
        size += 2 * min(LOOK_BACK, usable[p.consumer[w] - 1])
        if size > MOST_VARIABLES // 4:
            out.append(run)
            run, size = [], 0
    return out + ([run] if run else []), LOOK_BACK


class State:
    """What earlier windows have taken."""

    def __init__(self, p):
        self.left = list(p.capacity)
        self.loads = [0] * (p.n + 1)
        self.held = [0] * (p.n + 1)    # under the reading, layers 0..N
        self.total = [0] * (p.n + 1)   # whole weights, for m_total
        self.preload, self.moves = [], []
        for w, forced in enumerate(p.forced):
            if forced:
                self.take_preload(p, w)

    def take_preload(self, p, w):
        self.preload.append(w)
        for l in range(0, p.last_use[w] + 1):
            self.total[l] += p.chunks[w]
            if p.limit == "resident" and l < p.last_use[w]:
                self.held[l] += p.chunks[w]

    def take_moves(self, p, w, x):
        done, first = 0, min(x)
        end = p.consumer[w] if p.limit == "streamed" else p.last_use[w]
        for l in range(first, p.last_use[w] + 1):
            done += x.get(l, 0)
            self.total[l] += p.chunks[w]
            if l < end and p.limit in ("streamed", "resident"):
                self.held[l] += done
            elif l < end and p.limit == "unified":
                self.held[l] += p.chunks[w]
        for l, n in x.items():
            self.left[l] -= n
            self.loads[l] += 1
            self.moves.append((w, l, n))


def build(p, s, weights, back):
    m = cp_model.CpModel()
    pre, x, cost = {}, {}, []
    use, loads, held, total = {}, {}, {}, {}
    for w in weights:
        pre[w] = m.NewBoolVar("")
        layers = [l for l in range(p.consumer[w] - 1, 0, -1) if s.left[l] > 0]
        layers = sorted(layers[:back] if back else layers)
        x[w] = {}
        distance = m.NewIntVar(0, p.consumer[w], "")
        here = {}
        for l in layers:
            most = min(p.chunks[w], s.left[l])
            x[w][l] = m.NewIntVar(0, most, "")
            here[l] = m.NewBoolVar("")
            m.Add(x[w][l] <= most * here[l])                       # C1
            m.Add(distance >= p.consumer[w] - l).OnlyEnforceIf(here[l])
            use.setdefault(l, []).append(x[w][l])
            loads.setdefault(l, []).append(here[l])
        m.Add(sum(x[w].values()) + p.chunks[w] * pre[w] == p.chunks[w])  # C0
        cost += [p.cost(w) * pre[w], p.b * distance]
        memory(p, m, w, pre[w], x[w], here, held, total)
    for l, terms in use.items():                                   # C3
        m.Add(sum(terms) <= s.left[l])
        if p.max_loads:
            m.Add(sum(loads[l]) <= p.max_loads - s.loads[l])
    if p.m_peak >= 0 and p.limit != "literal":                     # C2
        for l, terms in held.items():
            m.Add(sum(terms) <= p.m_peak - s.held[l])
    if p.m_total > 0:
        for l, terms in total.items():
            m.Add(sum(terms) <= p.m_total - s.total[l])
    m.Minimize(sum(cost))
    return m, pre, x


def memory(p, m, w, pre, x, here, held, total):
    """What weight w adds to the memory at each layer: chained sums keep rows short."""
    end = p.consumer[w] if p.limit == "streamed" else p.last_use[w]
    if p.m_total > 0 or p.limit == "unified":
        started, last = None, 0
        for l in range(0, p.last_use[w] + 1):
            if l in here:
                now = m.NewBoolVar("")
                m.AddImplication(here[l], now)
                if started is not None:
                    m.AddImplication(started, now)
                started, last = now, l
            terms = [] if started is None else [p.chunks[w] * started]
            if p.m_total > 0:
                total.setdefault(l, []).extend(terms + [p.chunks[w] * pre])
            if p.limit == "unified" and p.m_peak >= 0 and l < end and terms:
                held.setdefault(l, []).extend(terms)
    if p.limit not in ("streamed", "resident") or p.m_peak < 0:
        return
    moved = None
    for l in range(0, end):
        if l in x:
            now = m.NewIntVar(0, p.chunks[w], "")
            m.Add(now == (x[l] if moved is None else moved + x[l]))
            moved = now
        if moved is not None:
            held.setdefault(l, []).append(moved)
        if p.limit == "resident":
            held.setdefault(l, []).append(p.chunks[w] * pre)


def greedy(p, s, weights):
    """The last tier: what the nearest layers can take, else preload (memory is what streaming
    takes; the checker says if that is too much)."""
    for w in weights:
        need, x = p.chunks[w], {}
        for l in range(p.consumer[w] - 1, 0, -1):
            if need == 0:
                break
            n = min(need, s.left[l])
            if p.max_loads and s.loads[l] >= p.max_loads:
                n = 0
            if n > 0:
                x[l] = n
                need -= n
        fits = need == 0 and x
        if fits and p.m_peak >= 0 and p.limit != "literal":
            fits = all(s.held[l] + p.chunks[w] <= p.m_peak for l in range(min(x), p.last_use[w]))
        if fits:
            s.take_moves(p, w, x)
        else:
            s.take_preload(p, w)


def main():
    p = Problem(sys.stdin)
    s = State(p)
    runs, back = windows(p)
    build_s = solve_s = cpu_s = 0.0
    status, bound, tiers = "OPTIMAL", None, 0
    for i, weights in enumerate(runs):
        t0 = time.monotonic()
        model, pre, x = build(p, s, weights, back)
        t1 = time.monotonic()
        build_s += t1 - t0
        solver = cp_model.CpSolver()
        left = p.seconds - solve_s                                 # building is not its fault
        solver.parameters.num_workers = WORKERS
        solver.parameters.max_time_in_seconds = max(0.1, left / (len(runs) - i))
        cpu_s -= time.process_time()
        got = solver.Solve(model)
        solve_s += time.monotonic() - t1
        cpu_s += time.process_time()
        if got not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            if got == cp_model.INFEASIBLE and len(runs) == 1:
                status = "INFEASIBLE"
            else:
                status = "FEASIBLE"
            greedy(p, s, weights)
            tiers += 1
            continue
        if got != cp_model.OPTIMAL or len(runs) > 1:
            status = "FEASIBLE"
        if len(runs) == 1:
            fixed = sum(p.cost(w) for w in range(len(p.chunks)) if p.forced[w])
            bound = int(-(-(solver.BestObjectiveBound() - 1e-6) // 1)) + fixed
        for w in weights:
            taken = {l: solver.Value(v) for l, v in x[w].items() if solver.Value(v) > 0}
            if solver.Value(pre[w]):
                s.take_preload(p, w)
            else:
                s.take_moves(p, w, taken)
    print("status", status)
    if bound is not None:
        print("bound", bound)
    print(f"note build {build_s:.3f} s, solve {solve_s:.2f} s, {cpu_s:.1f} s of processor, "
          f"{WORKERS} workers, {len(runs)} windows, {tiers} by the greedy tier")
    for w in s.preload:
        print("preload", w)
    for w, l, n in s.moves:
        print("move", w, l, n)


main()
