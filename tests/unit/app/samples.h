// samples: answers of the API as docs/api.md writes them, for the tests of what is printed.
#pragma once

#define GUARD(name, verdict, because)                                                    \
    "{\"name\":\"" name "\",\"role\":\"guard\",\"dry_run\":false,\"verdict\":\"" verdict \
    "\",\"because\":\"" because "\",\"log10_e_harm\":0.30103,\"log10_e_pass\":-0.2,"     \
    "\"needed_log10_e\":2.30103,\"requests_left\":1200,"                                 \
    "\"baseline\":{\"requests\":9000,\"events\":41,\"estimate\":0.0046},"                \
    "\"candidate\":{\"requests\":500,\"events\":3,\"estimate\":0.006},"                  \
    "\"difference\":{\"low\":-0.001,\"high\":0.02},\"unit\":\"share\"}"
#define ERRORS GUARD("error_rate", "wait", "failed requests: candidate 3 of 500")

#define ROLLOUT(state, hold, step, more)                                                                     \
    "{\"strategy\":\"canary\",\"baseline\":\"stable\",\"candidate\":\"canary\",\"version\":\"v1.1\","        \
    "\"state\":\"" state "\",\"hold\":\"" hold "\",\"step\":" step                                           \
    ",\"steps\":[{\"weight\":1,\"for_seconds\":300,\"min_requests\":300,\"pause\":false},"                   \
    "{\"weight\":5,\"for_seconds\":600,\"min_requests\":0,\"pause\":false},{\"pause\":true},"                \
    "{\"weight\":100,\"for_seconds\":0,\"min_requests\":0,\"pause\":false}],"                                \
    "\"step_count\":4,\"weights\":{\"stable\":95,\"canary\":5},\"state_seconds\":12.3,\"total_seconds\":80." \
    "1,\"keep_warm\":false,"                                                                                 \
    "\"because\":\"step 2 of 4\",\"winner\":null,"                                                           \
    "\"sample_ratio\":{\"log10_e\":0.1,\"broken\":false,\"units\":{\"stable\":900,\"canary\":100}}" more     \
    ",\"guards\":[" ERRORS "]}"

#define PLACE(state, step, stable, canary) \
    "{\"state\":\"" state "\",\"step\":" step ",\"weights\":{\"stable\":" stable ",\"canary\":" canary "}}"
#define DECISION(number, action, who, from, to, because)                                                   \
    "{\"number\":" number ",\"time\":\"2026-11-23T05:35:24.123Z\",\"route\":\"chat\",\"action\":\"" action \
    "\",\"who\":\"" who "\",\"from\":" from ",\"to\":" to ",\"version\":\"v1.1\",\"because\":\"" because   \
    "\",\"guards\":[" GUARD("error_rate", "fail", "it is worse") "]}"
