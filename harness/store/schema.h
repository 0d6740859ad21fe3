/* harness/store/schema.h - the numbered schema files, embedded at build time by embed_sql.sh. */
#ifndef FLASHMEM_HARNESS_STORE_SCHEMA_H
#define FLASHMEM_HARNESS_STORE_SCHEMA_H

struct schema_file {
    const char *name;          /* "001-samples.sql" */
    const unsigned char *text; /* terminated */
};

/* Number n, that is user_version n, stands at n - 1; ended by a NULL name. */
extern const struct schema_file schema_files[];

#endif
