/* operators/stream.h - a run of texels on its way into a weight-to-be: as kernels/stream.cl wants
 * it, or as copies of rectangles. */
#ifndef FLASHMEM_OPERATORS_STREAM_H
#define FLASHMEM_OPERATORS_STREAM_H

#include "operators/op.h"

/* Height of the tiles in which GPUs write images: 8 rows are a whole block of NVIDIA's memory. */
#define STREAM_ROWS_LOG2 3

/* The int8 argument of one load, see stream.cl. Destinations are at most 2^27 texels wide. */
cl_int8 stream_pack(const struct op_load *l, enum mem_path path);

/* Copy from l->host into l->dst, non-blocking: one rectangle of whole rows and the ends of rows
 * before and behind it; a buffer takes one. The first command waits for `after` (NULL: for
 * nothing). event[2] is the caller's, NULL at first, over any number of calls: the events of the
 * first command of all and of the last, also after a failure. */
int stream_copy(cl_command_queue queue, const struct op_load *l, enum mem_path path, cl_event after,
                cl_event event[2], struct err *err);

#endif
