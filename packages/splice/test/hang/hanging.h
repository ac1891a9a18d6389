/* A connect(2) of the engine that hangs in the first thread that calls it. hang.test.ts compiles it with `-include`. */
#ifndef GW_HANGING_H
#define GW_HANGING_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <sys/socket.h>

int hanging_connect(int fd, const struct sockaddr *, socklen_t);
int counting_accept(int fd, struct sockaddr *, socklen_t *, int flags);

#define connect(...) hanging_connect(__VA_ARGS__)
#define accept4(...) counting_accept(__VA_ARGS__)

#endif
