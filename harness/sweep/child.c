#include "harness/sweep/child.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/clock.h"

/* Opening a device compiles nothing, but a first LLVM start on a loaded machine takes seconds. */
#define START_TIMEOUT_NS UINT64_C(120000000000)

struct child {
    struct child_options opt;
    pid_t pid; /* 0: none */
    int fd, starts;
    int log; /* what the worker and its OpenCL platform print: kept for messages about its death */
    struct wire_reader reader;
    bool answered;  /* some worker once took an order */
    char stage[16]; /* what the worker said last that it was doing */
};

int child_new(const struct child_options *opt, struct child **ret_c, struct err *err)
{
    struct child *c = calloc(1, sizeof(*c));

    if (!c)
        return err_set(err, -ENOMEM, "out of memory");
    c->opt = *opt;
    c->fd = c->log = -1;
    *ret_c = c;
    return 0;
}

int child_starts(const struct child *c)
{
    return c->starts;
}

/* Kill whatever is left of the worker; its wait status. */
static int reap(struct child *c, bool first_wait)
{
    int status = 0;

    if (c->pid) {
        /* A dead worker's own signal must win over ours: give the kernel a moment to report it. */
        for (int i = 0; first_wait && i < 200; i++) {
            pid_t got = waitpid(c->pid, &status, WNOHANG);

            if (got == c->pid)
                goto gone;
            usleep(10000);
        }
        kill(c->pid, SIGKILL);
        while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
            ;
    }
gone:
    if (c->fd >= 0)
        close(c->fd);
    wire_reader_done(&c->reader);
    c->pid = 0;
    c->fd = -1;
    return status;
}

void child_free(struct child *c)
{
    if (!c)
        return;
    reap(c, false);
    if (c->log >= 0)
        close(c->log);
    free(c);
}

/* After fork(): async-signal-safe calls only. The worker talks over descriptor 0; what it prints
 * goes to `log`. It dies with us, whatever kills us. */
