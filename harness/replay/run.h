/* harness/replay/run.h - one run of an executor: the walk through the layers. Private. */
#ifndef FLASHMEM_HARNESS_REPLAY_RUN_H
#define FLASHMEM_HARNESS_REPLAY_RUN_H

#include <stdatomic.h>

#include "harness/reader/reader.h"
#include "harness/replay/activations.h"
#include "harness/replay/executor.h"
#include "harness/schedule/layout.h"
#include "operators/rearrange.h"

struct direct;

struct executor {
    struct device *dev;
    const struct model *m;
    const struct weights_file *file;
    struct executor_options opt;
    cl_command_queue queue, profiled, transfer;
    struct reader *reader, *natural_reader; /* the second NULL: no such file */
    struct rearrange *rearrange;            /* with it */
    struct mem *mem;
    unsigned char *ring;
    cl_mem ring_mem;
    struct op_case *c;           /* [n_layers]; gathers see only the rows that are read */
    struct op_program **program; /* [n_layers * (OP_MAX_LOADS + 1)] by number of loads */
    struct op_program *mover[2][OP_MAX_LOADS + 1]; /* null kernels that only load, by path */
    struct tensor nothing[2]; /* by path: the one texel that null kernels write */
    void **input;             /* packed, by model input */
    int32_t *iota;            /* 0, 1, ...: the index vector of compacted gathers */
    int32_t **row;            /* [n_weights]: ids of gathered rows, else NULL */
    int *n_rows;
    struct tensor *resident; /* [n_weights + 1], of the kernel control; NULL until loaded */
    void *output;            /* texels of the last run */
    struct layout layout;    /* of activations; direct */
    struct held *held;       /* what stays between runs; NULL: nothing */
    struct direct *all;      /* direct: every weight in a place of its own, for the controls */
    struct schedule all_s;   /* and the schedule of that */
    bool all_read;           /* they are there */
    atomic_bool posted_all;  /* a run is under way, and its last read has been asked for */
};

/* A sequence of runs; see executor_hold(). */
struct held {
    const struct schedule *s;
    bool there;              /* the first run is over */
    struct schedule warm;    /* what later runs read; not direct */
    bool *keep;              /* [n_weights + 1]; not direct */
    struct tensor *weight;   /* [n_weights + 1], those that stay; not direct */
    struct direct *d;        /* direct: memory and objects of all runs */
};

enum { FLIGHT_PRELOAD = 0, FLIGHT_MOVE = -1 };

struct flight {
    cl_event event;
    int layer;    /* the kernel's; FLIGHT_PRELOAD, FLIGHT_MOVE: a mover's, before or in a run */
    int end_item; /* items before this one are done when the event is */
};

struct run {
    struct executor *ex;
    const struct schedule *s;
    cl_command_queue queue;
    struct mem *mem;       /* NULL: not booked */
    struct tensor *weight; /* [n_weights + 1]; the last is the bundle */
    struct tensor *upload; /* [n_weights + 1] natural: what has arrived, until it is rearranged */
    const bool *keep;      /* [n_weights + 1]: it stays after the run; NULL: none does */
    bool resident;         /* weights are there: carry nothing, free nothing */
    struct activations acts;
    struct tensor_pool idle; /* textures waiting for a weight of their shape */
    struct flight flight[EXECUTOR_FLIGHTS];
    int n_flights;
    int layer;    /* being enqueued */
    int posted;   /* items given to the reader */
    int retired;  /* items whose ring space is free again */
    bool *mapped; /* [n_items] */
    uint64_t began_ns, init_ns;
    cl_event *layer_event; /* [n_layers] when profiled */
};

/* The tensor that weight w becomes on the device; w == n_weights: the vector bundle. */
struct tensor_desc executor_weight_desc(const struct executor *ex, int w);
const struct tensor_desc *executor_output_desc(const struct model *m);
/* The ring, known to the readers. */
int executor_ring_new(struct executor *ex, struct err *err);
void executor_ring_done(struct executor *ex);
/* Inputs and output on the host that the executor itself books: whoever is above counts them from the
 * beginning to the end. */
uint64_t executor_own_host_bytes(const struct executor *ex);
/* What a run books from its beginning to its end. */
uint64_t executor_fixed_bytes(const struct executor *ex, const struct schedule *s);
/* How many of layer l's items its own kernel carries: the last ones; movers carry the rest. */
int executor_carried(const struct executor *ex, const struct schedule *s, int l);

/* A run is zeroed but for ex, s, queue, mem and, if the weights are resident, weight. begin() comes
 * first, clean() always comes last: nothing is then in flight, mapped or allocated, save weights
 * that are resident or stay. With `keep`, `weight` is the caller's. */
int run_begin(struct run *r, struct err *err);
int run_body(struct run *r, struct err *err); /* all layers, to the last output */
void run_clean(struct run *r);

/* The gate before layer l, from 0: true if the run has to stop there for a while. */
bool run_gate_closed(const struct executor *ex, int l);
int run_gate_wait(const struct executor *ex, int l, struct err *err);

/* Map part of the ring. */
int run_map(struct executor *ex, uint64_t at, uint64_t bytes, cl_map_flags how, struct err *err);
/* Wait until item i is in the ring, and hand its region to the device: when the event is complete,
 * or, NULL, at once (copies read the ring where it is mapped). */
int run_fetch(struct run *r, int i, cl_event *ret_event, struct err *err);
/* Move items [first, end) by kernels that do nothing else, or by copies; FLIGHT_PRELOAD or
 * FLIGHT_MOVE. */
int run_move(struct run *r, int first, int end, int flight, struct err *err);
/* The tensors of layer l's kernel. */
int run_bind(const struct run *r, int l, struct op_args *args, struct err *err);
/* The file that a schedule is read from. */
struct reader *run_reader(const struct executor *ex, const struct schedule *s);
int run_land(struct run *r, struct err *err); /* wait until nothing is in flight */

#endif
