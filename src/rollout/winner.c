#include "rollout/winner.h"

#include <math.h>

int winner_of(const double *log_e, int count, double alpha) {
    double needed = log(count / alpha);
    for (int i = 0; i < count; i++) {
        int beaten = 0;
        for (int j = 0; j < count; j++)
            beaten += j != i && log_e[i * count + j] >= needed;
        if (beaten == count - 1 && count > 1)
            return i;
    }
    return -1;
}
