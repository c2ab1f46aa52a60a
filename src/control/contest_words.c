// What a contest says, in one sentence.
#include "controller.h"

#include <math.h>

static const char *name_of(const struct controller *controller, unsigned index) {
    return controller->config->variants[controller->contest->settings.arms[index]].name;
}

static void say_won(struct controller *controller, unsigned winner) {
    const struct contest *contest = controller->contest;
    double count, least = INFINITY;
    struct contest_view view = {0}, closest = {0};
    unsigned second = winner;
    for (unsigned i = 0; i < contest->settings.count; i++) {
        if (i == winner)
            continue;
        contest_compare(contest, winner, i, &view);
        if (view.log_e < least) {
            least = view.log_e;
            closest = view;
            second = i;
        }
    }
    snprintf(
        controller->goal_because, sizeof controller->goal_because,
        "%s wins by %s: %.4g against %.4g of %s, a difference from %.3g to %.3g; e-value %.3g, %.3g suffices",
        name_of(controller, winner), contest->settings.goal.name, contest_estimate(contest, winner, &count),
        contest_estimate(contest, second, &count), name_of(controller, second), closest.low, closest.high,
        exp(closest.log_e), exp(closest.log_needed));
}

static void say_open(struct controller *controller) {
    const struct contest *contest = controller->contest;
    struct strbuf text = {0};
    double count, left = contest_left(contest);
    strbuf_format(&text, "no winner by %s yet:", contest->settings.goal.name);
    for (unsigned i = 0; i < contest->settings.count; i++) {
        double estimate = contest_estimate(contest, i, &count);
        if (isnan(estimate))
            strbuf_format(&text, "%s %s has no values", i ? "," : "", name_of(controller, i));
        else
            strbuf_format(&text, "%s %s %.4g of %.0f", i ? "," : "", name_of(controller, i), estimate, count);
    }
    if (isfinite(left))
        strbuf_format(&text, "; about %.0f more at this rate", left);
    snprintf(controller->goal_because, sizeof controller->goal_because, "%s", strbuf_text(&text));
    strbuf_free(&text);
}

int controller_judge_contest(struct controller *controller) {
    int winner = contest_winner(controller->contest);
    if (winner < 0) {
        say_open(controller);
        return -1;
    }
    say_won(controller, (unsigned)winner);
    return (int)controller->contest->settings.arms[winner];
}
