/* SPDX-License-Identifier: Apache-2.0 */
/* table.c - figures: medians, targets, as text for people and as JSON. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define FIGURES 64
#define VALUES 32

static struct figure {
    const char *row, *name, *unit;
    double target;
    bool above;
    double values[VALUES];
    int count;
} figures[FIGURES];
static int figures_count;

static struct figure *find(const char *row, const char *name)
{
    for (int i = 0; i < figures_count; i++)
        if (strcmp(figures[i].row, row) == 0 &&
            strcmp(figures[i].name, name) == 0)
            return &figures[i];
    return NULL;
}

void figure(const char *row, const char *name, const char *unit, double value,
            double target, bool above)
{
    struct figure *f = find(row, name);
    say("  %-44s %12.2f %s", name, value, unit);
    if (!f && figures_count < FIGURES) {
        f = &figures[figures_count++];
        *f = (struct figure){row, name, unit, target, above, {0}, 0};
    }
    if (f && f->count < VALUES)
        f->values[f->count++] = value;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const struct figure *f)
{
    double v[VALUES];
    memcpy(v, f->values, sizeof(v));
    qsort(v, (size_t)f->count, sizeof(double), by_value);
    return f->count ? v[f->count / 2] : 0;
}

double figure_median(const char *row, const char *name)
{
    const struct figure *f = find(row, name);
    return f ? median(f) : 0;
}

static bool is_met(const struct figure *f)
{
    double m = median(f);
    return f->above ? m >= f->target : m <= f->target;
}

static void extremes(const struct figure *f, double *low, double *high)
{
    *low = *high = f->values[0];
    for (int i = 1; i < f->count; i++) {
        if (f->values[i] < *low)
            *low = f->values[i];
        if (f->values[i] > *high)
            *high = f->values[i];
    }
}

static void machine(char *out, size_t size)
{
    char line[256], model[128] = "unknown CPU";
    struct utsname u;
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "model name : %127[^\n]", model) == 1)
            break;
    if (f)
        fclose(f);
    uname(&u);
    snprintf(out, size, "%ld cores, %s, %s %s", sysconf(_SC_NPROCESSORS_ONLN),
             model, u.sysname, u.release);
}

/* Messages lost has a target too, which is none. */
static bool has_target(const struct figure *f)
{
    return f->target > 0 || strcmp(f->name, "messages lost") == 0;
}

void table_print(void)
{
    char m[512];
    machine(m, sizeof(m));
    printf("\nmachine: %s; generator beside the server; medians\n\n", m);
    printf("%-46s %12s %-11s %22s %12s\n", "figure", "median", "unit",
           "least .. most", "target");
    for (int i = 0; i < figures_count; i++) {
        const struct figure *f = &figures[i];
        char range[48], target[32] = "";
        double low, high;
        extremes(f, &low, &high);
        snprintf(range, sizeof(range), "%.2f .. %.2f", low, high);
        if (has_target(f))
            snprintf(target, sizeof(target), "%s %.6g",
                     f->above ? ">=" : "<=", f->target);
        printf("%-46s %12.2f %-11s %22s %12s  %s\n", f->name, median(f),
               f->unit, range, target,
               !has_target(f) ? ""
               : is_met(f)    ? "met"
                              : "MISSED");
    }
}

void table_json(const char *path)
{
    char m[512];
    FILE *f = fopen(path, "w");
    if (!f)
        die("cannot write %s", path);
    machine(m, sizeof(m));
    fprintf(f, "{\"machine\":\"%s\",\"at\":%lld000,\"figures\":[", m,
            (long long)time(NULL));
    for (int i = 0; i < figures_count; i++) {
        const struct figure *g = &figures[i];
        fprintf(f,
                "%s\n  {\"row\":\"%s\",\"name\":\"%s\",\"unit\":\"%s\","
                "\"median\":%.4f,\"values\":[",
                i ? "," : "", g->row, g->name, g->unit, median(g));
        for (int k = 0; k < g->count; k++)
            fprintf(f, "%s%.4f", k ? "," : "", g->values[k]);
        if (has_target(g))
            fprintf(f, "],\"target\":%.4f,\"at_least\":%s,\"met\":%s}",
                    g->target, g->above ? "true" : "false",
                    is_met(g) ? "true" : "false");
        else
            fprintf(f, "],\"target\":null}");
    }
    fprintf(f, "\n]}\n");
    fclose(f);
}

/* The table of docs/developer/performance.md. */
void table_markdown(const char *path)
{
    char m[512];
    FILE *f = fopen(path, "w");
    if (!f)
        die("cannot write %s", path);
    machine(m, sizeof(m));
    fprintf(f,
            "%s; generator beside the server; medians of %d.\n\n"
            "| figure | median | least .. most | target | |\n"
            "|---|---|---|---|---|\n",
            m, options.repeats);
    for (int i = 0; i < figures_count; i++) {
        const struct figure *g = &figures[i];
        double low, high;
        extremes(g, &low, &high);
        fprintf(f, "| %s | %.2f %s | %.2f .. %.2f | ", g->name, median(g),
                g->unit, low, high);
        if (has_target(g))
            fprintf(f, "%s %.6g | %s |\n", g->above ? "≥" : "≤", g->target,
                    is_met(g) ? "met" : "**missed**");
        else
            fprintf(f, "| |\n");
    }
    fclose(f);
}
