// Opens connections, 64 at a time, exchanges one byte on each, and holds them open and idle. Prints "held" and their number.
// Opening ends when all are open, when 64 have failed, or when none was opened for 1.5 s: a proxy at its limit may refuse
// connections, accept them without relaying, or exit.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

enum { PENDING = 64, TIMEOUT_MS = 1500 };

struct held {
  int fd;
  enum { DIALLING, ASKED, OPEN } state;
};

static int epoll, opened, pending, failed, dropped;

static void lose(struct held *held) {
  if (held->state == OPEN) opened--, dropped++;
  else pending--, failed++;
  close(held->fd);
}

static void go_on(struct held *held) {
  char byte = MODE_ECHO;
  if (held->state == DIALLING) {
    if (dial_error(held->fd) != 0 || send(held->fd, &byte, 1, MSG_NOSIGNAL) != 1) return lose(held);
    held->state = ASKED;
    rewatch(epoll, held->fd, EPOLLIN, held);
    return;
  }
  ssize_t got = recv(held->fd, &byte, 1, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got != 1 || held->state == OPEN) return lose(held);
  held->state = OPEN;
  pending--, opened++;
}

/* Handles what happens within `ms` milliseconds. */
static void run(int ms) {
  struct epoll_event events[256];
  int count = epoll_wait(epoll, events, 256, ms);
  for (int n = 0; n < count; n++) go_on(events[n].data.ptr);
}

static void report(const char *event) {
  printf("{\"event\":\"%s\",\"held\":%d,\"failed\":%d,\"dropped\":%d,\"pending\":%d}\n", event, opened, failed,
         dropped, pending);
  fflush(stdout);
}

int hold(const struct settings *settings) {
  epoll = epoll_create1(EPOLL_CLOEXEC);
  int wanted = settings->connections, most = descriptor_limit() - 32, dialled = 0, before = 0;
  if (wanted > most) wanted = most;
  struct held *all = calloc((size_t)wanted, sizeof *all);
  int64_t progress = now_ns();
  while (opened < wanted && failed < PENDING && dropped == 0) {
    for (; pending < PENDING && dialled < wanted; dialled++, pending++) {
      struct held *held = &all[dialled];
      held->fd = dial(&settings->to, dialled);
      if (held->fd < 0) fail("connect");
      watch(epoll, held->fd, EPOLLOUT, held);
    }
    run(10);
    if (opened > before) before = opened, progress = now_ns();
    if (now_ns() - progress > TIMEOUT_MS * 1000000LL || (pending == 0 && dialled == wanted)) break;
  }
  report("held");
  // The driver ends this program; until then it reports lost connections.
  for (int known = dropped;;) {
    run(1000);
    if (dropped != known) known = dropped, report("dropped");
  }
}
