// What a rollout shows of itself: its state, its judgement, its decisions.
#include "controller.h"

#include "base/clock.h"
#include "control/emit.h"
#include "share.h"

#include <math.h>

#define LN10 2.302585092994046

static void emit_optional(struct emit *emit, const char *name, double value, int decimals) {
    emit_number(emit_name(emit, name), value, decimals); // null when there is none
}

static void emit_arm(struct emit *emit, const char *name, double count, double events, double estimate,
                     int decimals) {
    emit_object(emit_name(emit, name));
    emit_number(emit_name(emit, "requests"), count, 0);
    emit_number(emit_name(emit, "events"), events, 0);
    emit_optional(emit, "estimate", estimate, decimals);
    emit_end(emit, '}');
}

static void emit_guard(const struct guard *guard, const struct guard_outcome *outcome, struct emit *emit) {
    const struct guard_settings *settings = &guard->settings;
    // What one answer costs may be millionths of a dollar.
    int decimals = settings->kind == GUARD_MEAN && settings->mean == MEAN_COST ? 12 : 6;
    emit_object(emit);
    emit_text(emit_name(emit, "name"), settings->name);
    if (settings->label)
        emit_text(emit_name(emit, "variant"), settings->label);
    emit_text(emit_name(emit, "role"), guard_role_name(settings->role));
    emit_bool(emit_name(emit, "dry_run"), settings->dry_run);
    emit_text(emit_name(emit, "verdict"), verdict_name(outcome->verdict));
    emit_text(emit_name(emit, "because"), outcome->because);
    emit_number(emit_name(emit, "log10_e_harm"), outcome->log_harm / LN10, 3);
    emit_number(emit_name(emit, "log10_e_pass"), outcome->log_fine / LN10, 3);
    emit_number(emit_name(emit, "needed_log10_e"), outcome->log_needed_harm / LN10, 3);
    emit_number(emit_name(emit, "needed_log10_e_pass"), outcome->log_needed_fine / LN10, 3);
    emit_optional(emit, "requests_left", ceil(outcome->requests_left), 0);
    emit_u64(emit_name(emit, "unjudged"), outcome->unjudged);
    emit_arm(emit, "baseline", outcome->baseline_count, outcome->baseline_events, outcome->baseline_estimate,
             decimals);
    emit_arm(emit, "candidate", outcome->candidate_count, outcome->candidate_events,
             outcome->candidate_estimate, decimals);
    emit_object(emit_name(emit, "difference"));
    emit_optional(emit, "low", outcome->low, decimals);
    emit_optional(emit, "high", outcome->high, decimals);
    emit_end(emit, '}');
    emit_text(emit_name(emit, "unit"), guard_unit(settings));
    emit_optional(emit, "allowed", guard_allowed(guard, outcome), decimals);
    emit_end(emit, '}');
}

static void emit_guards(const struct controller *controller, struct emit *emit) {
    emit_array(emit_name(emit, "guards"));
    for (unsigned i = 0; i < controller->trial.guard_count; i++)
        emit_guard(&controller->trial.guards[i], &controller->outcomes[i], emit);
    emit_end(emit, ']');
}

static void emit_weights(const struct controller *controller, const struct machine *machine,
                         struct emit *emit) {
    emit_object(emit_name(emit, "weights"));
    for (size_t i = 0; i < controller->config->variant_count; i++)
        emit_percent(emit_name(emit, controller->config->variants[i].name), machine->weights[i]);
    emit_end(emit, '}');
}

static void emit_steps(const struct controller *controller, struct emit *emit) {
    emit_array(emit_name(emit, "steps"));
    bool weighed = controller->plan.strategy != ROLLOUT_ROLLING;
    for (unsigned i = 0; weighed && i < controller->plan.step_count; i++) {
        const struct rollout_step_plan *step = &controller->plan.steps[i];
        emit_object(emit);
        emit_name(emit, "weight");
        if (step->weight < 0)
            emit_null(emit);
        else
            emit_percent(emit, (uint16_t)step->weight);
        emit_number(emit_name(emit, "for_seconds"), (double)step->duration_ms / 1000, 3);
        emit_u64(emit_name(emit, "min_requests"), step->min_requests);
        emit_bool(emit_name(emit, "pause"), step->weight < 0);
        emit_end(emit, '}');
    }
    emit_end(emit, ']');
}

