/*
 * stale-events: ends a connection while copies of its descriptors are open, as in a process that was just forked, and gives
 * its place to another one. Then the peers of the first connection send bytes. Prints which sides of the second one take
 * these events for their own.
 */
#define _GNU_SOURCE
#include "../../native/engine/internal.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct engine engine;
static struct thread thread;
static struct connection first, second;
static struct listener listener; /* without timeouts */

static void check(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "%s: errno %d\n", what, errno);
  exit(1);
}

/* Ends `first` and has its sockets report events. */
static void make_stale_events(void) {
  int peers[2];
  first = (struct connection){.thread = &thread, .listener = &listener, .state = RELAYING, .in_epoll = true};
  thread.connections = &first;
  check(begin_watching(&thread, &first), "begin_watching");
  for (int which = CLIENT; which <= BACKEND; which++) {
    int pair[2];
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair");
    first.side[which] = (struct side){.fd = pair[0]};
    peers[which] = pair[1];
    check(watch_side(&thread, &first, which) == 0, "watch_side");
    check(dup(pair[0]) >= 0, "dup");
  }
  end_connection(&thread, &first, FINISHED, 0);
  for (int which = CLIENT; which <= BACKEND; which++) check(write(peers[which], "x", 1) == 1, "write");
  struct pollfd events = {.fd = thread.epoll, .events = POLLIN};
  check(poll(&events, 1, 0) == 1, "there are no stale events");
}

int main(void) {
  pthread_t id;
  int wake[2];
  check(socketpair(AF_UNIX, SOCK_STREAM, 0, wake) == 0, "socketpair");
  engine = (struct engine){.thread_count = 1, .threads = &thread, .wake_fd = wake[0], .events_end = &engine.events};
  thread = (struct thread){.engine = &engine, .epoll = epoll_create1(0), .wake_fd = eventfd(0, EFD_NONBLOCK)};
  thread.orders_end = &thread.orders;
  thread.ready_end = &thread.ready;
  struct epoll_event event = {.events = EPOLLIN | EPOLLET};
  check(epoll_ctl(thread.epoll, EPOLL_CTL_ADD, thread.wake_fd, &event) == 0, "epoll_ctl");
  make_stale_events();
  second = (struct connection){.thread = &thread, .listener = &listener, .state = WAITING};
  check(begin_watching(&thread, &second), "begin_watching");
  check(second.watched == first.watched, "it has another place");
  for (int which = CLIENT; which <= BACKEND; which++) second.side[which].fd = wake[1];

  check(pthread_create(&id, NULL, run_thread, &thread) == 0, "pthread_create");
  /* The events are there, so that the first tick handles them, also if the engine is stopped meanwhile. */
  while (atomic_load(&thread.tick) == 0) sched_yield();
  atomic_store(&engine.stopping, true);
  wake_thread(&thread);
  check(pthread_join(id, NULL) == 0, "pthread_join");
  printf("%d %d\n", second.side[CLIENT].readable, second.side[BACKEND].readable);
  return 0;
}
