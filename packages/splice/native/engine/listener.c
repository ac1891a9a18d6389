/* Listeners. The controller opens and closes them; all threads accept clients from them, one at a time each. */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { MAX_UNTAKEN_CLIENTS = 16 };
/* A thread stops accepting for a while after so many consecutive errors of clients, or events without a client. Another
 * thread may have accepted it, which is rare: the kernel wakes one thread for each. */
enum { MAX_CLIENT_ERRORS = 16, MAX_EMPTY_ACCEPTS = 64 };
enum { PAUSE_MS = 100, REPORT_INTERVAL_MS = 10000, BUSY_LOOP_SLEEP_MS = 10 };

static void pause_acceptor(struct thread *thread, struct acceptor *acceptor, uint32_t ms) {
  if (acceptor->state == PAUSED) return;
  epoll_ctl(thread->epoll, EPOLL_CTL_DEL, acceptor->listener->fd, NULL); /* on_listener handles failure */
  acceptor->state = PAUSED;
  acceptor->paused_until = thread->now + ms;
  thread->paused++;
  wake_by(thread, acceptor->paused_until);
}

static struct connection *new_connection(struct listener *listener, int fd, const union address *peer) {
  struct connection *connection = calloc(1, sizeof *connection);
  if (!connection) return NULL;
  connection->side[CLIENT].fd = fd;
  connection->side[CLIENT].has_no_delay = true; /* as the listener has it, or set here */
  connection->side[BACKEND].fd = -1;
  connection->listener = listener;
  connection->peer = *peer;
  /* A client that came before this process had the socket did not get what is set on it now. */
  if (listener->is_inherited && peer->any.sa_family != AF_UNIX) {
    set_no_delay(fd);
    set_keepalive_options(fd, &listener->settings);
  }
  return connection;
}

