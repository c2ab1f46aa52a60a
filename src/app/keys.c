#include "keys.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

// Handlers have no context: what they need is the process's.
static struct {
    struct termios before, during;
    bool typed; // stdin is a terminal
    const char *parting;
    volatile sig_atomic_t resumed;
} keys;

static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
#define ENDING (sizeof ending / sizeof *ending)

bool keys_ours(void) {
    pid_t reader = tcgetpgrp(STDIN_FILENO);
    return reader < 0 || reader == getpgrp();
}

// Everything it calls may be called by a handler.
static void give_back(void) {
    ssize_t written = write(STDOUT_FILENO, keys.parting, strlen(keys.parting));
    (void)written; // there is nothing to be done about it
    if (keys.typed)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &keys.before);
}

static void on_end(int signal) { // it is the default's again (SA_RESETHAND)
    give_back();
    raise(signal);
}

static void on_stop(int signal) {
    (void)signal;
    give_back();
    raise(SIGSTOP);
    if (keys.typed)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &keys.during);
    keys.resumed = 1;
}

static void on_size(int signal) { // its work is to end a wait
    (void)signal;
}

static void listen_to(int signal, void (*handler)(int), int flags) {
    struct sigaction before, action = {.sa_handler = handler, .sa_flags = flags};
    sigaction(signal, NULL, &before);
    if (before.sa_handler != SIG_IGN) // as nohup wants it
        sigaction(signal, &action, NULL);
}

void keys_begin(const char *parting) {
    keys.parting = parting;
    keys.typed = tcgetattr(STDIN_FILENO, &keys.before) == 0;
    keys.during = keys.before;
    keys.during.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    keys.during.c_cc[VMIN] = 1;
    keys.during.c_cc[VTIME] = 0;
    for (size_t i = 0; i < ENDING; i++)
        listen_to(ending[i], on_end, (int)SA_RESETHAND);
    listen_to(SIGTSTP, on_stop, SA_RESTART);
    struct sigaction size = {.sa_handler = on_size}; // ignored by default
    sigaction(SIGWINCH, &size, NULL);
    if (keys.typed)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &keys.during);
}

void keys_end(void) {
    struct sigaction usual = {.sa_handler = SIG_DFL};
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before); // once, not by a handler too
    give_back();
    for (size_t i = 0; i < ENDING; i++)
        sigaction(ending[i], &usual, NULL);
    sigaction(SIGTSTP, &usual, NULL);
    sigaction(SIGWINCH, &usual, NULL);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

bool keys_quit(int ms) {
    struct pollfd in = {.fd = keys.typed ? STDIN_FILENO : -1, .events = POLLIN};
    char typed[64];
    if (poll(&in, 1, ms) <= 0)
        return false;
    ssize_t got = read(STDIN_FILENO, typed, sizeof typed);
    return got <= 0 || memchr(typed, 'q', (size_t)got);
}

bool keys_resumed(void) {
    bool resumed = keys.resumed;
    keys.resumed = 0;
    return resumed;
}
