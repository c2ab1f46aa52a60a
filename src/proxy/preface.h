// preface: the PROXY protocol header at the beginning of a session, before TLS and HTTP, on a listener that
// wants one: who may send it, how long it may take, the log line when it is not there. Worker's thread only.
#pragma once
#include "session.h"

// The connection is open and nothing was read. False: its peer may not send one, and the session was closed.
bool preface_begin(struct session *session, struct front *front);
// An event came. True: it was read, and the session's peer is the one it tells of.
bool preface_go_on(struct session *session);
// The worker drains: what has not come soon will not.
void preface_hurry(struct session *session, int64_t wait_ms);
