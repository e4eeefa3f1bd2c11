/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading a configuration: YAML text (by libyaml) to struct conf.
 *
 * A file has `network:` (netplan's, version 2), `bascule:` (ours) or both.
 * Every key is obeyed or refused by name, line and column (basculed.conf(5)
 * lists them); an invalid file gives an error and nothing else.  Bounded: the
 * limits below are checked while reading, before memory is spent.
 *
 * Threads: any; blocks only in 'open'.
 */
#ifndef CTL_CONFIG_LOAD_H
#define CTL_CONFIG_LOAD_H

#include "base/err.h"
#include "ctl/config/model.h"

#define CONF_BYTES_MAX (768UL << 10) /* of one file, and of all together */
#define CONF_DEPTH_MAX 32
#define CONF_NODES_MAX 200000
#define CONF_FILES_MAX 16

/*
 * Gives the text of a file: '*text' is malloc'ed and the loader's to free.
 * 'from' is the file whose `include:` named it, NULL for the first.  The
 * loader has made a relative 'name' relative to the folder of 'from', so that
 * 'name' alone says which file it is, the same wherever it is loaded.  0, or
 * -errno with a sentence, before which the loader puts the place.
 */
typedef int (*conf_open)(void *arg, const char *name, const char *from,
                         char **text, size_t *len, struct err *e);

/*
 * 0, or -errno with a sentence that begins with "FILE:LINE:COLUMN: ", and
 * *conf is NULL.  A first file that 'open' refuses has no place, nor has
 * -ENOMEM.
 */
int conf_load(struct conf **conf, const char *name, conf_open open, void *arg,
              struct err *e);
void conf_free(struct conf *c);

/* A conf_open that reads regular files and pipes (arg unused). */
int conf_open_file(void *arg, const char *name, const char *from, char **text,
                   size_t *len, struct err *e);

/* 'text' as it would be one file (tests, fuzzing). */
int conf_load_text(struct conf **conf, const char *text, size_t len,
                   struct err *e);

#endif
