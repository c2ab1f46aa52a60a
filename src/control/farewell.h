// farewell: the last moments of a daemon that ends: whoever has not been told of a decision yet, and the
// collector of spans, get one more try. Control thread; the event loop runs meanwhile, so all that it may
// call is still there.
#pragma once

struct control;
void farewell(struct control *control); // takes two seconds at most
