# Completion of sluice for fish: commands, options, files, and what the running daemon has.

# Words of the line that are no options and no values of options: the command, and its arguments so far.
function __sluice_plain
    set -l skip no
    for word in (commandline -opc)[2..-1]
        if test $skip = yes
            set skip no
        else if contains -- $word -c --config --admin --token-file --ca --certificate --reason --last --rps
            set skip yes
        else if not string match -q -- '-*' $word
            echo $word
        end
    end
end

# __sluice_at N COMMAND…: the cursor is at the Nth argument of one of them; N may be `any`.
function __sluice_at
    set -l plain (__sluice_plain)
    contains -- "$plain[1]" $argv[2..-1]; and test $argv[1] = any -o (count $plain) -eq $argv[1]
end

# route | pool | variant | endpoint: names from the daemon that the line means; none when it does not answer. Variants are
# those of the route that stands there, endpoints those of the pool.
function __sluice_names
    set -l line (commandline -opc)
    set -l daemon
    for i in (seq 2 (count $line))
        if contains -- $line[$i] --admin --token-file --ca --certificate
            set -a daemon $line[$i]=$line[(math $i + 1)]
        else if string match -qr -- '^--(admin|token-file|ca|certificate)=' $line[$i]
            set -a daemon $line[$i]
        end
    end
    set -l plain (__sluice_plain)
    timeout 1 $line[1] status --json $daemon 2>/dev/null </dev/null | tr '{' '\n' | awk -F '"' -v kind=$argv[1] -v of="$plain[2]" '
            /^"name":"[^"]*","salt":/ { route = $4; if (kind == "route") print route }
            /^"name":"[^"]*","version":/ { if (kind == "variant" && route == of) print $4 "=" }
            /^"name":"[^"]*","balance":/ { pool = $4; if (kind == "pool") print pool }
            /^"url":"[^"]*","state":/ { if (kind == "endpoint" && pool == of) print $4 }'
end

complete -c sluice -f
complete -c sluice -n 'test (count (__sluice_plain)) -eq 0' -l version -d 'print the version'
complete -c sluice -l help -s h -d 'what there is to say'

set -l commands run 'serve in the foreground' \
    check 'check a configuration file' \
    demo 'simulated model servers, the proxy in front, traffic and a live table' \
    simulate 'one simulated model server' \
    status 'what is running' \
    assign 'which bucket and variant a unit gets, and why' \
    weight "set a route's weights by hand" \
    drain 'take an endpoint out of its pool' \
    undrain 'take a drained endpoint back' \
    reload 'load the configuration file again' \
    reference 'print the reference of the configuration file' \
    version 'print the version' \
    watch 'follow a rollout until it ends' \
    promote 'take a rollout to its next step' \
    pause 'hold a rollout where it is' \
    resume 'let a held rollout go on' \
    rollback 'take all traffic back to the baseline' \
    retry 'start a rolled-back rollout again' \
    explain "the controller's decisions with their evidence" \
    report 'what each variant measured' \
    plan 'how long each step must last'
for i in (seq 1 2 (count $commands))
    complete -c sluice -n 'test (count (__sluice_plain)) -eq 0' -a $commands[$i] -d $commands[(math $i + 1)]
    complete -c sluice -n '__sluice_at 1 help' -a $commands[$i]
end
complete -c sluice -n 'test (count (__sluice_plain)) -eq 0' -a help -d 'what a command does'
complete -c sluice -n '__sluice_at 1 help' -l man -d 'the manual page'

set -l client status assign weight drain undrain reload watch promote pause resume rollback retry explain report plan
complete -c sluice -n "__sluice_at any $client version" -l json -d 'print JSON'
complete -c sluice -n "__sluice_at any $client" -l admin -x -d "the daemon's admin address"
complete -c sluice -n "__sluice_at any $client" -l token-file -rF -d 'file with the admin token'
complete -c sluice -n "__sluice_at any $client" -l ca -rF -d 'authorities of an https address'
complete -c sluice -n "__sluice_at any $client" -l certificate -rF -d 'certificate and key to show'
complete -c sluice -n '__sluice_at any run assign' -l config -s c -rF -d 'configuration file'
complete -c sluice -n '__sluice_at any run' -l check -d 'only check the file'
complete -c sluice -n '__sluice_at any status' -l once -d 'print it once and end'
complete -c sluice -n '__sluice_at any status' -l fleet -d 'the instances of the fleet'
complete -c sluice -n '__sluice_at any reference' -l json-schema -d 'as a JSON Schema'
complete -c sluice -n '__sluice_at any reference' -l man -d 'as a manual page'
complete -c sluice -n '__sluice_at any watch' -l exit-status -d 'tell the outcome by the exit code'
complete -c sluice -n '__sluice_at any promote' -l full -d 'straight to 100 %'
complete -c sluice -n '__sluice_at any promote pause resume rollback retry' -l reason -x -d 'why'
complete -c sluice -n '__sluice_at any explain' -l last -x -d 'only the last decisions'
complete -c sluice -n '__sluice_at any plan' -l rps -x -d 'requests a second of the whole route'
for option in port admin-port bind duration rate users step
    complete -c sluice -n '__sluice_at any demo' -l $option -x
end
complete -c sluice -n '__sluice_at any demo' -l fail -a 'errors latency cost quality' -d 'how the canary gets worse'
complete -c sluice -n '__sluice_at any demo' -l once -d 'end with the rollout'
complete -c sluice -n '__sluice_at any demo' -l plain -d 'lines instead of a table'
for option in port bind name model latency jitter token-delay tokens error-rate
    complete -c sluice -n '__sluice_at any simulate' -l $option -x
end
complete -c sluice -n '__sluice_at any simulate' -l log -rF -d 'one JSON line per request'

complete -c sluice -n '__sluice_at 1 check' -F
complete -c sluice -n '__sluice_at 1 status assign weight watch promote pause resume rollback retry explain report plan' \
    -a '(__sluice_names route)'
complete -c sluice -n '__sluice_at any weight; and not __sluice_at 1 weight' -a '(__sluice_names variant)'
complete -c sluice -n '__sluice_at 1 drain undrain' -a '(__sluice_names pool)'
complete -c sluice -n '__sluice_at 2 drain undrain' -a '(__sluice_names endpoint)'
