// handshake: a session's TLS handshake, with its time-out, the bound on how many are under way, and the log
// line when one fails. Worker's thread only.
#pragma once
#include "session.h"

// The connection is open and nothing was read. False: too many are under way, and the session was closed.
bool handshake_begin(struct session *session, struct tls_context *context);
// An event came. True: it is done, heads may be read.
bool handshake_go_on(struct session *session);
void handshake_over(struct session *session); // leaving SESSION_HANDSHAKE, however it ended
