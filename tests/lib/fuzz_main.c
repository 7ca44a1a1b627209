/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_main.c - replays the files of the named folders through a fuzz target.
 *
 * Stands in for libFuzzer where the build has none, so that corpora and
 * regressions run in every check. A crash ends the program, as it should.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replayed;

static void replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return;
    struct stat st;
    if (fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode)) {
        size_t n = (size_t)st.st_size;
        uint8_t *data = malloc(n ? n : 1); /* exact size: ASan sees the end */
        if (fread(data, 1, n, f) == n) {
            fprintf(stderr, "%s\r", path); /* the last one, if it crashes */
            LLVMFuzzerTestOneInput(data, n);
            replayed++;
        }
        free(data);
    }
    fclose(f);
}

static void replay(const char *path)
{
    DIR *d = opendir(path);
    if (!d) {
        replay_file(path);
        return;
    }
    for (struct dirent *e; (e = readdir(d));) {
        char name[4096];
        if (e->d_name[0] == '.')
            continue;
        snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
        replay_file(name);
    }
    closedir(d);
}

int main(int argc, char **argv)
{
    static const uint8_t nothing[1];
    LLVMFuzzerTestOneInput(nothing, 0);
    replayed++;
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    fprintf(stderr, "\n");
    printf("%d passed, 0 failed\n", replayed);
    return 0;
}
