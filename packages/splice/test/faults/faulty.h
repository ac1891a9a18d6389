/*
 * The system calls of the engine with faults. faults.test.ts compiles it with `-include faulty.h`. A fault is an
 * errno in place of the call, except that close(2) also closes, as on Linux.
 */
#ifndef GW_FAULTY_H
#define GW_FAULTY_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* The errno that a call has to fail with now, or 0. */
int fault_of(const char *call);

#define FAULTY(name, call)                            \
  ({                                                  \
    int fault_error = fault_of(name);                 \
    __typeof__(call) fault_result = -1;               \
    if (fault_error != 0) errno = fault_error;        \
    else fault_result = call;                         \
    fault_result;                                     \
  })
#define FAULTY_MEMORY(name, call) (fault_of(name) ? (errno = ENOMEM, NULL) : call)

#define accept4(...) FAULTY("accept4", accept4(__VA_ARGS__))
#define bind(...) FAULTY("bind", bind(__VA_ARGS__))
#define connect(...) FAULTY("connect", connect(__VA_ARGS__))
#define epoll_create1(...) FAULTY("epoll_create1", epoll_create1(__VA_ARGS__))
#define epoll_ctl(...) FAULTY("epoll_ctl", epoll_ctl(__VA_ARGS__))
#define epoll_wait(...) FAULTY("epoll_wait", epoll_wait(__VA_ARGS__))
#define eventfd(...) FAULTY("eventfd", eventfd(__VA_ARGS__))
#define fcntl(...) FAULTY("fcntl", fcntl(__VA_ARGS__))
#define getpeername(...) FAULTY("getpeername", getpeername(__VA_ARGS__))
#define getrlimit(...) FAULTY("getrlimit", getrlimit(__VA_ARGS__))
#define getsockname(...) FAULTY("getsockname", getsockname(__VA_ARGS__))
#define getsockopt(...) FAULTY("getsockopt", getsockopt(__VA_ARGS__))
#define ioctl(...) FAULTY("ioctl", ioctl(__VA_ARGS__))
#define listen(...) FAULTY("listen", listen(__VA_ARGS__))
#define pipe2(...) FAULTY("pipe2", pipe2(__VA_ARGS__))
#define recv(...) FAULTY("recv", recv(__VA_ARGS__))
#define send(...) FAULTY("send", send(__VA_ARGS__))
#define setsockopt(...) FAULTY("setsockopt", setsockopt(__VA_ARGS__))
#define shutdown(...) FAULTY("shutdown", shutdown(__VA_ARGS__))
#define socket(...) FAULTY("socket", socket(__VA_ARGS__))
#define splice(...) FAULTY("splice", splice(__VA_ARGS__))
#define write(...) FAULTY("write", write(__VA_ARGS__))
#define close(fd)                                      \
  ({                                                   \
    int close_error = fault_of("close");               \
    int close_result = close(fd);                      \
    if (close_error != 0) {                            \
      errno = close_error;                             \
      close_result = -1;                               \
    }                                                  \
    close_result;                                      \
  })
#define pthread_create(...)                            \
  ({                                                   \
    int create_error = fault_of("pthread_create");     \
    create_error ? create_error : pthread_create(__VA_ARGS__); \
  })
#define malloc(...) FAULTY_MEMORY("malloc", malloc(__VA_ARGS__))
#define calloc(...) FAULTY_MEMORY("calloc", calloc(__VA_ARGS__))
#define realloc(...) FAULTY_MEMORY("realloc", realloc(__VA_ARGS__))

#endif
