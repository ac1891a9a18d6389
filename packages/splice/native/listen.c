/* Listeners: opened and closed by the owner, accepted from by their threads. */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { ACCEPTS = 64, MOST_UNTAKEN = 16 };
/* Clients in a row that were gone before they were accepted, until the listener pauses. */
enum { MOST_GONE = 16 };
/* Events in a row without a client until it does the same. */
enum { MOST_IN_VAIN = 16 };
/* Milliseconds for which a thread rests that has to do nothing. */
enum { REST = 10 };
/* Milliseconds after accepting has failed; until the same error is reported again. */
enum { PAUSE = 100, REPORT_AGAIN = 10000 };

static void pause_listener(struct thread *thread, struct listener *listener, uint32_t ms) {
  if (listener->paused) return;
  epoll_ctl(thread->epoll, EPOLL_CTL_DEL, listener->fd, NULL); /* if that fails, see on_listener */
  listener->paused = true;
  listener->paused_until = thread->now + ms;
  thread->paused++;
  look_at(thread, listener->paused_until);
}

static struct flow *new_flow(struct listener *listener, int fd, const union address *peer) {
  struct flow *flow = calloc(1, sizeof *flow);
  if (!flow) return NULL;
  flow->side[CLIENT].fd = fd;
  flow->side[BACKEND].fd = -1;
  flow->settings = &listener->settings;
  flow->listener = listener->number;
  flow->peer = *peer;
  return flow;
}

void report_error(struct thread *thread, struct listener *listener, int error) {
  bool repeated = listener->reported == error && !is_past(thread->now, listener->reported_at + REPORT_AGAIN);
  if (repeated || atomic_load(&listener->closing)) return;
  listener->reported = error;
  listener->reported_at = thread->now;
  tell_accept_failed(thread->engine, listener, error);
}

/* Whether accept4 says what was wrong with one client, and the next may be fine: accept(2). */
static bool is_about_client(int error) {
  switch (error) {
  case EINTR:
  case ECONNABORTED:
  case ENETDOWN:
  case EPROTO:
  case ENOPROTOOPT:
  case EHOSTDOWN:
  case ENONET:
  case EHOSTUNREACH:
  case EOPNOTSUPP:
  case ENETUNREACH:
  case ETIMEDOUT:
    return true;
  default:
    return false;
  }
}

/* Accepts what waits, and tells how many that were. */
static int accept_all(struct thread *thread, struct listener *listener) {
  struct engine *engine = thread->engine;
  int accepted = 0, gone = 0;
  for (int tries = 0; tries < ACCEPTS; tries++) {
    /* Whoever decides is behind. The system's own queue is the place to wait: there it takes no descriptor, of which
     * there may be just enough for those that are served. */
    if (atomic_load(&engine->untaken) >= MOST_UNTAKEN) {
      atomic_store(&engine->held_back, true);
      /* Asked again, since the owner may have seen them all just before it could know that somebody waits. */
      if (atomic_load(&engine->untaken) >= MOST_UNTAKEN) {
        pause_listener(thread, listener, 0);
        break;
      }
    }
    union address peer = {0};
    socklen_t length = sizeof peer;
    int fd = accept4(listener->fd, &peer.any, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct flow *flow = fd < 0 ? NULL : new_flow(listener, fd, &peer);
    if (flow) {
      accepted++;
      gone = 0;
      if (listener->reported != 0) listener->reported = 0;
      atomic_fetch_add(&engine->untaken, 1);
      tell(engine, flow, TOLD_ACCEPTED, 0);
      continue;
    }
    int error = errno;
    if (fd >= 0) {
      reset_on_close(fd);
      close(fd);
    }
    if (fd < 0 && error == EAGAIN) break;
    if (fd < 0 && is_about_client(error) && ++gone < MOST_GONE) continue;
    release_tubes(thread);
    report_error(thread, listener, error);
    pause_listener(thread, listener, PAUSE);
    break;
  }
  return accepted;
}

void on_listener(struct thread *thread, struct listener *listener) {
  if (atomic_load(&listener->closed)) return;
  if (listener->paused) {
    /* It could not be taken out of the epoll set, which now tells of it without end. */
    struct timespec rest = {.tv_nsec = REST * 1000000L};
    nanosleep(&rest, NULL);
    return;
  }
  int accepted = accept_all(thread, listener);
  if (accepted > 0) wake(thread->engine);
  listener->in_vain = accepted > 0 ? 0 : listener->in_vain + 1;
  if (listener->in_vain >= MOST_IN_VAIN) pause_listener(thread, listener, PAUSE);
}

static int watch_listener(struct thread *thread, struct listener *listener) {
  uintptr_t what = (uintptr_t)listener | OF_LISTENER;
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = what};
  if (watch(thread, listener->fd, EPOLLIN, what) == 0) return 0;
  /* It is there still if it could not be taken out. */
  return errno == EEXIST ? epoll_ctl(thread->epoll, EPOLL_CTL_MOD, listener->fd, &event) : -1;
}

/* Listeners that are new, closed, or have paused long enough. */
void see_to_listeners(struct thread *thread) {
  struct engine *engine = thread->engine;
  for (struct listener *listener = atomic_load(&engine->last_listener); listener; listener = listener->before) {
    if (listener->thread != thread || listener->fd < 0) continue;
    bool closed = atomic_load(&listener->closed);
    bool held_back = atomic_load(&engine->untaken) >= MOST_UNTAKEN;
    bool rested = listener->paused && !held_back && is_past(thread->now, listener->paused_until);
    if (!closed && !rested && !listener->is_new) continue;
    if (listener->paused) thread->paused--;
    listener->paused = listener->is_new = false;
    if (closed) {
      close(listener->fd);
      listener->fd = -1;
    } else if (watch_listener(thread, listener) < 0) {
      report_error(thread, listener, errno);
      pause_listener(thread, listener, PAUSE);
    }
  }
}

int engine_listen(struct engine *engine, const struct sockaddr *address, socklen_t length,
                  const struct settings *settings, int *number, struct sockaddr_storage *bound) {
  struct listener *listener = calloc(1, sizeof *listener);
  if (!listener) return ENOMEM;
  listener->fd = bound_socket(address, length, settings);
  socklen_t size = sizeof *bound;
  if (listener->fd < 0 || getsockname(listener->fd, (struct sockaddr *)bound, &size) < 0) {
    int error = errno;
    if (listener->fd >= 0) close(listener->fd);
    free(listener);
    return error;
  }
  listener->settings = *settings;
  listener->before = atomic_load(&engine->last_listener);
  listener->number = *number = listener->before ? listener->before->number + 1 : 0;
  listener->thread = &engine->threads[(unsigned)*number % engine->thread_count];
  listener->is_new = true;
  atomic_store(&engine->last_listener, listener);
  call(listener->thread);
  return 0;
}

void engine_unlisten(struct engine *engine, int number) {
  struct listener *listener = atomic_load(&engine->last_listener);
  while (listener->number != number) listener = listener->before;
  if (atomic_load(&listener->closed)) return;
  atomic_store(&listener->closing, true);
  /* Ends listening at once; the thread closes the descriptor when it sees `closed`, and not before. */
  shutdown(listener->fd, SHUT_RD);
  atomic_store(&listener->closed, true);
  call(listener->thread);
}
