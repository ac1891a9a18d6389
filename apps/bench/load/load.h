// What the parts of the load program share: time, sockets, settings, and the report as JSON lines.
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

/* The command line, as name=value. Times are in milliseconds. */
struct settings {
  struct sockaddr_in to; /* to=127.0.0.1:2379, where connections go */
  int connections;       /* open at the same time */
  int outstanding;       /* requests under way at the same time, at most `connections` */
  int size;              /* bytes of a request and of its response, at least 16 */
  int warmup;            /* runs before the measured time and is not reported */
  int measure;           /* the measured time */
  int count;             /* connections after which the measured time ends early; 0: it does not */
  int endpoints;         /* addresses that the backend listens on */
  bool up;               /* direction=up: client to backend; direction=down: the other way */
  char **command;        /* behind "--" */
};

/* The first byte of each connection: what the backend does with it. */
enum mode {
  MODE_ECHO = 'e',    /* sends each byte back */
  MODE_REQUEST = 'r', /* four bytes of size follow; sends each message of that size back when it is complete */
  MODE_SINK = 'u',    /* reads and forgets */
  MODE_SOURCE = 'd',  /* sends without end */
};

int serve(const struct settings *settings);
int request_response(const struct settings *settings);
int bulk(const struct settings *settings);
int connect_rate(const struct settings *settings);
int hold(const struct settings *settings);
int ready(const struct settings *settings);

/* Nanoseconds of the monotonic clock. */
int64_t now_ns(void);
/* Says why on stdout as an event, and ends the program. */
_Noreturn void fail(const char *what);

/* How a descriptor is watched: level-triggered, `pointer` comes back with its events. */
void watch(int epoll, int fd, uint32_t events, void *pointer);
void rewatch(int epoll, int fd, uint32_t events, void *pointer);

/*
 * Begins to connect; the socket does not block. The `nth` connection takes its source address from 127.0.0.2
 * on, since one address has no more than 28,000 ports to give. -1 with errno when it fails at once.
 */
int dial(const struct sockaddr_in *to, int nth);
/* Connects, announces `mode`, with `size` if it is not 0, and waits until the first byte can be sent. */
int dial_mode(const struct sockaddr_in *to, int nth, char mode, int size);
/* How a connection attempt ended that epoll has reported: 0, or an errno. */
int dial_error(int fd);
/* As many descriptors as this process may open. */
int descriptor_limit(void);

/* The measured time of a run. The driver reads the proxy's CPU time when it sees the two events. */
struct window {
  int64_t from, until;
  bool open;
};
struct window window_after(int warmup_ms, int measure_ms);
/* Opens the window when its time has come, with the event "start"; false when it is over. */
bool window_tick(struct window *window, int64_t now);
