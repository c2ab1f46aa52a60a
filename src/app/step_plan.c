// `sluice plan`: how long each step must last to detect the configured harm.
#include "step_plan.h"

#include "app/client.h"
#include "app/commands.h"
#include "app/paint.h"
#include "member.h"
#include "words.h"

static void write_guard(struct strbuf *out, const json_t *guard) {
    strbuf_format(out, "    %-20s ", member_text(guard, "name"));
    words_plain(out, member_text(guard, "detects"));
    if (member_given(guard, "requests")) {
        strbuf_literal(out, ": about ");
        words_count(out, member_number(guard, "requests"));
        strbuf_literal(out, " requests");
    }
    if (member_given(guard, "seconds")) {
        strbuf_literal(out, ", ");
        words_duration(out, member_number(guard, "seconds"));
    }
    strbuf_char(out, '\n');
}

static void write_step(struct strbuf *out, const json_t *step) {
    const json_t *guards = json_object_get(step, "guards");
    strbuf_format(out, "  %sstep %lld%s", paint(PAINT_BOLD), member_integer(step, "step") + 1,
                  paint(PAINT_PLAIN));
    if (member_given(step, "weight")) {
        strbuf_literal(out, " at ");
        words_percent(out, member_number(step, "weight"));
    }
    if (member_given(step, "seconds")) {
        strbuf_literal(out, ": ");
        words_duration(out, member_number(step, "seconds"));
    }
    if (member_number(step, "configured_seconds") > 0) {
        strbuf_literal(out, " (configured: ");
        words_duration(out, member_number(step, "configured_seconds"));
        strbuf_char(out, ')');
    }
    strbuf_char(out, '\n');
    for (size_t i = 0; i < json_array_size(guards); i++)
        write_guard(out, json_array_get(guards, i));
    if (!member_given(step, "warning"))
        return;
    strbuf_format(out, "    %swarning: ", paint(PAINT_YELLOW));
    words_plain(out, member_text(step, "warning"));
    strbuf_format(out, "%s\n", paint(PAINT_PLAIN));
}

void step_plan_write(struct strbuf *out, const json_t *plan) {
    const json_t *steps = json_object_get(plan, "steps");
    strbuf_format(out, "%s%s%s at %.6g requests a second\n", paint(PAINT_BOLD), member_text(plan, "route"),
                  paint(PAINT_PLAIN), member_number(plan, "rps"));
    for (size_t i = 0; i < json_array_size(steps); i++)
        write_step(out, json_array_get(steps, i));
    if (json_array_size(steps) == 0)
        strbuf_literal(out,
                       "  no step gives the candidate a part of the traffic: there is nothing to plan\n");
}

int command_plan(const struct invocation *invocation) {
    struct strbuf path = {0};
    if (!invocation->rps) {
        fprintf(stderr, "sluice plan: give the route's requests a second: --rps N (--help for more)\n");
        return EXIT_USAGE;
    }
    client_route_path(&path, invocation, "plan?rps=");
    client_encode(&path, invocation->rps);
    int result = client_print(invocation, strbuf_text(&path), step_plan_write);
    strbuf_free(&path);
    return result;
}
