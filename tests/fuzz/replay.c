/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs a fuzz target over every file of the directories (or files) given, so
 * that corpora and old findings are tested without libFuzzer.  A directory
 * that is missing or empty is a failure: it would test nothing.
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_MAX (1U << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool run_file(const char *path)
{
    uint8_t *all = malloc(INPUT_MAX), *exact;
    FILE *f = fopen(path, "rb");
    size_t n;

    if (!f || !all) {
        fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
        if (f)
            fclose(f);
        free(all);
        return false;
    }
    n = fread(all, 1, INPUT_MAX, f);
    fclose(f);
    /* memory of just the input's size, for the sanitizers */
    exact = malloc(n ? n : 1);
    if (exact) {
        memcpy(exact, all, n);
        printf("%s\n", path); /* the last line names the culprit */
        fflush(stdout);
        LLVMFuzzerTestOneInput(exact, n);
    }
    free(exact);
    free(all);
    return exact != NULL;
}

/* How many files were run; negative if something could not be. */
static long run_dir(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *entry;
    long n = 0;

    if (!d) {
        fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
        return -1;
    }
    while (n >= 0 && (entry = readdir(d))) {
        char file[4096];

        if (entry->d_name[0] == '.')
            continue;
        snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
        n = run_file(file) ? n + 1 : -1;
    }
    closedir(d);
    if (n == 0) {
        fprintf(stderr, "replay: %s: no inputs in it\n", path);
        return -1;
    }
    return n;
}

int main(int argc, char **argv)
{
    long total = 0;

    if (argc < 2) {
        fprintf(stderr, "usage: %s DIRECTORY|FILE...\n", argv[0]);
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        struct stat st;
        long n;

        if (stat(argv[i], &st) == 0 && S_ISREG(st.st_mode))
            n = run_file(argv[i]) ? 1 : -1;
        else
            n = run_dir(argv[i]);
        if (n < 0)
            return 1;
        total += n;
    }
    printf("%ld inputs replayed\n", total);
    return 0;
}
