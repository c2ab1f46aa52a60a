#include "app/demo.h"

#include "app/options.h"

#include <stdio.h>

int demo_main(int argc, char **argv) {
    (void)argc;
    fprintf(stderr, "sluice: %s: not available yet\n", argv[0]);
    return EXIT_REFUSED;
}
