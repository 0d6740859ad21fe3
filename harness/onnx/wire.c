#include "harness/onnx/wire.h"

#include <errno.h>
#include <protobuf-c/protobuf-c.h>

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5, VARINT_BYTES = 10 };

struct walk {
    const uint8_t *start;
    struct err *err;
};

static int fail(struct walk *w, const uint8_t *at, const char *what)
{
    return err_set(w->err, -EINVAL, "not an ONNX file, or a torn one: %s at byte %zu", what,
                   (size_t)(at - w->start));
}

static int read_varint(struct walk *w, const uint8_t **p, const uint8_t *end, uint64_t *ret_v)
{
    uint64_t v = 0;

    for (int i = 0; i < VARINT_BYTES; i++) {
        if (*p == end)
            return fail(w, *p, "a number is cut off");
        v |= (uint64_t)(**p & 0x7f) << (7 * i);
        if (!(*(*p)++ & 0x80)) {
            *ret_v = v;
            return 0;
        }
    }
    return fail(w, *p, "a number of more than 10 bytes");
}

static int walk_message(struct walk *w, const ProtobufCMessageDescriptor *type, const uint8_t *p,
                        const uint8_t *end, int depth)
{
    if (depth > WIRE_MAX_DEPTH)
        return fail(w, p, "messages more than 64 deep");
    while (p < end) {
        const uint8_t *tag_at = p;
        const ProtobufCFieldDescriptor *field;
        uint64_t tag = 0, length = 0;

        if (read_varint(w, &p, end, &tag) < 0)
            return -EINVAL;
        if (tag >> 3 == 0 || tag >> 3 > UINT32_MAX >> 3)
            return fail(w, tag_at, "no such field");
        switch (tag & 7) {
        case WIRE_VARINT:
            if (read_varint(w, &p, end, &length) < 0)
                return -EINVAL;
            length = 0;
            break;
        case WIRE_64:
            length = 8;
            break;
        case WIRE_32:
            length = 4;
            break;
        case WIRE_BYTES:
            if (read_varint(w, &p, end, &length) < 0)
                return -EINVAL;
            break;
        default:
            return fail(w, tag_at, "no such wire type");
        }
        if (length > (uint64_t)(end - p))
            return fail(w, tag_at, "a field longer than what holds it");
        field = protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3));
        if ((tag & 7) == WIRE_BYTES && field && field->type == PROTOBUF_C_TYPE_MESSAGE &&
            walk_message(w, field->descriptor, p, p + length, depth + 1) < 0)
            return -EINVAL;
        p += length;
    }
    return 0;
}

int wire_check(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t n,
               struct err *err)
{
    struct walk w = {bytes, err};

    return walk_message(&w, type, bytes, bytes + n, 1);
}
