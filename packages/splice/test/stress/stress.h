/*
 * A stress test of the engine without Node. The controller (controller.c) takes events and gives orders at random.
 * Sessions (session.c), each a thread with one client and its backend (end.c), exchange bytes and compare each of
 * them. outcome.c checks how connections ended, round.c starts and stops engines, and main.c checks for leaks.
 */
#ifndef GW_STRESS_H
#define GW_STRESS_H

#include "../../native/engine/engine.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

/* The listeners of an engine: one without timeouts, one with short ones. */
enum { WITHOUT_TIMEOUTS, WITH_TIMEOUTS, LISTENERS };
enum { REASONS = ABORTED + 1 };

/* What the controller did to a connection, which decides how it may end. */
enum { DID_CLOSE = 1, DID_ABORT = 2, DID_CANCEL = 4 };

/* What the engine reported of a session's connection. The controller writes it, under the session's lock. */
struct outcome {
  bool accepted, ended;
  int listener, error, connected; /* how often CONNECTED was reported */
  unsigned did;
  enum reason reason;
  uint64_t bytes[2];
};

enum { CHUNK = 256 * 1024 };

struct session {
  unsigned number;
  uint64_t seed;
  struct sockaddr_in address; /* of its clients, by which the controller knows the session */
  struct sockaddr_in backend, refusing; /* accepts connections; refuses them */
  struct sockaddr_in stocked;           /* a listener of the engine with a stock of dials for this session */
  int listener, refusing_fd; /* the sockets of these */
  int notify_fd; /* readable when the outcome is known */
  uint8_t *buffer; /* CHUNK bytes */
  pthread_t thread;
  pthread_mutex_t lock;
  struct outcome outcome;
};

/* Of a round; under stress.lock. */
enum phase { RUNNING, DRAINING, STOPPED, OVER };

struct stress {
  uint64_t seed;
  unsigned concurrency, threads;
  struct session *sessions;
  struct sockaddr_in blackhole; /* answers no dial */
  pthread_mutex_t lock;
  pthread_cond_t changed;
  enum phase phase;
  unsigned busy; /* sessions that have a connection */
  struct sockaddr_in addresses[LISTENERS];
  atomic_ullong connections, bytes, reasons[REASONS], reset_by_engine_stop;
  atomic_bool starved; /* descriptors have run out for a moment, by intent */
};

extern struct stress stress;

/* Ends the process with a message. */
_Noreturn void violation(const char *format, ...) __attribute__((format(printf, 1, 2)));

uint64_t random_below(uint64_t *state, uint64_t limit);
static inline bool chance(uint64_t *state, unsigned percent) { return random_below(state, 100) < percent; }
uint64_t now_ms(void);
struct sockaddr_in loopback(uint32_t host, uint16_t port); /* 127.0.0.0 + host */
int bound(uint32_t host, struct sockaddr_in *address);     /* a socket bound to a free port of it */

/* session.c */
void *session_run(void *session);

/* round.c: runs an engine for `ms`, then stops it; with `drain` not before all connections have ended. */
void run_engine(uint64_t *random, unsigned ms, bool drain);

/* What the controller saw of all engines. */
struct tally {
  unsigned long long accepted, ended, failed_dials, failed_accepts, listeners, stalls, stocked;
};
extern struct tally tally;

#endif
