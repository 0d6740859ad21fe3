/* What no schedule can beat: the disk alone, and the kernels alone. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/replay/direct.h"
#include "profiler/clock.h"

/* Every weight in a place of its own, as preloading without a limit has it; read once. */
static int direct_all(struct executor *ex, const struct schedule *preload, struct err *err)
{
    uint64_t unused;
    int rc;

    if (ex->all)
        return 0;
    ex->all = calloc(1, sizeof(*ex->all));
    if (!ex->all)
        return err_set(err, -ENOMEM, "out of memory for the controls");
    rc = schedule_copy(preload, &ex->all_s, err);
    if (rc == 0)
        rc = direct_open(ex, &ex->all_s, ex->all, err);
    return rc < 0 ? rc : direct_read(ex->all, &unused, err);
}

static int direct_kernel_ns(struct executor *ex, uint64_t *ret_ns, struct err *err)
{
    struct direct_run r = {.d = ex->all, .queue = ex->queue, .resident = true};
    int rc = direct_run(&r, err);

    if (rc == 0)
        *ret_ns = r.ran_ns;
    return rc;
}

int executor_disk_ns(struct executor *ex, const struct schedule *s, uint64_t *ret_ns,
                     struct err *err)
{
    struct run r = {.ex = ex, .s = s, .queue = ex->queue, .layer = ex->m->n_layers};
    uint64_t began;
    int rc;

    if (s->direct) {
        rc = direct_all(ex, s, err);
        return rc < 0 ? rc : direct_read(ex->all, ret_ns, err);
    }
    rc = run_begin(&r, err);
    began = clock_ns();
    for (int i = 0; i < s->n_items && rc == 0; i++) {
        cl_event event;

        rc = run_fetch(&r, i, &event, err);
        if (rc == 0)
            r.retired = i + 1;
        if (rc == 0 && event)
            clReleaseEvent(event);
    }
    if (rc == 0)
        *ret_ns = clock_ns() - began;
    run_clean(&r);
    return rc;
}

/* ---- the disk, before anything has run ---- */

#define SAMPLE_BYTES (UINT64_C(128) << 20) /* enough for a rate, and read in a tenth of a second */
#define SAMPLE_JOB   (UINT64_C(1) << 20)
#define SAMPLE_ROOM  (8 * SAMPLE_JOB) /* what is read goes round in it */

static int read_sample(struct reader *reader, unsigned char *room, uint64_t bytes,
                       struct err *err)
{
    int jobs = 0, rc = 0;

    reader_reset(reader);
    for (uint64_t at = 0; at < bytes && rc == 0; at += SAMPLE_JOB, jobs++) {
        uint64_t n = bytes - at < SAMPLE_JOB ? bytes - at : SAMPLE_JOB;
        struct read_job job = {
            .dst = room + at % SAMPLE_ROOM,
            .file_byte = at,
            .bytes = n,
            .read_bytes = (n + READ_ALIGN - 1) / READ_ALIGN * READ_ALIGN,
            .name = "the file's beginning",
        };

        rc = reader_post(reader, &job, err);
    }
    if (rc == 0)
        rc = reader_wait(reader, jobs - 1, err);
    reader_drain(reader);
    return rc;
}

int executor_disk_rate(struct executor *ex, double *ret_bytes_per_s, struct err *err)
{
    uint64_t bytes = SAMPLE_BYTES, began;
    struct stat st;
    void *room;
    int rc;

    if (stat(ex->file->path, &st) < 0)
        return err_set(err, -errno, "'%s': %s", ex->file->path, strerror(errno));
    if ((uint64_t)st.st_size < bytes)
        bytes = (uint64_t)st.st_size;
    if (posix_memalign(&room, READ_ALIGN, SAMPLE_ROOM) != 0)
        return err_set(err, -ENOMEM, "out of memory for a sample of the disk");
    memset(room, 0, SAMPLE_ROOM); /* pages are there before the clock starts */
    began = clock_ns();
    rc = read_sample(ex->reader, room, bytes, err);
    if (rc == 0)
        *ret_bytes_per_s = (double)bytes * 1e9 / (double)(clock_ns() - began + 1);
    free(room);
    return rc;
}

/* ---- kernels alone ---- */

static int load_resident(struct executor *ex, const struct schedule *preload, struct err *err)
{
    struct run r = {.ex = ex, .s = preload, .queue = ex->queue};
    int rc = run_begin(&r, err);

    if (rc == 0)
        rc = run_move(&r, 0, preload->n_items, FLIGHT_PRELOAD, err);
    if (rc == 0)
        rc = run_land(&r, err);
    if (rc == 0) {
        ex->resident = r.weight;
        r.resident = true; /* they stay */
    }
    run_clean(&r);
    return rc;
}

static int run_resident(struct executor *ex, const struct schedule *preload, uint64_t *ret_ns,
                        struct err *err)
{
    struct run r = {
        .ex = ex, .s = preload, .queue = ex->queue, .weight = ex->resident, .resident = true};
    uint64_t began;
    int rc = run_begin(&r, err);

    began = clock_ns();
    if (rc == 0)
        rc = run_body(&r, err);
    if (rc == 0)
        *ret_ns = clock_ns() - began;
    run_clean(&r);
    return rc;
}

/* Beside more than this, where the device's memory is the host's, what the runs of the next round get
 * is memory that nothing has touched yet: on a virtual machine they take up to 1.8 times as long. */
#define HELD_MOST (UINT64_C(1) << 30)

static void let_resident_go(struct executor *ex)
{
    for (int w = 0; ex->resident && w <= ex->m->n_weights; w++)
        tensor_done(&ex->resident[w], NULL);
    free(ex->resident);
    ex->resident = NULL;
}

static int kernel_ns(struct executor *ex, const struct schedule *preload, uint64_t *ret_ns,
                     struct err *err)
{
    int rc = 0;

    if (preload->direct) {
        rc = direct_all(ex, preload, err);
        return rc < 0 ? rc : direct_kernel_ns(ex, ret_ns, err);
    }
    if (!ex->resident) {
        rc = load_resident(ex, preload, err);
        if (rc == 0) /* what carried load so far may be compiled at its first launch without */
            rc = run_resident(ex, preload, ret_ns, err);
    }
    return rc < 0 ? rc : run_resident(ex, preload, ret_ns, err);
}

int executor_controls(struct executor *ex, const struct schedule *preload, double *ret_disk_ns,
                      double *ret_kernel_ns, struct err *err)
{
    uint64_t disk, kernels;
    int rc = executor_disk_ns(ex, preload, &disk, err);

    if (rc == 0)
        rc = kernel_ns(ex, preload, &kernels, err);
    if (ex->dev->info.unified && preload->read_bytes > HELD_MOST)
        let_resident_go(ex);
    if (rc < 0)
        return rc;
    *ret_disk_ns = (double)disk;
    *ret_kernel_ns = (double)kernels;
    return 0;
}
