/* The engine as a whole: starts, checks and stops its threads. */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static bool start_thread(struct engine *engine, struct thread *thread) {
  thread->engine = engine;
  thread->orders_end = &thread->orders;
  thread->ready_end = &thread->ready;
  thread->epoll = epoll_create1(EPOLL_CLOEXEC);
  thread->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  thread->buffer = malloc(BUFFER);
  /* Edge-triggered: each write is one event, and the counter need not be read. */
  struct epoll_event event = {.events = EPOLLIN | EPOLLET};
  if (thread->epoll < 0 || thread->wake_fd < 0 || !thread->buffer) return false;
  if (epoll_ctl(thread->epoll, EPOLL_CTL_ADD, thread->wake_fd, &event) < 0) return false;
  /* Block all signals in the thread: the process handles its own, and a splice may raise SIGPIPE. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 * 1024);
  errno = pthread_create(&thread->id, &attributes, run_thread, thread);
  pthread_attr_destroy(&attributes);
  thread->started = errno == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return thread->started;
}

struct engine *engine_start(unsigned threads, int wake_fd) {
  struct engine *engine = calloc(1, sizeof *engine);
  if (!engine) return NULL;
  engine->wake_fd = wake_fd;
  engine->pipes_left = (int)engine_pipe_limit();
  engine->highest_pipe = highest_pipe();
  engine->ephemeral_ports = ephemeral_ports();
  engine->events_end = &engine->events;
  pthread_mutex_init(&engine->lock, NULL);
  engine->threads = calloc(threads, sizeof *engine->threads);
  if (engine->threads) engine->thread_count = threads;
  bool started = engine->threads != NULL;
  for (unsigned index = 0; index < engine->thread_count; index++) {
    pthread_mutex_init(&engine->threads[index].lock, NULL);
    engine->threads[index].index = index;
    engine->threads[index].epoll = engine->threads[index].wake_fd = -1;
  }
  for (unsigned index = 0; started && index < threads; index++)
    started = start_thread(engine, &engine->threads[index]);
  if (started) return engine;
  int error = errno;
  engine_stop(engine);
  errno = error;
  return NULL;
}

unsigned engine_check(struct engine *engine) {
  unsigned stuck = 0;
  retry_wake(engine);
  for (unsigned index = 0; index < engine->thread_count; index++) {
    struct thread *thread = &engine->threads[index];
    unsigned tick = atomic_load(&thread->tick);
    thread->missed_checks = tick == thread->last_tick ? thread->missed_checks + 1 : 0;
    thread->last_tick = tick;
    if (thread->missed_checks >= STUCK_CHECKS) stuck++;
    wake_thread(thread);
  }
  return stuck;
}

static struct timespec stop_deadline(void) {
  struct timespec deadline;
  clock_gettime(CLOCK_REALTIME, &deadline); /* the clock of pthread_timedjoin_np */
  deadline.tv_sec += STOP_MS / 1000;
  return deadline;
}

static void reset_sides(const struct connection *connection) {
  for (int which = CLIENT; which <= BACKEND; which++)
    if (connection->side[which].fd >= 0) reset_on_close(connection->side[which].fd);
}

/* Clients that the thread was given by another and has not come to. */
static void reset_given(struct thread *thread) {
  if (pthread_mutex_trylock(&thread->lock) != 0) return;
  for (const struct connection *connection = thread->orders; connection; connection = connection->next_order)
    if (connection->orders & ORDER_ADOPT) reset_sides(connection);
  pthread_mutex_unlock(&thread->lock);
}

/* The system closes what a hanging thread still has open when the process ends. That must not look like an end. */
static void reset_with_process(struct engine *engine) {
  for (uint32_t slot = 0; slot < engine->slot_count; slot++) {
    const struct connection *connection = engine->slots[slot];
    if (connection) reset_sides(connection);
  }
  /* Those that the controller has not seen. A thread that hangs may hold a lock. */
  for (unsigned index = 0; index < engine->thread_count; index++) reset_given(&engine->threads[index]);
  if (pthread_mutex_trylock(&engine->lock) != 0) return;
  for (const struct connection *connection = engine->events; connection; connection = connection->next_event)
    if (connection->events & REPORT_ACCEPTED) reset_sides(connection);
  pthread_mutex_unlock(&engine->lock);
}

static bool join_threads(struct engine *engine) {
  bool ended = true;
  struct timespec deadline = stop_deadline();
  for (unsigned index = 0; index < engine->thread_count; index++)
    if (engine->threads[index].started) wake_thread(&engine->threads[index]);
  for (unsigned index = 0; index < engine->thread_count; index++) {
    struct thread *thread = &engine->threads[index];
    if (!thread->started) continue;
    int error = pthread_timedjoin_np(thread->id, NULL, &deadline);
    if (error == 0) thread->started = false;
    else ended = false;
  }
  return ended;
}

static void end_connections(struct thread *thread) {
  while (thread->connections) end_connection(thread, thread->connections, ABORTED, 0);
  for (struct connection *connection = thread->orders, *next; connection; connection = next) {
    next = connection->next_order;
    if (connection->freed || connection->orders & ORDER_ADOPT) free_connection(connection);
  }
}

static void destroy_thread(struct thread *thread) {
  close_idle_pipes(thread);
  if (thread->epoll >= 0) close(thread->epoll);
  if (thread->wake_fd >= 0) close(thread->wake_fd);
  free(thread->watched);
  free(thread->buffer);
  pthread_mutex_destroy(&thread->lock);
}

bool engine_stop(struct engine *engine) {
  atomic_store(&engine->stopping, true);
  if (!join_threads(engine)) {
    reset_with_process(engine);
    return false;
  }
  for (unsigned index = 0; index < engine->thread_count; index++) end_connections(&engine->threads[index]);
  /* Connections that are left are in the events, if the controller never saw them, or in their slots. */
  for (struct connection *connection = engine->events, *next; connection; connection = next) {
    next = connection->next_event;
    if (connection->events & REPORT_ACCEPTED) free_connection(connection);
  }
  for (uint32_t slot = 0; slot < engine->slot_count; slot++)
    if (engine->slots[slot]) free_connection(engine->slots[slot]);
  for (unsigned index = 0; index < engine->thread_count; index++) destroy_thread(&engine->threads[index]);
  for (struct listener *listener = atomic_load(&engine->last_listener), *previous; listener; listener = previous) {
    previous = listener->previous;
    if (listener->fd >= 0) close(listener->fd);
    free(listener);
  }
  free_stocks(engine);
  free(engine->slots);
  free(engine->free_slots);
  free(engine->threads);
  pthread_mutex_destroy(&engine->lock);
  free(engine);
  return true;
}
