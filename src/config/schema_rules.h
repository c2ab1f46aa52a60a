// schema_rules: what keys must say together, in the words of JSON Schema with ' for ". The checks (check*.c)
// say the same of what was read, and more: what stands in two places, sums, files. These are never stricter.
#pragma once

#define VARIABLE            "\\\\$\\\\{[A-Za-z_]" // a value that holds one may be anything
#define CERTIFICATE_AND_KEY "'dependencies':{'certificate':['private_key'],'private_key':['certificate']}"

// A certificate is asked for when there are authorities for it, and only then.
#define CLIENT_CA_RULES                                                                                      \
    "'dependencies':{'client_ca':['client_certificate']},'allOf':[{'if':{'properties':{'client_certificate'" \
    ":{"                                                                                                     \
    "'enum':['optional','required']}},'required':['client_certificate']},'then':{'required':['client_ca']}}" \
    ","                                                                                                      \
    "{'if':{'properties':{'client_certificate':{'const':'off'}}},'then':{'properties':{'client_ca':false}}}" \
    "]"

// Several variants need their weights, one has all; a rolling update has one, other rollouts have two, or
// name whom they judge; costs are
// compared by prices; what is linked has no salt of its own.
#define VARIANTS(test)  "'variants':{" test "}"
#define STRATEGY(names) "'rollout':{'properties':{'strategy':{'enum':[" names "]}},'required':['strategy']}"
#define RULE(ifs, required, thens) \
    "{'if':{'properties':{" ifs "},'required':[" required "]},'then':{'properties':{" thens "}}},"
#define COSTS                                                                                                \
    "'rollout':{'anyOf':[{'properties':{'guards':{'required':['cost_per_request']}},'required':['guards']}," \
    "{'properties':{'signals':{'required':['cost_per_request']}},'required':['signals']},{'properties':{'"   \
    "goal':{"                                                                                                \
    "'properties':{'metric':{'const':'cost_per_request'}},'required':['metric']}},'required':['goal']}]}"
#define ROUTE_RULES                                                                                                                      \
    "'allOf':[" RULE(VARIANTS("'minProperties':2"), "'variants'",                                                                        \
                     VARIANTS("'additionalProperties':{'required':['weight']}"))                                                         \
        RULE(VARIANTS("'maxProperties':1"), "'variants'",                                                                                \
             VARIANTS("'additionalProperties':{'properties':{'weight':{'minimum':100}}}"))                                               \
            RULE(STRATEGY("'rolling'"), "'rollout'", VARIANTS("'maxProperties':1")) RULE(                                                \
                STRATEGY("'canary','blue_green','ab'"), "'rollout'", VARIANTS("'minProperties':2"))                                      \
                RULE(                                                                                                                    \
                    VARIANTS("'minProperties':3") "," STRATEGY("'canary','blue_green'"),                                                 \
                    "'rollout','variants'",                                                                                              \
                    "'rollout':{'required':['candidate']}") "{'if':{'properties':{" COSTS                                                \
                                                            "},'required':['rollout'],'anyOf':[{'"                                       \
                                                            "properties':{" VARIANTS("'maxProperties':2") "}},{'properties':{" STRATEGY( \
                                                                "'ab'") "}}]},'then':{'properties':"                                     \
                                                                        "{" VARIANTS(                                                    \
                                                                            "'additionalProperties"                                      \
                                                                            "':{'required':['"                                           \
                                                                            "price']}") "}}}"                                            \
                                                                                        "," RULE(                                        \
                                                                                            "",                                          \
                                                                                            "'experiment'",                              \
                                                                                            "'sticky':{'"                                \
                                                                                            "properties':{"                              \
                                                                                            "'salt':false}"                              \
                                                                                            "}") "]"

// An update drains endpoints in one instance alone.
#define FLEET_RULES                                                                                  \
    "'if':{'required':['fleet']},'then':{'properties':{'routes':{'items':{'properties':{'rollout':{" \
    "'properties':{'strategy':{'not':{'const':'rolling'}}}}}}}}}"

