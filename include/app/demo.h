// demo: `sluice demo` and `sluice simulate`. Each runs as a command of its own process: argv[0] is the
// command's name, its options are its own. Returns the exit code.
#pragma once

int demo_main(int argc,
              char **argv); // model servers, proxy, traffic and a live table, with nothing else installed
int simulate_main(int argc, char **argv); // one simulated OpenAI-compatible model server
