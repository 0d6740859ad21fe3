/* harness/sweep/worker.h - the process that measures: takes orders over a socket, one configuration
 * each, until the socket closes. Protocol: wire.h.
 *
 * It keeps the trial of the last (case, path) alive, with its inputs and its reference output, and
 * the base program of the last variant. For tests, FLASHMEM_FAULT=crash:TEXT makes an order
 * whose key contains TEXT do so; also kill: (as the kernel does when memory is out), memory: (malloc
 * fails), hang:, and start:FILE, which kills as many workers at their start as FILE has bytes. */
#ifndef FLASHMEM_HARNESS_SWEEP_WORKER_H
#define FLASHMEM_HARNESS_SWEEP_WORKER_H

#include "profiler/err.h"

/* Serve orders from socket `fd` for the device `selector` (as device_open()). 0 when the other side
 * closes; a device that does not open is reported over the socket as well. */
int worker_run(const char *selector, int fd, struct err *err);

#endif
