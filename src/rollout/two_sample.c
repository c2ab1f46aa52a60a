#include "rollout/two_sample.h"

#include "sums.h"

#include <math.h>

// Odds ratios of the alternatives to the line.
static const double harm_odds[TWO_SAMPLE_MOST] = {1.1, 1.25, 1.5, 2, 3, 5, 10, 30, 100, 1000, 100000};
static const double fine_odds[] = {1 / 1.1, 1 / 1.25, 1 / 1.5,  1 / 2.0,
                                   1 / 3.0, 1 / 5.0,  1 / 10.0, 1 / 100.0};
#define FINE_ODDS (sizeof fine_odds / sizeof *fine_odds)
#define EDGE      1e-6 // rates stay this far from 0 and 1

static double inside(double rate) {
    return rate < EDGE ? EDGE : rate > 1 - EDGE ? 1 - EDGE : rate;
}

static double log_odds(double rate) {
    return log(rate) - log1p(-rate);
}

static double rate_of(double log_odds) {
    if (log_odds >= 0)
        return 1 / (1 + exp(-log_odds));
    double e = exp(log_odds);
    return e / (1 + e);
}

struct slope { // of the weighted relative entropy along the line, and how it changes; it grows with x
    double value, rise;
};

static struct slope slope_at(double nb, double nc, double tb, double tc, double rho, double delta, double x) {
    double c = rho * x + delta, bx = 1 / (x * (1 - x)), cx = rho / (c * (1 - c));
    return (struct slope){
        nb * (x - tb) * bx + nc * (c - tc) * cx,
        nb * (x * x + tb * (1 - 2 * x)) * bx * bx + nc * (c * c + tc * (1 - 2 * c)) * cx * cx,
    };
}

// Newton's steps from x, kept between the bounds by halving; about five of them.
static double root_between(double nb, double nc, double tb, double tc, double rho, double delta, double x,
                           double low, double high) {
    for (int i = 0; i < 200; i++) {
        struct slope slope = slope_at(nb, nc, tb, tc, rho, delta, x);
        if (slope.value > 0)
            high = x;
        else
            low = x;
        double next = x - slope.value / slope.rise;
        if (!(next > low && next < high)) {
            if (fabs(next - x) <= 1e-15 * x)
                return x; // what is left is rounding
            next = 0.5 * (low + high);
        }
        if (fabs(next - x) <= 1e-15 * x || next <= low || next >= high)
            return next;
        x = next;
    }
    return x;
}

void two_sample_project(double nb, double nc, double tb, double tc, double rho, double delta,
                        double *on_baseline, double *on_candidate) {
    if (rho == 1 && delta == 0) {
        *on_baseline = *on_candidate = (nb * tb + nc * tc) / (nb + nc);
        return;
    }
    if (rho == 0) {
        *on_baseline = tb;
        *on_candidate = delta;
        return;
    }
    double other = (tc - delta) / rho;
    double low = fmax(fmax(fmin(tb, other), 0), -delta / rho);
    double high = fmin(fmin(fmax(tb, other), 1), (1 - delta) / rho);
    double pooled = (nb * tb + nc * other) / (nb + nc); // near, unless the line bends it far away
    double from = pooled > low && pooled < high ? pooled : 0.5 * (low + high);
    double x = root_between(nb, nc, tb, tc, rho, delta, from, low, high);
    *on_baseline = x;
    *on_candidate = rho * x + delta;
}

static double part(double n, double events, double rate, double null) {
    return events * log(rate / null) + (n - events) * (log1p(-rate) - log1p(-null));
}

// Where no point of the line has rates between 0 and 1 (a margin of 100 points, or a baseline that fails
// nearly always), or rounding puts it on 0 or 1, there is nothing to divide by: the batch says nothing. That
// hangs on the guesses and the sizes alone, not on the outcomes, and so it costs no validity.
double two_sample_batch(double nb, double kb, double nc, double kc, double tb, double tc, double rho,
                        double delta) {
    double b0, c0;
    if (nc <= 0 || (nb <= 0 && rho != 0))
        return 0;
    two_sample_project(nb, nc, tb, tc, rho, delta, &b0, &c0);
    if (!(b0 > 0 && b0 < 1 && c0 > 0 && c0 < 1))
        return 0;
    return (rho == 0 ? 0 : part(nb, kb, tb, b0)) + part(nc, kc, tc, c0);
}

