/* Listeners. The controller opens and closes them; their threads accept clients from them. */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { ACCEPTS_PER_TICK = 64, MAX_UNTAKEN_CLIENTS = 16 };
/* A listener pauses after so many consecutive errors of clients, or consecutive events without a client. */
enum { MAX_CLIENT_ERRORS = 16, MAX_EMPTY_ACCEPTS = 16 };
enum { PAUSE_MS = 100, REPORT_INTERVAL_MS = 10000, BUSY_LOOP_SLEEP_MS = 10 };

static void pause_listener(struct thread *thread, struct listener *listener, uint32_t ms) {
  if (listener->paused) return;
  epoll_ctl(thread->epoll, EPOLL_CTL_DEL, listener->fd, NULL); /* on_listener handles failure */
  listener->paused = true;
  listener->paused_until = thread->now + ms;
  thread->paused++;
  schedule_check(thread, listener->paused_until);
}

static struct connection *new_connection(struct listener *listener, int fd, const union address *peer) {
  struct connection *connection = calloc(1, sizeof *connection);
  if (!connection) return NULL;
  connection->side[CLIENT].fd = fd;
  connection->side[BACKEND].fd = -1;
  connection->settings = &listener->settings;
  connection->listener = listener->number;
  connection->peer = *peer;
  return connection;
}

void report_listener_error(struct thread *thread, struct listener *listener, int error) {
  bool is_recent = !is_past(thread->now, listener->reported_at + REPORT_INTERVAL_MS);
  if ((listener->reported_error == error && is_recent) || atomic_load(&listener->closing)) return;
  listener->reported_error = error;
  listener->reported_at = thread->now;
  report_accept_failed(thread->engine, listener, error);
}

/* Whether an error of accept4 is about one client, so that the next may be accepted: accept(2). */
static bool is_client_error(int error) {
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

/* Accepts the clients that wait, and returns how many. */
static int accept_clients(struct thread *thread, struct listener *listener) {
  struct engine *engine = thread->engine;
  int accepted = 0, client_errors = 0;
  for (int tries = 0; tries < ACCEPTS_PER_TICK; tries++) {
    /* The controller is behind. Clients then wait in the system's queue, where they take no descriptors: the clients
     * that were accepted may need all that are left. */
    if (atomic_load(&engine->untaken_clients) >= MAX_UNTAKEN_CLIENTS) {
      atomic_store(&engine->accept_paused, true);
      /* Checked again: the controller may have taken all of them just before accept_paused was set. */
      if (atomic_load(&engine->untaken_clients) >= MAX_UNTAKEN_CLIENTS) {
        pause_listener(thread, listener, 0);
        break;
      }
    }
    union address peer = {0};
    socklen_t length = sizeof peer;
    int fd = accept4(listener->fd, &peer.any, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct connection *connection = fd < 0 ? NULL : new_connection(listener, fd, &peer);
    if (connection) {
      accepted++;
      client_errors = 0;
      if (listener->reported_error != 0) listener->reported_error = 0;
      atomic_fetch_add(&engine->untaken_clients, 1);
      report(engine, connection, REPORT_ACCEPTED, 0);
      continue;
    }
    int error = errno;
    if (fd >= 0) {
      reset_on_close(fd);
      close(fd);
    }
    if (fd < 0 && error == EAGAIN) break;
    if (fd < 0 && is_client_error(error) && ++client_errors < MAX_CLIENT_ERRORS) continue;
    close_idle_pipes(thread);
    report_listener_error(thread, listener, error);
    pause_listener(thread, listener, PAUSE_MS);
    break;
  }
  return accepted;
}

void on_listener(struct thread *thread, struct listener *listener) {
  if (atomic_load(&listener->closed)) return;
  if (listener->paused) {
    /* It could not be removed from the epoll set, which reports it again and again. */
    struct timespec pause = {.tv_nsec = BUSY_LOOP_SLEEP_MS * 1000000L};
    nanosleep(&pause, NULL);
    return;
  }
  int accepted = accept_clients(thread, listener);
  if (accepted > 0) wake_controller(thread->engine);
  listener->empty_accepts = accepted > 0 ? 0 : listener->empty_accepts + 1;
  if (listener->empty_accepts >= MAX_EMPTY_ACCEPTS) pause_listener(thread, listener, PAUSE_MS);
}

static int watch_listener(struct thread *thread, struct listener *listener) {
  uintptr_t what = (uintptr_t)listener | OF_LISTENER;
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = what};
  if (watch(thread, listener->fd, EPOLLIN, what) == 0) return 0;
  /* It is still there if it could not be removed. */
  return errno == EEXIST ? epoll_ctl(thread->epoll, EPOLL_CTL_MOD, listener->fd, &event) : -1;
}

void update_listeners(struct thread *thread) {
  struct engine *engine = thread->engine;
  for (struct listener *listener = atomic_load(&engine->last_listener); listener; listener = listener->previous) {
    if (listener->thread != thread || listener->fd < 0) continue;
    bool closed = atomic_load(&listener->closed);
    bool accept_paused = atomic_load(&engine->untaken_clients) >= MAX_UNTAKEN_CLIENTS;
    bool resumes = listener->paused && !accept_paused && is_past(thread->now, listener->paused_until);
    if (!closed && !resumes && !listener->is_new) continue;
    if (listener->paused) thread->paused--;
    listener->paused = listener->is_new = false;
    if (closed) {
      close(listener->fd);
      listener->fd = -1;
    } else if (watch_listener(thread, listener) < 0) {
      report_listener_error(thread, listener, errno);
      pause_listener(thread, listener, PAUSE_MS);
    }
  }
}

int engine_listen(struct engine *engine, const struct sockaddr *address, socklen_t length,
                  const struct settings *settings, int *number, struct sockaddr_storage *bound) {
  struct listener *listener = calloc(1, sizeof *listener);
  if (!listener) return ENOMEM;
  listener->fd = listening_socket(address, length, settings);
  socklen_t size = sizeof *bound;
  if (listener->fd < 0 || getsockname(listener->fd, (struct sockaddr *)bound, &size) < 0) {
    int error = errno;
    if (listener->fd >= 0) close(listener->fd);
    free(listener);
    return error;
  }
  listener->settings = *settings;
  listener->previous = atomic_load(&engine->last_listener);
  listener->number = *number = listener->previous ? listener->previous->number + 1 : 0;
  listener->thread = &engine->threads[(unsigned)*number % engine->thread_count];
  listener->is_new = true;
  atomic_store(&engine->last_listener, listener);
  wake_thread(listener->thread);
  return 0;
}

void engine_unlisten(struct engine *engine, int number) {
  struct listener *listener = atomic_load(&engine->last_listener);
  while (listener->number != number) listener = listener->previous;
  if (atomic_load(&listener->closed)) return;
  atomic_store(&listener->closing, true);
  /* Listening ends here. The thread closes the descriptor, but not before it has seen `closed`. */
  shutdown(listener->fd, SHUT_RD);
  atomic_store(&listener->closed, true);
  wake_thread(listener->thread);
}