// As check_admin.c has it.
#define REACH_RULES                                                                                       \
    "'allOf':[{'if':{'properties':{'address':{'not':{'pattern':'^(?:unix:|\\\\[::1\\\\]:|127\\\\.)|\\\\$" \
    "\\\\{'}}},"                                                                                          \
    "'required':['address']},'then':{'required':['token_file','tls']}},{'if':{'properties':{'address':{"  \
    "'pattern':'^unix:'}},'required':['address']},'then':{'properties':{'tls':false}}}]"

// A margin compares two variants, each of which has its own value then.
#define GUARD_RULES                                                                                          \
    "'dependencies':{'max':['prometheus']},'if':{'required':['prometheus']},'then':{'anyOf':[{'required':['" \
    "max']},"                                                                                                \
    "{'required':['margin'],'properties':{'prometheus':{'properties':{'query':{"                             \
    "'pattern':'\\\\$variant|" VARIABLE "'}}}}}]}"
#define OWN_METRICS \
    "^(?:error_rate|(?:latency|ttft)_p(?:50|95|99)|tokens_per_second|cost_per_request|quality)$"
#define METRICS_RULES \
    "'maxProperties':32,'patternProperties':{'" OWN_METRICS "':{'properties':{'prometheus':false}}}"

// Less of errors and times is better, and times are held against one threshold.
#define GOAL_RULES                                                                                           \
    "'allOf':[{'if':{'properties':{'metric':{'pattern':'^(?:error_rate$|latency_|ttft_)'}},'required':['"    \
    "metric']},"                                                                                             \
    "'then':{'properties':{'direction':{'not':{'const':'up'}}}}},{'if':{'properties':{'metric':{"            \
    "'pattern':'^(?:latency|ttft)_'}},'required':['metric']},'then':{'properties':{'margin':{'maximum':0}}}" \
    "}]"

#define DURATION "(?:[0-9]+\\\\.?[0-9]*|\\\\.[0-9]+)(?:ms|s|m|h|d)"
#define LIMITS_RULES                                                                                         \
    "'type':'object','additionalProperties':false,'patternProperties':{'^(?:latency|ttft)_p(?:50|95|99)$':{" \
    "'type':'string','pattern':'^(?=[^1-9]*[1-9])" DURATION "$|" VARIABLE "'}},'properties':{'error_rate':{" \
    "'type':['number','string'],'exclusiveMinimum':0,'exclusiveMaximum':100,"                                \
    "'pattern':'^[0-9.]+(?:[eE][+-]?[0-9]+)?$|" VARIABLE "'}}"
#define ROLLBACK_RULES                                                                                      \
    "'anyOf':[{'enum':['instant']},{'type':'object','additionalProperties':false,'required':['over'],'"     \
    "properties':{"                                                                                         \
    "'over':{'type':['string','integer'],'minimum':0,'maximum':0,'pattern':'^(?:0|" DURATION ")$|" VARIABLE \
    "'}}},"                                                                                                 \
    "{'type':'string','pattern':'" VARIABLE "'}]"
// Which keys a strategy needs, and which strategy alone has a key.
#define NEEDS(strategy, key)                              \
    "{'if':{'properties':{'strategy':{'const':'" strategy \
    "'}},'required':['strategy']},'then':{'required':['" key "']}},"
#define ONLY(key, others)                                                              \
    "{'if':{'properties':{'strategy':{'enum':[" others "]}},'required':['strategy']}," \
    "'then':{'properties':{'" key "':false}}},"
#define STRATEGY_RULES                                                                               \
    "'allOf':[" NEEDS("canary", "steps") NEEDS("rolling", "update") NEEDS("ab", "goal")              \
        ONLY("steps", "'blue_green','rolling','ab'") ONLY("switch", "'canary','rolling','ab'")       \
            ONLY("update", "'canary','blue_green','ab'") ONLY("batch", "'canary','blue_green','ab'") \
                ONLY("goal", "'canary','blue_green','rolling'")                                      \
                    ONLY("max_duration", "'canary','blue_green','rolling'")                          \
                        ONLY("on_winner", "'canary','blue_green','rolling'") "]"
