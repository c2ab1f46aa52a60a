// id_key: the key of the request ids that are made here (proxy/issued.h), in state_dir/request_id.key: 32
// hexadecimal digits in a line, made at the first start, readable by nobody else. Replicas with the same file
// can attribute each other's ids. Control thread.
#pragma once
#include "io/seal.h"
#include <stdbool.h>

// False: there is none, and none can be made; the log says why. Ids are random then, and carry nothing.
bool id_key_read(const char *state_dir, unsigned char key[SEAL_KEY]);
