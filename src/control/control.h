// control: what the parts of the control thread share. Owner: the daemon, which makes and frees it all.
#pragma once
#include "adoption.h"
#include "certificates.h"
#include "confine.h"
#include "control/daemon.h"
#include "control/outcome.h"
#include "ejection.h"
#include "health.h"
#include "hosts.h"
#include "publisher.h"
#include "rates.h"

struct reloader;
struct rollouts;
struct events;
struct seen;
struct seal;
struct task_journal;
struct admin;
struct dashboard;
struct inherited;
struct predecessor;
struct upgrade;
struct denials;
struct span_exporter;
struct membership;
struct control {
    const struct daemon_options *options;
    struct event_base *base;
    struct data_plane *plane;
    struct registry *registry;
    struct directory *directory;
    struct publisher *publisher;
    struct hosts *hosts;
    struct health *health;
    struct ejector *ejector;
    struct rates *rates;
    struct rollouts *rollouts;
    struct events *events;     // who follows
    struct seen *feedback_ids; // of scores that were counted
    struct scores *scores;
    struct span_exporter *spans;
    struct membership *membership; // NULL: there is no fleet
    struct task_journal *tasks;
    struct seal *id_seal; // of request ids; NULL: they carry nothing
    struct reloader *reloader;
    struct admin *admin;
    struct dashboard *dashboard;
    struct inherited *inherited;     // sockets that were there; NULL after the start
    struct predecessor *predecessor; // the binary that this one replaces; NULL: none
    struct upgrade *upgrade;         // the binary that is to replace this one
    struct denials *denials;         // of changes, at the admin API
    struct adoption adoption;
    struct tls_tickets *tickets;
    struct certificates certificates; // of the running configuration
    struct config *config;            // the running one, with a reference; NULL before the first commit
    unsigned workers;
    const char *state_dir;           // in force since the start; owned
    struct confinement confinement;  // the same
    uint64_t started_ms, started_ns; // wall clock, monotonic
    uint64_t loaded_ms;              // when the running configuration was loaded, wall clock
    bool draining;
    bool handed_over; // state_dir and all that could be changed belong to the next binary
};

// Starting, draining and having no ready endpoint anywhere are the three ways not to be.
enum readiness { READY, READY_NOT_STARTED, READY_NOT_DRAINING, READY_NOT_ENDPOINTS };
enum readiness control_readiness(const struct control *control);