static void become_worker(int fd, int log, pid_t parent, const char *program, char *index)
{
    char *argv[] = {"flashmem", "--device", index, "worker", NULL};

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        _exit(127);
    if (dup2(fd, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0)
        _exit(127);
    execv(program, argv);
    _exit(127);
}

#define LAST_WORDS 300

/* The last line that the worker printed, e.g. of a failed assertion; "" if it was silent. */
static void last_words(const struct child *c, char text[LAST_WORDS])
{
    off_t end = c->log >= 0 ? lseek(c->log, 0, SEEK_END) : 0;
    off_t from = end > LAST_WORDS - 1 ? end - (LAST_WORDS - 1) : 0;
    ssize_t n = end > 0 ? pread(c->log, text, (size_t)(end - from), from) : 0;
    char *line;

    text[n > 0 ? n : 0] = '\0';
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
        text[--n] = '\0';
    line = strrchr(text, '\n');
    if (line)
        memmove(text, line + 1, strlen(line));
    for (char *p = text; *p; p++) /* a driver's last words need not be UTF-8 */
        if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
            *p = '?';
}

static int greeting(struct child *c, struct err *err)
{
    const struct device_info *want = c->opt.info;
    const char *platform = "", *name = "", *driver = "", *text = NULL;
    struct wire_deadline deadline = wire_within(START_TIMEOUT_NS);
    json_t *j = NULL;
    int rc;

    rc = wire_receive(&c->reader, &deadline, c->opt.interrupted, &j, err);
    if (rc == -EPIPE) {
        char said[LAST_WORDS] = "";

        last_words(c, said);
        return err_set(err, -ECHILD, "the worker process ended before it was ready%s%s",
                       *said ? ": " : "", said);
    }
    if (rc < 0)
        return rc;
    if (json_unpack(j, "{s:s}", "error", &text) == 0)
        rc = err_set(err, -ENODEV, "worker: %s", text);
    else if (json_unpack(j, "{s:{s:s,s:s,s:s}}", "hello", "platform", &platform, "name", &name,
                         "driver", &driver) < 0)
        rc = err_set(err, -EPROTO, "worker protocol: bad greeting");
    else if (strcmp(platform, want->platform) != 0 || strcmp(name, want->name) != 0 ||
             strcmp(driver, want->driver) != 0)
        rc = err_set(err, -ENODEV, "worker: device %d is '%s' (%s), want '%s' (%s)", want->index,
                     name, driver, want->name, want->driver);
    json_decref(j);
    return rc;
}

static int start(struct child *c, struct err *err)
{
    const char *program = c->opt.program ? c->opt.program : "/proc/self/exe";
    pid_t parent = getpid();
    char index[16];
    int pair[2], rc;

    snprintf(index, sizeof(index), "%d", c->opt.info->index);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return err_set(err, -errno, "cannot make a socket: %s", strerror(errno));
    if (c->log >= 0)
        close(c->log);
    c->log = memfd_create("worker", MFD_CLOEXEC); /* without one, the worker keeps our stderr */
    c->pid = fork();
    if (c->pid == 0)
        become_worker(pair[1], c->log >= 0 ? c->log : 2, parent, program, index);
    close(pair[1]);
    if (c->pid < 0) {
        rc = err_set(err, -errno, "cannot start a worker: %s", strerror(errno));
        close(pair[0]);
        c->pid = 0;
        return rc;
    }
    c->fd = pair[0];
    c->reader = (struct wire_reader){.fd = c->fd};
    c->starts++;
    rc = greeting(c, err);
    if (rc < 0)
        reap(c, false);
    return rc;
}

static void describe_death(const struct child *c, int status, char *text, size_t size)
{
    const char *stage = *c->stage ? c->stage : "start";
    char said[LAST_WORDS] = "", how[64];

    last_words(c, said);
    if (WIFSIGNALED(status)) {
        const char *name = sigabbrev_np(WTERMSIG(status));

        snprintf(how, sizeof(how), "killed by SIG%s", name ? name : "?");
    } else {
        snprintf(how, sizeof(how), "exited with status %d", WEXITSTATUS(status));
    }
    snprintf(text, size, "%s in %s%s%s", how, stage, *said ? ": " : "", said);
}

/* Read until the result; stages on the way are remembered. */
static int await(struct child *c, struct work_result *ret_r, struct err *err)
{
    struct wire_deadline deadline = wire_within(c->opt.timeout_ns);

    for (;;) {
        const json_t *result;
        const char *stage;
        json_t *j = NULL;
        int rc = wire_receive(&c->reader, &deadline, c->opt.interrupted, &j, err);

        if (rc < 0)
            return rc;
        stage = json_string_value(json_object_get(j, "stage"));
        result = json_object_get(j, "result");
        if (stage)
            snprintf(c->stage, sizeof(c->stage), "%s", stage);
        if (result)
            rc = wire_read_result(result, ret_r, err);
        json_decref(j);
        if (result || rc < 0)
            return rc;
    }
}

/* After a crash a driver may need a while (a GPU is reset, memory is returned): a worker that has
 * started before gets several chances. The first start says at once what is wrong. */
static int start_patiently(struct child *c, struct err *err)
{
    static const unsigned pause_ms[] = {200, 1000, 5000, 20000, 60000};
    int rc = start(c, err);

    for (size_t i = 0; i < sizeof(pause_ms) / sizeof(pause_ms[0]); i++) {
        if (rc == 0 || rc == -EINTR || rc == -ENOMEM || !c->answered)
            return rc;
        for (unsigned t = 0; t < pause_ms[i]; t += 100) {
            if (c->opt.interrupted && *c->opt.interrupted)
                return err_set(err, -EINTR, "interrupted");
            usleep(100000);
        }
        rc = start(c, err);
    }
    return rc;
}

int child_ask(struct child *c, const struct work_order *order, struct work_result *ret_r,
              struct err *err)
{
    struct work_result r;
    int rc = 0, status;

    c->stage[0] = '\0';
    if (!c->pid)
        rc = start_patiently(c, err);
    if (rc < 0)
        return rc;
    work_result_init(&r, SAMPLE_CRASHED);
    rc = wire_send(c->fd, "order", wire_order(order), err);
    if (rc == 0)
        rc = await(c, &r, err);
    if (rc == -ENOMEM)
        return rc;
    if (rc < 0) {
        status = reap(c, rc == -EPIPE);
        if (rc == -EINTR)
            return rc;
        r.status = rc == -ETIMEDOUT ? SAMPLE_TIMEOUT : SAMPLE_CRASHED;
        if (rc == -ETIMEDOUT)
            snprintf(r.error, sizeof(r.error), "no result after %.3g s, killed in %s",
                     (double)c->opt.timeout_ns * 1e-9, *c->stage ? c->stage : "start");
        else if (rc == -EPIPE)
            describe_death(c, status, r.error, sizeof(r.error));
        else
            snprintf(r.error, sizeof(r.error), "%s", err ? err->text : "worker protocol");
    } else if (r.status == SAMPLE_LAUNCH_FAILED || r.status == SAMPLE_OUT_OF_MEMORY) {
        reap(c, false); /* what such an error leaves of a context cannot be trusted */
    }
    c->answered = true;
    *ret_r = r;
    return 0;
}
