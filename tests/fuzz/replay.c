/* Runs a target on files, or on all files of folders, without libFuzzer: fuzz-x FILE-OR-FOLDER... */
#include "fuzz/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

static unsigned count;

static bool run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat st;
    uint8_t *data;
    size_t len = 0;

    if (!file || fstat(fileno(file), &st) < 0 || !S_ISREG(st.st_mode)) {
        fprintf(stderr, "%s: cannot be read\n", path);
        if (file)
            fclose(file);
        return false;
    }
    data =
        malloc((size_t)st.st_size + (st.st_size == 0)); /* of the exact size, for the sanitizer */
    CHECK(data != NULL);
    len = fread(data, 1, (size_t)st.st_size, file);
    fclose(file);
    (void)LLVMFuzzerTestOneInput(data, len);
    free(data);
    count++;
    return true;
}

static bool run_folder(const char *path)
{
    struct dirent **entries = NULL;
    bool good = true;
    int n = scandir(path, &entries, NULL, alphasort);

    if (n < 0)
        return errno == ENOTDIR ? run_file(path) : false;
    for (int i = 0; i < n; i++) {
        char name[4096];

        if (entries[i]->d_name[0] != '.') {
            snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
            good = run_file(name) && good;
        }
        free(entries[i]);
    }
    free(entries);
    return good;
}

int main(int argc, char **argv)
{
    bool good = argc > 1;

    for (int i = 1; i < argc; i++) {
        good = run_folder(argv[i]) && good;
        /* an empty corpus tests nothing, and is a mistake */
        good = good && count > 0;
    }
    printf("%u inputs\n", count);
    return good ? 0 : 1;
}
