/* harness/store/version.h - which program this is; version.c is made at build time. */
#ifndef FLASHMEM_HARNESS_STORE_VERSION_H
#define FLASHMEM_HARNESS_STORE_VERSION_H

extern const char program_version[];  /* "0.1.0 (a1b2c3d-dirty)"; "unknown" outside a repository */
extern const char program_compiler[]; /* "gcc 12.2.0" */

#endif