void two_sample_init(struct two_sample *process, const struct two_sample_settings *settings) {
    *process = (struct two_sample){.settings = *settings};
    process->count = settings->direction == TWO_SAMPLE_HARM ? TWO_SAMPLE_MOST : FINE_ODDS;
    if (settings->direction == TWO_SAMPLE_NON_INFERIOR)
        process->settings.restart_every = 0;
    for (unsigned i = 0; i < TWO_SAMPLE_MOST; i++)
        process->restarted[i] = -INFINITY;
}

bool two_sample_holds(const struct two_sample *process) {
    unsigned every = process->settings.restart_every;
    bool holds = process->events >= 0 && process->events <= process->seen && isfinite(process->seen) &&
                 process->restarts <= (every ? process->batches / every : 0);
    for (unsigned i = 0; i < process->count; i++)
        holds = holds && isfinite(process->product[i]) && process->restarted[i] < INFINITY;
    return holds;
}

void two_sample_seed(struct two_sample *process, double seen, double events) {
    process->seen = seen;
    process->events = events;
}

// The weights of restarts 1, 2, 3 … sum to 1; what is left after s of them.
static double weight_left(unsigned s) {
    return 1 / log2(s + 2.0);
}

static void restart(struct two_sample *process) {
    unsigned every = process->settings.restart_every;
    if (!every || !process->batches || process->batches % every)
        return;
    process->restarts++;
    double weight = log(weight_left(process->restarts - 1) - weight_left(process->restarts));
    for (unsigned i = 0; i < process->count; i++)
        process->restarted[i] = log_add(process->restarted[i], weight);
}

void two_sample_update(struct two_sample *process, double nb, double kb, double nc, double kc) {
    const struct two_sample_settings *with = &process->settings;
    double a = with->prior_mean * with->prior_weight, b = (1 - with->prior_mean) * with->prior_weight;
    double tb = inside((process->events + a) / (process->seen + a + b));
    double line = with->rho * tb + with->delta, odds = log_odds(inside(line));
    bool harm = with->direction == TWO_SAMPLE_HARM;
    restart(process);
    for (unsigned i = 0; i < process->count; i++) {
        double tc = inside(rate_of(odds + log(harm ? harm_odds[i] : fine_odds[i])));
        bool beyond = harm ? tc > line : tc < line;
        double log_e = beyond ? two_sample_batch(nb, kb, nc, kc, tb, tc, with->rho, with->delta) : 0;
        process->product[i] += log_e;
        process->restarted[i] += log_e;
    }
    process->seen = process->seen * with->decay + nb;
    process->events = process->events * with->decay + kb;
    process->batches++;
}

double two_sample_log_e(const struct two_sample *process, double design_effect) {
    double terms[2 * TWO_SAMPLE_MOST];
    unsigned count = 0;
    bool restarts = process->settings.restart_every > 0;
    double half = log(0.5), left = process->restarts ? log(weight_left(process->restarts)) : 0;
    for (unsigned i = 0; i < process->count; i++) {
        double plain = process->product[i] / design_effect;
        terms[count++] = restarts ? half + plain : plain;
        if (restarts)
            terms[count++] = half + log_add(process->restarted[i] / design_effect, left);
    }
    return log_sum(terms, count) - log(process->count);
}

// The tempered restarts expect at most (what was staked)^(1/design_effect), by Jensen's inequality, and what
// is left besides: more than 1. Half of the evidence is theirs.
double two_sample_evidence(const struct two_sample *process, double design_effect) {
    double left = weight_left(process->restarts);
    double most = pow(1 - left, 1 / design_effect) + left;
    return two_sample_log_e(process, design_effect) - (process->restarts ? log(0.5 + 0.5 * most) : 0);
}
