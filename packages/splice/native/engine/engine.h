/*
 * The engine of the native relay: a few threads that accept clients, dial backends and move bytes, each with
 * an epoll of its own. One thread outside, the owner, decides: it takes events and gives orders. It has no
 * knowledge of Node.
 *
 * Everything here is called by the owner alone, and nothing blocks, but for engine_stop, which waits for the threads.
 */
#ifndef GW_ENGINE_H
#define GW_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct engine;
struct listener;

/* Times in milliseconds; 0 means "not at all", or for keepalive "as the system does". */
struct settings {
  uint32_t keepalive_delay, keepalive_interval, keepalive_probes;
  uint32_t user_timeout; /* TCP_USER_TIMEOUT */
  uint32_t idle_timeout, half_close_timeout, write_timeout;
};

enum event_kind { ACCEPTED = 1, CONNECTED, DIAL_FAILED, ENDED, ACCEPT_FAILED };
enum reason { FINISHED, CLIENT_FAILED, BACKEND_FAILED, IDLE, HALF_CLOSED, STALLED, CLOSED, ABORTED };

struct event {
  uint32_t slot; /* which connection, from ACCEPTED to ENDED; another's at the earliest when events are taken again */
  enum event_kind kind;
  int listener;     /* ACCEPTED, ACCEPT_FAILED: its number */
  int error;        /* an errno: DIAL_FAILED, ACCEPT_FAILED, ENDED with *_FAILED, or KILLED by this machine; else 0 */
  enum reason reason; /* ENDED */
  unsigned address;  /* CONNECTED, DIAL_FAILED: which of the addresses of the dial, from 0 */
  uint8_t ended_first; /* ENDED: 1 if the client's input ended or failed first, 2 if the backend's did; else 0 */
  uint64_t bytes[2]; /* ENDED: read from the client, read from the backend */
};

/* How many pipes the engine has at most, as `ulimit -n` is. Two descriptors each. */
unsigned engine_pipe_limit(unsigned threads);

/* Starts the threads. A byte is written to wake_fd, which the owner keeps open until engine_stop, when there is
 * something to take. NULL with errno set if the system refuses. */
struct engine *engine_start(unsigned threads, int wake_fd);

/*
 * Ends the threads and resets all connections. False if a thread has not ended within STOP_MS: what belongs to the engine
 * then stays as it is, with wake_fd, and the sockets are reset when the process ends.
 */
enum { STOP_MS = 1000 };
bool engine_stop(struct engine *);

/*
 * To be called once a second: wakes all threads, in case they or the owner missed something. Tells how many threads have
 * done nothing since the last STUCK_CHECKS calls.
 */
enum { STUCK_CHECKS = 5 };
unsigned engine_check(struct engine *);

/* Listens. 0, or an errno. The number of the listener and the address that was bound are told. */
int engine_listen(struct engine *, const struct sockaddr *, socklen_t, const struct settings *, int *listener,
                  struct sockaddr_storage *bound);

/* Stops listening, at once. */
void engine_unlisten(struct engine *, int listener);

/* Copies up to `max` events, at least 2, oldest first; fewer than `max` - 1 means that there are no more. They tell how
 * things were when they were taken: of a dial that was given up since, nothing may be believed. */
unsigned engine_take(struct engine *, struct event *, unsigned max);

/* Orders. `slot` is one that was ACCEPTED and has not ENDED. */
void engine_dial(struct engine *, uint32_t slot, const struct sockaddr *, socklen_t, uint32_t timeout);
/*
 * Connects to the first of up to DIAL_ADDRESSES addresses that accepts; the next is dialled beside those under way
 * ATTEMPT_DELAY_MS after the last, or when one fails (RFC 8305). Each may take `timeout`. What is no address fails.
 */
enum { DIAL_ADDRESSES = 16, ATTEMPT_DELAY_MS = 250 };
void engine_dial_any(struct engine *, uint32_t slot, const struct sockaddr_storage *, unsigned count, uint32_t timeout);
void engine_cancel_dial(struct engine *, uint32_t slot);
void engine_close(struct engine *, uint32_t slot); /* a client without a backend; the kernel chooses FIN or RST */
void engine_abort(struct engine *, uint32_t slot);  /* resets both sides */

/* What is known of a connection now. */
void engine_bytes(const struct engine *, uint32_t slot, uint64_t bytes[2]);
const struct sockaddr *engine_peer(const struct engine *, uint32_t slot);

/* self-test.c: whether all this works here. 0, or an errno that tells what does not. */
int engine_self_test(void);

/* notify.c: sends a state to a service manager's socket, a path or "@" and an abstract name. 0, or an errno. */
int notify_service(const char *path, size_t path_length, const char *state, size_t state_length);

#endif
