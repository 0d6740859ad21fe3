/* Figures: data CSV, gnuplot script, and gnuplot as a child process, without a shell. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/report/figure.h"

/* Single quotes keep gnuplot from reading anything in a name; its own are doubled. */
static void put_quoted(FILE *f, const char *name)
{
    fputc('\'', f);
    for (; *name; name++)
        fputs(*name == '\'' ? "''" : (char[]){*name, '\0'}, f);
    fputc('\'', f);
}

/* Distinct values of a column in order of appearance, as a gnuplot array. Returns their number. */
static int put_array(FILE *f, const char *name, const struct grid *g, int col)
{
    int n = 0;

    for (int pass = 0; pass < 2; pass++) {
        if (pass)
            fprintf(f, "n_%s = %d\n", name, n);
        if (pass && n > 0)
            fprintf(f, "array %s[%d] = [", name, n);
        for (int r = 0, at = 0; r < g->rows; r++) {
            const char *v = grid_cell(g, r, col);
            bool seen = !v || !*v;

            for (int k = 0; k < r && !seen; k++)
                seen = strcmp(grid_cell(g, k, col), v) == 0;
            if (seen)
                continue;
            n += !pass;
            if (!pass)
                continue;
            fputs(at++ ? ", " : "", f);
            put_quoted(f, v);
        }
        if (pass && n > 0)
            fputs("]\n", f);
    }
    return n;
}

/* Ticks of an axis whose places have names: columns 2 and 3, if they are called so. */
static void put_ticks(FILE *f, const struct grid *g)
{
    if (g->cols < 4 || strcmp(g->name[2], "place") != 0)
        return;
    fputs("set xtics ()\n", f);
    for (int r = 0; r < g->rows; r++) {
        const char *place = grid_cell(g, r, 2), *label = grid_cell(g, r, 3);
        bool seen = !place || !label;

        for (int k = 0; k < r && !seen; k++)
            seen = grid_cell(g, k, 2) && strcmp(grid_cell(g, k, 2), place) == 0;
        if (seen)
            continue;
        fputs("set xtics add (", f);
        put_quoted(f, label);
        fprintf(f, " %ld)\n", strtol(place, NULL, 10));
    }
}

/* Type of 8 points, whatever the format and the size: 160 pixels of SVG to an inch, 320 of PNG. */
static void put_script(FILE *f, const struct report_item *item, const struct grid *g, double width,
                       double height)
{
    static const char *const kinds[] = {"svg", "png", "pdf"};
    const struct embedded_file *style = report_file("style.gp"), *body = report_file(item->gnuplot);
    int panels;

    fprintf(f,
            "# %s: run `gnuplot %s.gp` in this folder; restyle at will, the data is %s.csv.\n"
            "data = \"%s.csv\"\n",
            item->title, item->name, item->name, item->name);
    panels = put_array(f, "panels", g, 0);
    put_array(f, "series", g, 1);
    width = width > 0 ? width : 3.3; /* one column of a paper */
    height = height > 0 ? height : item->height * (panels > 1 ? panels : 1);
    fwrite(style->text, 1, style->length, f);
    put_ticks(f, g);
    for (size_t t = 0; t < sizeof(kinds) / sizeof(kinds[0]); t++) {
        fputs("set terminal ", f);
        if (t == 2)
            fprintf(f, "pdfcairo noenhanced size %.4gin,%.2fin font 'Helvetica,8'", width, height);
        else if (t == 1)
            fprintf(f,
                    "pngcairo noenhanced size %d,%d font 'Helvetica,26' linewidth 2.5 "
                    "pointscale 2.5",
                    (int)(width * 320 + 0.5), (int)(height * 320));
        else
            fprintf(f,
                    "svg noenhanced name '%s' size %d,%d dynamic font 'Helvetica,15' linewidth "
                    "1.4 background rgb 'white'",
                    item->name, (int)(width * 160 + 0.5), (int)(height * 160));
        fprintf(f, "\nset output \"%s.%s\"\n", item->name, kinds[t]);
        fwrite(body->text, 1, body->length, f);
        fputs("unset output\n", f);
    }
}

static int run_gnuplot(const char *dir, const char *script, struct err *err)
{
    char log[4096], line[256] = "";
    pid_t pid;
    int status;
    FILE *f;

    snprintf(log, sizeof(log), "%s/gnuplot.log", dir);
    pid = fork();
    if (pid < 0)
        return err_set(err, -errno, "cannot start gnuplot: %s", strerror(errno));
    if (pid == 0) {
        int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0644);

        if (fd >= 0)
            dup2(fd, STDERR_FILENO);
        if (chdir(dir) == 0)
            execlp("gnuplot", "gnuplot", script, (char *)NULL);
        _exit(127);
    }
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_set(err, -errno, "waiting for gnuplot: %s", strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        unlink(log);
        return 0;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
        unlink(log);
        return err_set(err, -ENOENT,
                       "gnuplot did not start: install the package gnuplot-nox; the "
                       "data and the script '%s/%s' are there",
                       dir, script);
    }
    f = fopen(log, "r");
    for (int i = 0; f && i < 4 && fgets(line, sizeof(line), f); i++)
        ;
    if (f)
        fclose(f);
    line[strcspn(line, "\n")] = '\0';
    return err_set(err, -EIO, "gnuplot failed on '%s/%s': %s", dir, script, line);
}

int figure_write(const struct report_item *item, const struct grid *g, double width_in,
                 double height_in, const char *dir, struct err *err)
{
    static const char *const kinds[] = {"svg", "png", "pdf"};
    char path[4096], script[256];
    FILE *f;
    int rc;

    for (size_t t = 0; t < sizeof(kinds) / sizeof(kinds[0]); t++) { /* of other data */
        snprintf(path, sizeof(path), "%s/%s.%s", dir, item->name, kinds[t]);
        unlink(path);
    }
    snprintf(script, sizeof(script), "%s.gp", item->name);
    snprintf(path, sizeof(path), "%s/%s", dir, script);
    f = file_begin(path, err);
    if (!f)
        return err->code;
    put_script(f, item, g, width_in, height_in);
    rc = file_end(f, path, true, err);
    return rc < 0 ? rc : run_gnuplot(dir, script, err);
}
