/* The items of the page, in its order: titles, captions, and where the paper contradicts itself. */
#include <string.h>

#include "harness/report/report.h"

const struct report_item report_items[] = {
    {.name = "summary",
     .part = "Asked, and answered",
     .opening =
         "A model's weights are read from disk, brought into textures and used. The paper "
         "claims that doing so while kernels compute, as a plan made offline says, is faster "
         "than preloading and needs less memory. Does it, here, and by how much?",
     .title = "What came out",
     .sql = "summary.sql",
     .caption =
         "Computed from the newest runs; brackets are 95 % intervals of the median. Where two "
         "intervals overlap we claim no difference, whatever the medians say: more runs (replay "
         "--runs) narrow them."},
    {.name = "by_model",
     .title = "Model by model",
     .sql = "by_model.sql",
     .folded = true,
     .caption =
         "Where two intervals overlap we claim no difference. The ceiling that ends a sentence "
         "is what overlap could gain at most over a preload that reads, then runs, at full "
         "speed; what a plan gains beyond it is what the preload beside it wasted."},
    {.name = "findings",
     .title = "The paper's claims, beside what was measured",
     .sql = "findings.sql",
     .every_device = true,
     .caption =
         "One row for each claim and device that what was measured can be held against; ratios, "
         "so that devices compare. Verdicts are computed from the tables and figures named in "
         "the first column; 'in part' means that the direction holds on some models or not by "
         "as much."},
    {.name = "machine",
     .part = "Measured on what",
     .title = "What was measured on what",
     .sql = "machine.sql",
     .caption =
         "The newest session of this device."},
    {.name = "figure1",
     .title = "Figure 1: bandwidths as measured",
     .sql = "figure1.sql",
     .narrows = "current_sample",
     .caption =
         "The best rate that any measurement of this database showed at each level. Here images "
         "live in the same memory as buffers; what differs is the way to them. Shaded: the "
         "paper's phone. The ratio to the disk is what decides between streaming and preloading."},
    {.name = "table6",
     .title = "Table 6: the models",
     .sql = "table6.sql",
     .caption =
         "Parameters and multiply-accumulates counted from our graphs (batch 1), beside the "
         "paper's. Its operators are those after its own lowering; ours are fused on import, so "
         "that there are fewer."},
    {.name = "samples",
     .title = "What was swept",
     .sql = "samples.sql",
     .folded = true,
     .caption =
         "Noisy samples ran into a limit before their interval was narrow enough; they are kept "
         "and flagged. Failed configurations stay in the database with their reason."},
    {.name = "figure2",
     .part = "What a kernel can carry",
     .opening =
         "A plan is worth what is known of its kernels: how much slower each becomes while it "
         "moves weights for later layers, in which form that costs least, and how well it can "
         "be predicted for shapes never measured.",
     .title = "Figure 2: latency against extra load",
     .sql = "figure2.sql",
     .narrows = "current_sample",
     .gnuplot = "figure2.gp",
     .height = 3.0,
     .caption =
         "Slowdown of a kernel that carries extra load, pair by pair with the same kernel "
         "without it; bars are 95 % intervals, cut where they leave the frame. Of each "
         "operator: the curve measured at the most ratios and with the narrowest intervals; the "
         "table after the next figure has all. +20 % is what the paper's text allows reusable "
         "operators, +30 % what its figure draws beside it, +300 % what its text allows "
         "elemental ones; above the thin line the axis is compressed."},
    {.name = "figure5",
     .title = "Figure 5 measured: four ways to carry load",
     .sql = "figure5.sql",
     .narrows = "current_sample",
     .gnuplot = "figure5.gp",
     .height = 1.7,
     .caption =
         "Slowdown against the naive kernel without load, pair by pair; bars are 95 % "
         "intervals. branching asks in every iteration whether there is a texel to move, "
         "pipelined has one loop that moves and computes and one that computes, copy runs the "
         "naive kernel beside a copy from pinned host memory in a second queue: its time is "
         "from the first start to the last end of the two. The leftmost points carry next to "
         "nothing: what the form itself costs. Where the device has its own memory, the kernels "
         "move texels that are there already, and the copy brings them over the bus."},
    {.name = "capacity",
     .title = "Table 5: load capacity by class and operator",
     .sql = "capacity.sql",
     .narrows = "current_sample",
     .every_device = true,
     .caption =
         "Extra load, in multiples of the kernel's own input bytes, at which the measured "
         "slowdown first passes a threshold: median (of the inner half of the curves) over "
         "curves, one for each shape and variant measured with two loads or more. Curves that "
         "ended below a threshold are counted beside it and marked >=: there the sweep stopped, "
         "not the kernel, and a median with >= is a lower bound. Shaded: what the paper allows "
         "the class, and what it says of its capacity. Hierarchical operators carry nothing by "
         "its rule; the table shows what the rule gives up. A threshold bounds its own kernel "
         "and says nothing of the model: scripts/check/thresholds looks for those that keep a "
         "whole model's kernels within 5 %, and results/README.md says which do."},
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
         "without load; slowdown, that of one with load over the same kernel without. The first "
         "block counts every sample; \"quiet\" leaves the noisy ones out: where it does better, "
         "noise in the measurement is part of the error. Few samples: read with care."},
    {.name = "scores",
     .title = "What the regressor is worth",
     .sql = "scores.sql",
     .every_device = true,
     .caption =
         "Percent within 5 or 10 %, by what was asked and what answered. The first five rows "
         "are the same question put to five methods; a second measurement of the same kernels "
         "says how much of the rest is noise. Aimed at: 90 % on a CPU, 95 % on a GPU. nn-Meter "
         "and LitePred report 99.1 % within 10 and 84.3 % within 5 on phone GPUs, samples "
         "parted at random, where neighbours of what is asked are known: compare that row. "
         "Where two methods have the same figures, the blend gave all its weight to one of "
         "them. Which models are hard follows from their shapes: those with neighbours in other "
         "models are not. The rows come from `train --compare`."},
    {.name = "operators",
     .title = "The same by operator",
     .sql = "operators.sql",
     .folded = true,
     .caption =
         "Where the regressor errs: few samples, shapes unlike all others, or, where measuring "
         "twice does no better, noise."},
    {.name = "table4",
     .part = "Planning",
     .opening =
         "Which weights to preload and which layer moves the others: a problem that the paper "
         "hands to CP-SAT.",
     .title = "Table 4: the solver",
     .sql = "table4.sql",
     .caption =
         "The paper's models as instances (datasets/instances: its M_peak, chunks of 1 MiB), "
         "under its formulation given to CP-SAT and under ours, on this machine: "
         "scripts/cpsat/table4 with FLASHMEM_DB set. Time is everything from the problem read "
         "to the plan checked, so that CP-SAT's shows the limit that it had. Shaded: the "
         "paper's times, 128 threads, 150 s limit. OPTIMAL: the objective meets a lower bound; "
         "a rolling window, which large models need, proves none."},
    {.name = "plans",
     .title = "The plans that ran",
     .sql = "plans.sql",
     .folded = true,
     .caption =
         "Objective: lambda times preloaded chunks plus (1 - lambda) times loading distance. A "
         "lower bound is proven; an empty one says that this policy proves none.",
     .note =
         "The paper against itself: it raises lambda and lowers M_peak \"for more preloading\", "
         "which its objective answers with less."},
    {.name = "predictor",
     .title = "Does the predictor matter?",
     .sql = "predictor.sql",
     .caption =
         "The same planner, told what layers can carry by the regressor, by the most similar "
         "shape measured, by a roofline, by one ratio for each class or at random, under the "
         "paper's thresholds and others. Each plan was run; the objective is what its own "
         "capacities made of it, so that it compares only what was planned. Where intervals "
         "overlap we claim no difference, nor where disk or kernels alone, as measured beside "
         "the run, changed by as much: minutes of one machine differ."},
    {.name = "table1",
     .part = "Whole models",
     .opening =
         "From a cold file to the last output.",
     .title = "Table 1: what preloading costs",
     .sql = "table1.sql",
     .narrows = "current_run",
     .caption =
         "Time before the first layer may start, and how much of it the disk alone would take. "
         "preload-transform reads weights as stored and lays them out on the device at "
         "start-up, as frameworks do; preload finds the layout made. Shaded: MNN on the paper's "
         "phone."},
    {.name = "table7",
     .title = "Table 7: latency",
     .sql = "table7.sql",
     .narrows = "current_run",
     .caption =
         "Integrated latency runs from the first byte asked for to the last output, weights "
         "cold on disk; a run's init ends when its first layer may start. \"Preload / this\" "
         "above 1 means that streaming was faster; \"rounds won\" counts the interleaved rounds "
         "in which it was, each against the preload of the same round; both are empty without a "
         "preload in the same session. The ceiling, (disk + kernels) / the larger, is what "
         "overlap alone could gain over a preload that wastes nothing; the bound is the larger "
         "of the two. Verified: the output is within tolerance of a plain C reference; empty: "
         "not asked in that run. Shaded: the paper's phone with 16-bit weights, SmartMem (init "
         "+ exec) in the row of preload and FlashMem in that of lc-opg: compare the ratios, "
         "never the milliseconds. Rows named by a framework and its version: the same model on "
         "the same machine's processor, from cold files (scripts/peers); a GPU has none, for "
         "what runs on its host's processor is no neighbour of it.",
     .note =
         "The paper against itself: it says that SmartMem overtakes after 3 to 12 warm runs; "
         "its Table 7 gives 3.3 (ResNet) to 32.3 (DepA-L). Overlap alone can gain at most (disk "
         "+ execution) / max(disk, execution), never more than 2, so that most of its 8.6 times "
         "over SmartMem (geometric mean) must come from SmartMem's own initialisation: 48 s for "
         "GPTN-1.3B, whose 16-bit weights take 1.9 s to read at 1.5 GB/s. Our preload reads at "
         "full speed and finds its layout made offline; expect less than the paper's ratio."},
    {.name = "bounds",
     .title = "How near the bound",
     .sql = "bounds.sql",
     .narrows = "current_run",
     .caption =
         "The bound is the larger of reading all weights and running all kernels, each alone, "
         "measured in the same rounds. The least of a plan is its schedule in time, disk and "
         "kernels each as fast as alone: what lies between it and the bound is the plan's (no "
         "room, or kernels behind the last read), what lies above it is the run's. The ceiling "
         "is the most that overlap could gain over a preload that overlaps nothing; (disk + "
         "kernels) / integrated above 1 is what this run did gain by it, and a preload below 1 "
         "wastes what is missing. A run may beat the bound where its disk or its kernels were "
         "faster than in the controls. Shaded: the same two ratios for the paper, with its "
         "16-bit weights over 1.5 GB/s as disk and SmartMem's execution as kernels.",
     .note =
         "By that reckoning the paper's integrated latencies are 2.96 times the bound "
         "(geometric mean of its eleven models; for GPTN-2.7B, which SmartMem cannot run, the "
         "bound is the disk alone)."},
    {.name = "predictions",
     .title = "Predicted against measured",
     .sql = "predictions.sql",
     .narrows = "current_run",
     .gnuplot = "predictions.gp",
     .height = 3.0,
     .caption =
         "What the run's own schedule promised, of time and of memory, with what the regressor "
         "says of its kernels (corrected by earlier runs where there were any) and the disk as "
         "measured beside it, over what the run took: below 1 it took longer. Grey: 10 and 15 "
         "%, what is aimed at on a GPU and on a CPU. Bars divide by the ends of the interval: "
         "where they cross the grey, noise alone may be the difference."},
    {.name = "predicted",
     .title = "The same in numbers, with its layers",
     .sql = "predicted.sql",
     .narrows = "current_run",
     .every_device = true,
     .folded = true,
     .caption =
         "Layers were timed in a run of their own. Many small layers are off where few large "
         "ones hold the time: the share of the time says how much depends on those within 10 %. "
         "A run whose layers are right in sum and whose latency is not has waited for what the "
         "schedule does not see."},
    {.name = "layers",
     .title = "Predicted against measured, layer by layer",
     .sql = "layers.sql",
     .gnuplot = "layers.gp",
     .height = 2.3,
     .caption =
         "One run of each device, in the order of its layers; the larger a point, the more of "
         "the run's kernel time it is. Grey: 10 and 15 %."},
    {.name = "table8",
     .title = "Table 8: memory",
     .sql = "table8.sql",
     .narrows = "current_run",
     .caption =
         "Accounted bytes of every kind (staging, unified memory, textures, activations): time "
         "average over the integrated run, and peak. \"Preload / this\" above 1 means that "
         "streaming held less. Process peak: what the operating system saw above the process's "
         "own base; it should follow the accounted peak. Device peak: what the GPU's driver saw "
         "beyond its state before the run, where it tells. Of other frameworks (scripts/peers) "
         "the average, too, is the process's own, above what the framework takes once imported. "
         "Shaded: the paper's averages, SmartMem in the row of preload and FlashMem in that of "
         "lc-opg.",
     .note =
         "The paper against itself: it claims up to 10.1 times less memory (DeepViT); its Table "
         "8 gives 18.6 times, over TVM."},
    {.name = "memory",
     .title = "Memory over time",
     .sql = "memory.sql",
     .narrows = "current_run",
     .gnuplot = "memory.gp",
     .height = 2.3,
     .caption =
         "Live memory during the median run of each policy. Preloading rises to the whole model "
         "before the first layer runs, then frees weights after their last use; streaming holds "
         "what is in flight. A step is one large weight."},
    {.name = "figure6",
     .title = "Figure 6: models one after another",
     .sql = "figure6.sql",
     .gnuplot = "figure6.gp",
     .height = 1.9,
     .caption =
         "Live memory of a queue of models, all of them together; the colour says whose turn it "
         "was. Streaming runs within one limit, and the next model reads while the last layers "
         "of the one before run; preloading has no limit, each model after the other, in the "
         "same order. The line is the process's own memory above its base.",
     .note =
         "The paper's figure: first in, first out over DepthAnything, SD-UNet, ViT, GPTN-1.3B "
         "and Whisper in random order, FlashMem within 1.5 GB, MNN without GPTN-1.3B, which it "
         "cannot run."},
    {.name = "queues",
     .title = "Queues of models",
     .sql = "queues.sql",
     .caption =
         "One row is one pass over a workload; times count from the first request to the last "
         "output, programs were built before. Ratios above 1: this pass was faster, or held "
         "less on average, than preloading. Verified: each output is, bit for bit, that of the "
         "model's run alone."},
    {.name = "urgent",
     .title = "Urgent requests",
     .sql = "urgent.sql",
     .caption =
         "From arrival to the last output: alone, first in first out, and interrupting at a "
         "layer boundary. The interrupted model keeps what it has computed and read."},
    {.name = "warm",
     .title = "Warm runs: when preloading overtakes",
     .sql = "warm.sql",
     .caption =
         "Runs one after another, with so much of the weights in memory between them; preload "
         "keeps all it has. Medians over several such sequences. A preload that keeps "
         "everything runs its kernels alone from the second run on, and so does a stream that "
         "keeps everything: without keeping, what streaming saved in the first run is used up "
         "bit by bit. \"Ahead\" is judged by medians; where totals differ by a percent or two "
         "it says little.",
     .note =
         "The paper against itself: \"3 to 12 warm runs until SmartMem overtakes\"; its Table 7 "
         "gives 3.3 (ResNet) to 32.3 (DepA-L)."},
    {.name = "table9",
     .title = "Table 9: energy",
     .sql = "table9.sql",
     .narrows = "current_run",
     .caption =
         "Joules of one run, from the device's own counter over many runs in a row; an empty "
         "cell says why. Shaded: the paper's phone, SmartMem in the row of preload and FlashMem "
         "in that of lc-opg.",
     .note =
         "The paper against itself: it says that energy is power times latency; LiteRT's "
         "DeepViT then takes 8.1 J where 51.3 are printed, ExecuTorch's 219 for 130.5, MNN's "
         "SD-UNet 112 for 95.2. The last shaded column has that product for the rows here."},
    {.name = "figure7",
     .part = "Where the gain comes from",
     .opening =
         "Each part of the method by itself, and the plan against two naive policies.",
     .title = "Figure 7: what each step gains",
     .sql = "figure7.sql",
     .narrows = "current_run",
     .gnuplot = "figure7.gp",
     .height = 2.9,
     .caption =
         "Left, shaded: each step over the one before it. Right: what the whole loses without "
         "one part (above 1: it was worth having). Bars divide the ends of both intervals. "
         "Sand-coloured: the range that the paper states, its first step over a preload that "
         "also transforms."},
    {.name = "breakdown",
     .title = "Where the gain comes from, in full",
     .sql = "breakdown.sql",
     .narrows = "current_run",
     .caption =
         "Every configuration of the figure as it ran: the steps in the paper's order, then the "
         "whole with one thing left out, then ours. Kernel rewriting means that a layer's "
         "kernel moves weights while it computes; without it, kernels of their own move them "
         "before it."},
    {.name = "figure9",
     .title = "Figure 9: policies",
     .sql = "figure9.sql",
     .narrows = "current_run",
     .gnuplot = "figure9.gp",
     .height = 2.6,
     .caption =
         "Latency of each naive policy over that of the plan, in turns; above 1 the plan was "
         "faster. ahead lets the disk run ahead as far as there is room, at-plan starts each "
         "read at its layer. Sand-coloured: up to what the paper states."},
    {.name = "figure8",
     .part = "Memory for time",
     .opening =
         "What a limit of memory costs, and what it allows.",
     .title = "Figure 8: latency against memory",
     .sql = "figure8.sql",
     .gnuplot = "figure8.gp",
     .height = 2.3,
     .caption =
         "Planned: what the policy 'latency' promises within each limit and the time that it "
         "proved no plan can beat, simulated. Measured: runs within limits, and lc-opg under "
         "several lambda, M_peak and (with layers split) mu, at the peak that they held; the "
         "CSV says which is which. Execution alone leaves out the time before the first layer.",
     .note =
         "The paper against itself: it raises lambda and lowers M_peak \"for more preloading\", "
         "which its objective answers with less."},
    {.name = "figure10",
     .title = "Figure 10: devices",
     .sql = "figure10.sql",
     .narrows = "current_run",
     .gnuplot = "figure10.gp",
     .height = 2.6,
     .caption =
         "The faster of our streaming plans against the preload of the same session, on every "
         "device of this database: ratios, never milliseconds. Bars divide the ends of both "
         "intervals."},
    {.name = "ratios",
     .title = "Devices by ratios",
     .sql = "ratios.sql",
     .caption =
         "Every streaming run against the preload that took turns with it, on every device of "
         "this database; the paper's phone in the last row of a model, over SmartMem, with its "
         "16-bit weights over 1.5 GB/s as disk. Milliseconds of two devices say nothing about a "
         "method; the ratio beside what overlap could gain at most does. A gain above that "
         "ceiling comes from what this preload wastes: gain = ceiling x (preload / (disk + "
         "kernels)) / (streaming / bound)."},
    {.name = "fits",
     .title = "Which model fits a phone",
     .sql = "fits.sql",
     .caption =
         "As planned, not run. Held: weights at their worst; activations, and the ring between "
         "disk and textures, are part of the limit too. Streamed is the policy always-next, "
         "which needs no knowledge of kernels. The paper's SmartMem also holds what it "
         "transforms: its GPTN-1.3B does not fit where ours does."},
    {.name = "regime",
     .part = "When streaming pays",
     .opening =
         "Overlap gains most where disk and kernels take equally long. Devices differ in that "
         "by two orders of magnitude, and a phone is in between; emulated disks fill what our "
         "devices leave open.",
     .title = "When does streaming pay?",
     .sql = "regime.sql",
     .narrows = "current_run",
     .gnuplot = "regime.gp",
     .height = 2.6,
     .caption =
         "Speed-up and memory saving over how long the disk takes beside the kernels, each "
         "alone. Emulated disks are throttled, or are memory; simulated points are the "
         "planner's clock without a limit of memory. The broken line is what overlapping disk "
         "and kernels alone could gain; a preload also moves weights into textures, which "
         "streaming hides as well, so that points may lie above it. The map: where each device "
         "and model lies, the way into textures beside the kernels on the upright axis, and the "
         "speed-up of the faster plan as its colour; only models that also ran from memory have "
         "a place on it. The paper's points are over a baseline that transforms."},
    {0},
};

const struct report_item *report_find(const char *name)
{
    for (const struct report_item *i = report_items; i->name; i++)
        if (strcmp(i->name, name) == 0)
            return i;
    return NULL;
}
