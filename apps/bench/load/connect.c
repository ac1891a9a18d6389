// Connections one after the other in `connections` lanes: connect, one byte each way, close, again.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "histogram.h"
#include "load.h"

struct lane {
  int fd;
  bool asked;
  int64_t began;
};

static struct histogram latencies;
static uint64_t errors;
static int epoll, dialled;

static void begin(struct lane *lane, const struct sockaddr_in *to) {
  lane->asked = false;
  lane->began = now_ns();
  // A new source address each time: ports of connections that were closed rest for a while.
  lane->fd = dial(to, dialled++ % 8 * 20000);
  if (lane->fd < 0) fail("connect");
  watch(epoll, lane->fd, EPOLLOUT, lane);
}

/* Whether the lane is ready for its next connection. */
static bool go_on(struct lane *lane, bool counted) {
  char byte = MODE_ECHO;
  if (!lane->asked) {
    lane->asked = true;
    if (dial_error(lane->fd) != 0 || send(lane->fd, &byte, 1, MSG_NOSIGNAL) != 1) {
      errors++;
      return true;
    }
    rewatch(epoll, lane->fd, EPOLLIN, lane);
    return false;
  }
  ssize_t got = recv(lane->fd, &byte, 1, 0);
  if (got < 0 && errno == EAGAIN) return false;
  if (got != 1 || byte != MODE_ECHO) errors++;
  else if (counted) record(&latencies, now_ns() - lane->began);
  return true;
}

int connect_rate(const struct settings *settings) {
  epoll = epoll_create1(EPOLL_CLOEXEC);
  struct lane *lanes = calloc((size_t)settings->connections, sizeof *lanes);
  struct window window = window_after(settings->warmup, settings->measure);
  for (int n = 0; n < settings->connections; n++) begin(&lanes[n], &settings->to);
  while (window_tick(&window, now_ns()) && (settings->count == 0 || latencies.total < (uint64_t)settings->count)) {
    struct epoll_event events[256];
    int count = epoll_wait(epoll, events, 256, 10);
    for (int n = 0; n < count; n++) {
      struct lane *lane = events[n].data.ptr;
      if (!go_on(lane, window.open)) continue;
      close(lane->fd);
      begin(lane, &settings->to);
    }
  }
  double seconds = (double)(now_ns() - window.from) / 1e9;
  // A lane that has hung for a second has lost its connection, whatever the others did.
  for (int n = 0; n < settings->connections; n++) errors += now_ns() - lanes[n].began > 1000000000LL;
  printf("{\"event\":\"end\",\"seconds\":%.6f,\"count\":%lu,\"errors\":%lu", seconds,
         (unsigned long)latencies.total, (unsigned long)errors);
  print_percentiles(&latencies);
  puts("}");
  return 0;
}