static void emit_sample_ratio(const struct controller *controller, struct emit *emit) {
    const struct plan_route *route =
        &publisher_plan(controller->control->publisher)->routes[controller->route];
    uint64_t units[EXPERIMENT_ARMS];
    experiment_arrivals(controller->experiment, route->epoch, units);
    emit_object(emit_name(emit, "sample_ratio"));
    emit_number(emit_name(emit, "log10_e"), controller->trial.log_ratio / LN10, 3);
    emit_bool(emit_name(emit, "broken"), controller->trial.ratio_broken);
    emit_object(emit_name(emit, "units"));
    for (size_t i = 0; i < controller->config->variant_count; i++)
        emit_u64(emit_name(emit, controller->config->variants[i].name),
                 units[i] + (i == controller->config->baseline ? units[plan_control_arm(route)] : 0));
    emit_end(emit, '}');
    emit_end(emit, '}');
}

void controller_emit(const struct controller *controller, struct emit *emit) {
    const struct machine *machine = &controller->machine;
    const struct rollout_config *config = controller->config->rollout;
    emit_object(emit);
    emit_text(emit_name(emit, "strategy"), rollout_strategy_name(config->strategy));
    emit_text(emit_name(emit, "baseline"), config->baseline);
    emit_text(emit_name(emit, "candidate"), config->candidate);
    emit_text(emit_name(emit, "version"), machine->version[0] ? machine->version : NULL);
    emit_text(emit_name(emit, "state"), rollout_state_name(machine->state));
    emit_text(emit_name(emit, "hold"), rollout_hold_name(machine->hold));
    emit_u64(emit_name(emit, "step"), machine->step);
    emit_u64(emit_name(emit, "step_count"), controller->plan.step_count);
    emit_steps(controller, emit);
    emit_weights(controller, machine, emit);
    emit_number(emit_name(emit, "state_seconds"), (double)machine->state_ms / 1000, 1);
    emit_number(emit_name(emit, "total_seconds"), (double)machine->total_ms / 1000, 1);
    emit_number(emit_name(emit, "watch_seconds"), (double)controller->plan.watch_ms / 1000, 3);
    emit_bool(emit_name(emit, "keep_warm"), machine->warm);
    emit_slice(emit_name(emit, "because"), strbuf_as_slice(&controller->because));
    emit_text(emit_name(emit, "judgement"), controller->judgement.because);
    emit_text(emit_name(emit, "winner"),
              machine->winner >= 0 ? controller->config->variants[machine->winner].name : NULL);
    emit_u64(emit_name(emit, "step_requests"), controller->trial.step_requests);
    emit_number(emit_name(emit, "design_effect"), controller->trial.designs[DESIGN_FAILED].effect, 3);
    emit_bool(emit_name(emit, "journal_failing"), controller->journal_failing);
    emit_name(emit, "fleet");
    if (controller->share)
        share_emit(controller->share, emit);
    else
        emit_null(emit);
    emit_sample_ratio(controller, emit);
    emit_guards(controller, emit);
    emit_end(emit, '}');
}

static void emit_side(const struct controller *controller, const struct machine *machine, const char *name,
                      struct emit *emit) {
    emit_object(emit_name(emit, name));
    emit_text(emit_name(emit, "state"), rollout_state_name(machine->state));
    emit_u64(emit_name(emit, "step"), machine->step);
    emit_text(emit_name(emit, "hold"), rollout_hold_name(machine->hold));
    emit_weights(controller, machine, emit);
    emit_end(emit, '}');
}

void controller_emit_decision(const struct controller *controller, const struct machine *before,
                              const struct rollout_outcome *outcome, bool by_person, struct emit *emit) {
    char when[CLOCK_ISO_BYTES];
    clock_iso(clock_wall_ms(), when);
    emit_object(emit);
    emit_u64(emit_name(emit, "number"), controller->decision_number);
    emit_text(emit_name(emit, "time"), when);
    emit_text(emit_name(emit, "route"), controller->name);
    emit_text(emit_name(emit, "action"), decision_action_name(outcome->action));
    emit_text(emit_name(emit, "who"), by_person ? "person" : "controller");
    emit_side(controller, before, "from", emit);
    emit_side(controller, &controller->machine, "to", emit);
    emit_text(emit_name(emit, "version"),
              controller->machine.version[0] ? controller->machine.version : NULL);
    emit_text(emit_name(emit, "because"), outcome->because);
    emit_guards(controller, emit);
    emit_end(emit, '}');
}