void report_listener_error(struct thread *thread, struct listener *listener, int error) {
  bool is_recent = !is_past(thread->now, atomic_load(&listener->reported_at) + REPORT_INTERVAL_MS);
  if (atomic_load(&listener->closing)) return;
  if (atomic_exchange(&listener->reported_error, error) == error && is_recent) return;
  atomic_store(&listener->reported_at, thread->now);
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

/* The controller is behind, and there is no dial in stock. Clients then wait in the system's queue, where they take no
 * descriptors: the clients that were accepted may need all that are left. */
static bool has_to_wait(struct engine *engine, const struct listener *listener) {
  if (atomic_load(&engine->untaken_clients) < MAX_UNTAKEN_CLIENTS || is_stocked(listener->stock)) return false;
  atomic_store(&engine->accept_paused, true);
  /* Checked again: the controller may have taken all of them just before accept_paused was set. */
  return atomic_load(&engine->untaken_clients) >= MAX_UNTAKEN_CLIENTS;
}

/* Dials if there is a dial in stock, which was decided before; otherwise the controller decides. */
static void serve(struct thread *thread, struct connection *connection, struct listener *listener) {
  struct engine *engine = thread->engine;
  bool is_low;
  if (!take_stocked(listener->stock, connection, &is_low)) {
    atomic_fetch_add(&engine->untaken_clients, 1);
    return report(engine, thread, connection, REPORT_ACCEPTED, 0);
  }
  connection->ordered_dial->accepted_us = clock_us();
  connection->thread = least_loaded(engine, thread);
  atomic_fetch_add(&connection->thread->load, 1);
  if (connection->thread == thread) serve_stocked(thread, connection);
  else hand_over(connection->thread, connection);
  if (is_low) wake_controller(engine);
}

static void on_empty_accept(struct thread *thread, struct acceptor *acceptor) {
  if (++acceptor->empty_accepts >= MAX_EMPTY_ACCEPTS) pause_acceptor(thread, acceptor, PAUSE_MS);
}

/* Accepts one client: another thread may be idle for the next. */
static void accept_client(struct thread *thread, struct acceptor *acceptor) {
  struct listener *listener = acceptor->listener;
  if (has_to_wait(thread->engine, listener)) return pause_acceptor(thread, acceptor, 0);
  for (int client_errors = 0;;) {
    union address peer = {0};
    socklen_t length = sizeof peer;
    int fd = accept4(listener->fd, &peer.any, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct connection *connection = fd < 0 ? NULL : new_connection(listener, fd, &peer);
    if (connection) {
      if (atomic_load_explicit(&listener->reported_error, memory_order_relaxed) != 0)
        atomic_store(&listener->reported_error, 0);
      acceptor->empty_accepts = 0;
      return serve(thread, connection, listener);
    }
    int error = errno;
    if (fd >= 0) {
      reset_on_close(fd);
      close(fd);
    }
    if (fd < 0 && error == EAGAIN) return on_empty_accept(thread, acceptor);
    if (fd < 0 && is_client_error(error) && ++client_errors < MAX_CLIENT_ERRORS) continue;
    close_idle_pipes(thread);
    report_listener_error(thread, listener, error);
    return pause_acceptor(thread, acceptor, PAUSE_MS);
  }
}

void on_listener(struct thread *thread, struct acceptor *acceptor) {
  if (atomic_load(&acceptor->listener->closed)) return; /* update_listeners leaves it */
  if (acceptor->state == PAUSED) {
    /* It could not be removed from the epoll set, which reports it again and again. */
    struct timespec pause = {.tv_nsec = BUSY_LOOP_SLEEP_MS * 1000000L};
    nanosleep(&pause, NULL);
    return;
  }
  accept_client(thread, acceptor);
}

/* EPOLLEXCLUSIVE: a client wakes one thread, not all. */
static int watch_listener(struct thread *thread, struct acceptor *acceptor) {
  int fd = acceptor->listener->fd;
  uintptr_t what = (uintptr_t)acceptor | OF_ACCEPTOR;
  if (watch(thread, fd, EPOLLIN | EPOLLEXCLUSIVE, what) == 0) return 0;
  if (errno != EEXIST) return -1;
  /* It is still there if it could not be removed, and may be without events. */
  epoll_ctl(thread->epoll, EPOLL_CTL_DEL, fd, NULL);
  return watch(thread, fd, EPOLLIN | EPOLLEXCLUSIVE, what);
}

/* The last thread closes the descriptor: until then none can accept from another socket that has its number. */
static void leave(struct thread *thread, struct acceptor *acceptor) {
  struct listener *listener = acceptor->listener;
  if (acceptor->state == ACCEPTING) epoll_ctl(thread->epoll, EPOLL_CTL_DEL, listener->fd, NULL);
  acceptor->state = CLOSED_HERE;
  if (atomic_fetch_sub(&listener->users, 1) > 1) return;
  close(listener->fd);
  listener->fd = -1;
}

void update_listeners(struct thread *thread) {
  struct engine *engine = thread->engine;
  for (struct listener *listener = atomic_load(&engine->last_listener); listener; listener = listener->previous) {
    struct acceptor *acceptor = &listener->acceptors[thread->index];
    if (acceptor->state == CLOSED_HERE) continue;
    bool closed = atomic_load(&listener->closed), is_paused = acceptor->state == PAUSED;
    bool resumes = is_paused && is_past(thread->now, acceptor->paused_until) && !has_to_wait(engine, listener);
    if (!closed && !resumes && acceptor->state != UNREGISTERED) continue;
    if (is_paused) thread->paused--;
    if (closed) {
      leave(thread, acceptor);
      continue;
    }
    acceptor->state = ACCEPTING;
    if (watch_listener(thread, acceptor) == 0) continue;
    report_listener_error(thread, listener, errno);
    pause_acceptor(thread, acceptor, PAUSE_MS);
  }
}

static void wake_threads(struct engine *engine) {
  for (unsigned index = 0; index < engine->thread_count; index++) wake_thread(&engine->threads[index]);
}

/* Accepts from a socket that listens. 0 with the number of the listener and the address of the socket, or an errno. */
static int add_listener(struct engine *engine, int fd, bool is_inherited, const struct settings *settings, int stock,
                        int *number, struct sockaddr_storage *bound) {
  struct listener *listener = calloc(1, sizeof *listener + engine->thread_count * sizeof *listener->acceptors);
  if (!listener) return ENOMEM;
  socklen_t size = sizeof *bound;
  memset(bound, 0, sizeof *bound); /* a path may fill its field, without a NUL */
  if (getsockname(fd, (struct sockaddr *)bound, &size) < 0) {
    int error = errno;
    free(listener);
    return error;
  }
  listener->fd = fd;
  listener->is_inherited = is_inherited;
  listener->settings = *settings;
  listener->stock = stock < 0 ? NULL : stock_of(engine, stock);
  listener->users = engine->thread_count;
  for (unsigned index = 0; index < engine->thread_count; index++) listener->acceptors[index].listener = listener;
  listener->previous = atomic_load(&engine->last_listener);
  listener->number = *number = listener->previous ? listener->previous->number + 1 : 0;
  atomic_store(&engine->last_listener, listener);
  wake_threads(engine);
  return 0;
}

int engine_listen(struct engine *engine, const struct sockaddr *address, socklen_t length,
                  const struct settings *settings, int stock, int *number, struct sockaddr_storage *bound) {
  int fd = listening_socket(address, length, settings);
  if (fd < 0) return errno;
  int error = add_listener(engine, fd, false, settings, stock, number, bound);
  if (error != 0) close(fd);
  return error;
}

int engine_listen_on(struct engine *engine, int fd, const struct settings *settings, int stock, int *number,
                     struct sockaddr_storage *bound) {
  int error = adopt_listening_socket(fd, settings);
  return error ? error : add_listener(engine, fd, true, settings, stock, number, bound);
}

void engine_unlisten(struct engine *engine, int number) {
  struct listener *listener = atomic_load(&engine->last_listener);
  while (listener->number != number) listener = listener->previous;
  if (atomic_load(&listener->closed)) return;
  atomic_store(&listener->closing, true);
  /* Listening ends here. The last thread closes the descriptor, but not before all have seen `closed`. A socket that other
   * processes have goes on to listen. */
  if (!listener->is_inherited) shutdown(listener->fd, SHUT_RD);
  atomic_store(&listener->closed, true);
  wake_threads(engine);
}
