/*
 * A stress of the engine without Node. The owner (owner.c) takes events and gives orders at random; sessions
 * (session.c), each a thread that plays one client and its backend (end.c), exchange bytes and look at each of them;
 * round.c starts and stops engines, and main.c counts what is left.
 */
#ifndef GW_STRESS_H
#define GW_STRESS_H

#include "../../native/engine/engine.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

/* A listener of the engine without timeouts, and one with short ones. */
enum { PATIENT, HASTY, DOORS };
enum { REASONS = ABORTED + 1 };

/* What the owner did to a connection, which decides how it may end. */
enum { DID_CLOSE = 1, DID_KILL = 2, DID_CANCEL = 4 };

/* What became of a session's connection; written by the owner under the session's lock. */
struct told {
  bool accepted, ended;
  int door, error, connected; /* how often CONNECTED was told */
  unsigned did;
  enum reason reason;
  uint64_t bytes[2];
};

struct session {
  unsigned number;
  uint64_t seed;
  struct sockaddr_in address; /* of its clients: tells the owner whose client it has accepted */
  struct sockaddr_in backend, dead;
  int listener, nobody, news; /* sockets of backend and dead; readable when something was told */
  pthread_t thread;
  pthread_mutex_t lock;
  struct told told;
};

/* What a round of the stress is; under the lock of main.c. */
enum phase { RUNNING, DRAINING, STOPPED, OVER };

struct stress {
  uint64_t seed;
  unsigned concurrency, threads;
  struct session *sessions;
  struct sockaddr_in hole; /* answers no dial */
  pthread_mutex_t lock;
  pthread_cond_t changed;
  enum phase phase;
  unsigned busy; /* sessions that have a connection */
  struct sockaddr_in doors[DOORS];
  atomic_ullong connections, bytes, reasons[REASONS], reset_by_engine_stop;
  atomic_bool starved; /* descriptors are short for a moment, by intent */
};

extern struct stress stress;

/* Ends the process: says what was seen that never may be. */
_Noreturn void violation(const char *format, ...) __attribute__((format(printf, 1, 2)));

uint64_t random_below(uint64_t *state, uint64_t limit);
static inline bool chance(uint64_t *state, unsigned percent) { return random_below(state, 100) < percent; }
uint64_t now_ms(void);
struct sockaddr_in loopback(uint32_t host, uint16_t port); /* 127.0.0.0 + host */
int bound(uint32_t host, struct sockaddr_in *address);     /* a socket on a free port of it */

/* session.c */
void *session_run(void *session);

/* round.c: runs an engine until a moment, stops it then or when all is over, whichever is asked for. */
void run_engine(uint64_t *random, unsigned ms, bool drain);

/* What the owner saw of all engines. */
struct tally {
  unsigned long long accepted, ended, failed_dials, failed_accepts, listeners;
};
extern struct tally tally;

#endif
