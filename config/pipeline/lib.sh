# What the scripts of the pipeline share; sourced, not run: . "$here/lib.sh". See docs/pipeline.md for the settings.
# shellcheck shell=sh
set -eu

BUSY=75 # somebody else is deploying: try again later
route=${PIPELINE_ROUTE:?is the name of the route}
config=${PIPELINE_CONFIG:?is the path of the configuration file that the daemon has}
work=${PIPELINE_WORK:-.}
summary=${PIPELINE_SUMMARY:-${GITHUB_STEP_SUMMARY:-$work/summary.md}}
# shellcheck disable=SC2034 # of those who source this
report=$work/evaluation.json
: "${here:?is where the scripts are}"

say() {
    echo "pipeline: $*"
}

# die CODE WORDS…
die() {
    code=$1
    shift
    echo "pipeline: $*" >&2
    exit "$code"
}

# One pipeline at a time on this machine. What is started with 9>&- does not keep the lock when this script is killed.
lock() {
    [ -z "${PIPELINE_LOCKED:-}" ] || return 0
    exec 9>>"$config.lock"
    flock -w "${PIPELINE_LOCK_WAIT:-0}" 9 || die $BUSY "another pipeline has the lock $config.lock"
    export PIPELINE_LOCKED=1
}

# ask COMMAND …: a command of the client. The token is named by its file and never seen on a command line.
ask() {
    command=$1
    shift
    if [ -n "${PIPELINE_TOKEN_FILE:-}" ]; then
        sluice "$command" --token-file "$PIPELINE_TOKEN_FILE" "$@" 9>&-
    else
        sluice "$command" "$@" 9>&-
    fi
}

helper() {
    name=$1
    shift
    python3 "$here/$name.py" "$@" 9>&-
}

# Where the rollout stands, as shell variables: state, and of baseline and candidate (the slot)
# version, weight and urls.
look() {
    # shellcheck disable=SC2034 # of those who source this
    state='' baseline='' baseline_version='' baseline_weight='' baseline_urls=''
    # shellcheck disable=SC2034
    candidate='' candidate_version='' candidate_weight='' candidate_urls=''
    stands=$(helper rollout "$route") || exit $?
    eval "$stands"
}

# summarize TITLE: what a person wants to know of the end, with the evidence, in Markdown.
summarize() {
    {
        echo "## $1"
        echo
        for what in "explain --last 3" "report"; do
            echo "\`sluice $what $route\`"
            echo
            echo '```'
            # shellcheck disable=SC2086 # words
            ask $what "$route" 2>&1 || true
            echo '```'
            echo
        done
    } >>"$summary"
    say "$1 (evidence: $summary)"
}
