/* Calls `between_ticks` before a thread of the engine waits for events. turns.test.ts compiles the engine with
 * `-include waiting.h`. */
#ifndef GW_WAITING_H
#define GW_WAITING_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <sys/epoll.h>

void between_ticks(void);

#define epoll_wait(...) (between_ticks(), epoll_wait(__VA_ARGS__))

#endif
