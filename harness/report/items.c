/* The items of the page, in its order: titles, captions, and where the paper contradicts itself. */
#include <string.h>

#include "harness/report/report.h"

const struct report_item report_items[] = {
    {.name = "summary",
     .title = "What came out",
     .sql = "summary.sql",
     .caption =
         "Computed from the newest runs; brackets are 95 % intervals of the median. Where two "
         "intervals overlap we claim no difference, whatever the medians say: more runs "
         "(replay --runs) narrow them."},
    {.name = "table7",
     .title = "Table 7: latency",
     .sql = "table7.sql",
     .narrows = "current_run",
     .caption =
         "Integrated latency runs from the first byte asked for to the last output, weights "
         "cold on disk; a run's init ends when its first layer may start. \"Preload / this\" "
         "above 1 means that streaming was faster; \"rounds won\" counts the interleaved rounds "
         "in which it was, each against the preload of the same round; both are empty without "
         "a preload in the same session. Verified: the output is within tolerance of a plain C "
         "reference; empty: not asked in that run. Shaded: the paper's phone with 16-bit "
         "weights, SmartMem (init + exec) in the row of preload and FlashMem in that of lc-opg: "
         "compare the ratios, never the milliseconds. Rows named by a framework and its version: "
         "the same model on the same machine's processor, from cold files (scripts/peers).",
     .note =
         "The paper against itself: it says that SmartMem overtakes after 3 to 12 warm runs; "
         "its Table 7 gives 3.3 (ResNet) to 32.3 (DepA-L). Overlap alone can gain at most "
         "(disk + execution) / max(disk, execution), never more than 2, so that most of its 8.6 "
         "times over SmartMem (geometric mean) must come from SmartMem's own initialisation: 48 s "
         "for "
         "GPTN-1.3B, whose 16-bit weights take 1.9 s to read at 1.5 GB/s. Our preload reads at "
         "full speed and finds its layout made offline; expect less than the paper's ratio."},
    {.name = "bounds",
     .title = "How near the bound",
     .sql = "bounds.sql",
     .narrows = "current_run",
     .caption =
         "The bound is the larger of reading all weights and running all kernels, each alone, "
         "measured in the same rounds. The ceiling is the most that overlap could gain over a "
         "preload that overlaps nothing. Shaded: the same two ratios for the paper, with its "
         "16-bit weights over 1.5 GB/s as disk and SmartMem's execution as kernels.",
     .note =
         "By that reckoning the paper's integrated latencies are 2.96 times the bound (geometric "
         "mean of its eleven models; for GPTN-2.7B, which SmartMem cannot run, the bound is the "
         "disk "
         "alone)."},
    {.name = "table8",
     .title = "Table 8: memory",
     .sql = "table8.sql",
     .narrows = "current_run",
     .caption =
         "Accounted bytes of every kind (staging, unified memory, textures, activations): time "
         "average over the integrated run, and peak. \"Preload / this\" above 1 means that "
         "streaming held less. Process peak: what the operating system saw above the process's "
         "own base; it should follow the accounted peak. Of other frameworks (scripts/peers) the "
         "average, too, is the process's own, above what the framework takes once imported. Shaded: "
         "the paper's averages, SmartMem in the row of preload and FlashMem in that of lc-opg.",
     .note =
         "The paper against itself: it claims up to 10.1 times less memory (DeepViT); its Table 8 "
         "gives 18.6 times, over TVM."},
    {.name = "memory",
     .title = "Memory over time",
     .sql = "memory.sql",
     .narrows = "current_run",
     .gnuplot = "memory.gp",
     .height = 2.3,
     .caption =
         "Live memory during the median run of each policy. Preloading rises to the whole model "
         "before the first layer runs, then frees weights after their last use; streaming "
         "holds what is in flight. A step is one large weight."},
    {.name = "figure2",
     .title = "Figure 2: latency against extra load",
     .sql = "figure2.sql",
     .narrows = "current_sample",
     .gnuplot = "figure2.gp",
     .height = 3.0,
     .caption =
         "Slowdown of a kernel that carries extra load, pair by pair with the same kernel "
         "without it; bars are 95 % intervals, cut where they leave the frame. Of each operator: "
         "the curve measured at the most ratios and with the narrowest intervals; the table "
         "after the next figure has all. +20 % is what the paper's text allows reusable "
         "operators, +30 % what its figure draws beside it, +300 % what its text allows elemental "
         "ones; above the thin line the axis is compressed."},
    {.name = "figure5",
     .title = "Figure 5 measured: four ways to carry load",
     .sql = "figure5.sql",
     .narrows = "current_sample",
     .gnuplot = "figure5.gp",
     .height = 1.7,
     .caption =
         "Slowdown against the naive kernel without load, pair by pair; bars are 95 % intervals. "
         "branching asks in every iteration whether there is a texel to move, pipelined has one "
         "loop that moves and computes and one that computes, copy runs the naive kernel beside "
         "a copy from pinned host memory in a second queue: its time is from the first start to "
         "the last end of the two. The leftmost points carry next to nothing: what the form "
         "itself costs. Where the device has its own memory, the kernels move texels that are "
         "there already, and the copy brings them over the bus."},
    {.name = "capacity",
     .title = "Load capacity by operator (the paper's Table 5)",
     .sql = "capacity.sql",
     .narrows = "current_sample",
     .caption =
         "Extra load, in multiples of the kernel's own input bytes, at which the measured "
         "slowdown first passes a threshold: median (least to most) over curves, one for each "
         "shape and variant. >= marks a lower bound: the sweep ended before the threshold. Shaded: "
         "the paper's threshold for the class. Hierarchical operators carry nothing by its rule; "
         "the table shows what the rule gives up."},
    {.name = "figure4",
     .title = "Figure 4: predicted against measured latency",
     .sql = "figure4.sql",
     .narrows = "current_prediction",
     .gnuplot = "figure4.gp",
     .height = 3.8,
     .caption =
         "Each point is one sample, predicted by a regressor that never saw its shape; points "
         "outside the band are wrong by more than 10 %. Samples of one kernel under several "
         "loads share a prediction and lie in a row; the next table counts them once."},
    {.name = "regressor",
     .title = "How good the regressor is",
     .sql = "regressor.sql",
     .caption =
         "Percent, out of fold, all samples of a shape in one fold. Latency is that of a kernel "
         "without load; slowdown, that of one with load over the same kernel without. "
         "The first block counts every sample; \"quiet\" leaves the noisy ones out: where it does "
         "better, noise in the measurement is part of the error. Few samples: read with care."},
    {.name = "plans",
     .title = "The plans that ran",
     .sql = "plans.sql",
     .caption =
         "Objective: lambda times preloaded chunks plus (1 - lambda) times loading distance. A "
         "lower bound is proven; an empty one says that this policy proves none.",
     .note = "The paper against itself: it raises lambda and lowers M_peak \"for more "
             "preloading\", which its "
             "objective answers with less."},
    {.name = "pareto",
     .title = "Latency against memory, as planned",
     .sql = "pareto.sql",
     .gnuplot = "pareto.gp",
     .height = 2.3,
     .caption =
         "What the planner 'latency' promises within each memory limit (plan --pareto), simulated "
         "with the disk's rate in brackets, and the time that it proved no plan can beat. The axis "
         "of time does not begin at 0: where the disk is the bound the front is flat."},
    {.name = "table4",
     .title = "Table 4: the solver",
     .sql = "table4.sql",
     .caption =
         "The same instances under CP-SAT, with the paper's formulation, and under ours, on this "
         "machine (scripts/cpsat/table4). Shaded: the paper's times, 128 threads, 150 s limit."},
    {.name = "samples",
     .title = "What was swept",
     .sql = "samples.sql",
     .caption =
         "Noisy samples ran into a limit before their interval was narrow enough; they are kept "
         "and flagged. Failed configurations stay in the database with their reason."},
    {.name = "machine",
     .title = "What was measured on what",
     .sql = "machine.sql",
     .caption = "The newest session of this device."},
    {0},
};

const struct report_item *report_find(const char *name)
{
    for (const struct report_item *i = report_items; i->name; i++)
        if (strcmp(i->name, name) == 0)
            return i;
    return NULL;
}
