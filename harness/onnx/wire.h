/* harness/onnx/wire.h - is this a well-formed protobuf message? protobuf-c recurses without a
 * limit, so a file is walked here, by the same descriptors, before protobuf-c sees it.
 * https://protobuf.dev/programming-guides/encoding/ */
#ifndef FLASHMEM_HARNESS_ONNX_WIRE_H
#define FLASHMEM_HARNESS_ONNX_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/err.h"

struct ProtobufCMessageDescriptor; /* of <protobuf-c/protobuf-c.h>, which may be missing */

enum { WIRE_MAX_DEPTH = 64 };

/* -EINVAL: messages more than WIRE_MAX_DEPTH deep, a length beyond its message, an endless varint,
 * a group, field number 0. err says at which byte. */
int wire_check(const struct ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t n,
               struct err *err);

#endif
