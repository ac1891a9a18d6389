// Sockets, time and events, as load.h describes them.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

enum { PER_SOURCE = 20000 };

int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

_Noreturn void fail(const char *what) {
  printf("{\"event\":\"failed\",\"error\":\"%s: %s\"}\n", what, strerror(errno));
  fflush(stdout);
  exit(1);
}

static void control(int epoll, int operation, int fd, uint32_t events, void *pointer) {
  struct epoll_event event = {.events = events, .data.ptr = pointer};
  if (epoll_ctl(epoll, operation, fd, &event) < 0) fail("epoll_ctl");
}

void watch(int epoll, int fd, uint32_t events, void *pointer) {
  control(epoll, EPOLL_CTL_ADD, fd, events, pointer);
}

void rewatch(int epoll, int fd, uint32_t events, void *pointer) {
  control(epoll, EPOLL_CTL_MOD, fd, events, pointer);
}

static int start_dial(const struct sockaddr_in *to, int nth, int flags) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0), on = 1;
  if (fd < 0) return -1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // Without this option the port is chosen before the destination is known, and none may be shared.
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  struct sockaddr_in from = {.sin_family = AF_INET};
  from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + nth / PER_SOURCE);
  if (bind(fd, (struct sockaddr *)&from, sizeof from) == 0 &&
      (connect(fd, (const struct sockaddr *)to, sizeof *to) == 0 || errno == EINPROGRESS))
    return fd;
  int why = errno;
  close(fd);
  errno = why;
  return -1;
}

int dial(const struct sockaddr_in *to, int nth) { return start_dial(to, nth, SOCK_NONBLOCK); }

int dial_mode(const struct sockaddr_in *to, int nth, char mode, int size) {
  int fd = start_dial(to, nth, 0);
  if (fd < 0) fail("connect");
  char header[5] = {mode};
  memcpy(header + 1, &size, 4);
  size_t length = size > 0 ? 5 : 1;
  if (send(fd, header, length, MSG_NOSIGNAL) != (ssize_t)length) fail("send");
  int nonblocking = 1;
  if (ioctl(fd, FIONBIO, &nonblocking) < 0) fail("ioctl");
  return fd;
}

int dial_error(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
  return error;
}

int descriptor_limit(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur > 1000000 ? 1000000 : (int)limit.rlim_cur;
}

struct window window_after(int warmup_ms, int measure_ms) {
  struct window window = {.from = now_ns() + warmup_ms * 1000000LL};
  window.until = window.from + measure_ms * 1000000LL;
  return window;
}

bool window_tick(struct window *window, int64_t now) {
  if (!window->open && now >= window->from) {
    window->open = true;
    // What was late to start is not made shorter by it.
    window->until += now - window->from;
    window->from = now;
    puts("{\"event\":\"start\"}");
    fflush(stdout);
  }
  return now < window->until;
}
