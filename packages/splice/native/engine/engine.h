/*
 * The engine of the native relay: a few threads that accept clients, dial backends and move bytes, each with an epoll
 * of its own. It makes no decisions and does not know Node: another thread, the controller, takes its events and
 * gives it orders.
 *
 * Only the controller may call these functions. None of them blocks, except engine_stop, which waits for the threads.
 */
#ifndef GW_ENGINE_H
#define GW_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct engine;

/* In milliseconds, except the number of probes. 0 means never; for keepalive, the system's default. */
struct settings {
  uint32_t keepalive_delay, keepalive_interval, keepalive_probes;
  uint32_t user_timeout; /* TCP_USER_TIMEOUT */
  uint32_t idle_timeout, half_close_timeout, write_timeout;
  uint32_t stall_timeout; /* reports, and ends nothing */
};

/* STALLED: the client waits for an answer of its backend, for longer than the stall timeout. Once for each wait. */
enum event_kind { ACCEPTED = 1, CONNECTED, DIAL_FAILED, ENDED, ACCEPT_FAILED, STALLED };
/* BLOCKED: a side accepted no pending bytes for the write timeout. */
enum reason { FINISHED, CLIENT_FAILED, BACKEND_FAILED, IDLE, HALF_CLOSED, BLOCKED, CLOSED, ABORTED };

struct event {
  uint32_t slot; /* the connection, from ACCEPTED to ENDED; the engine_take after ENDED may give the slot to another */
  enum event_kind kind;
  int listener;        /* ACCEPTED, ACCEPT_FAILED: its number */
  int64_t ticket;      /* ACCEPTED: of the stocked dial that the client has taken, -1 if none */
  uint32_t dial_us;    /* CONNECTED, for a stocked dial: microseconds from accept to connection */
  int error;           /* DIAL_FAILED, ACCEPT_FAILED, ENDED with *_FAILED, or ABORTED by this machine: errno; else 0 */
  enum reason reason;  /* ENDED */
  unsigned address;    /* CONNECTED, DIAL_FAILED: the index of the dial's address */
  uint8_t ended_first; /* ENDED: 1 if the client's input ended or failed first, 2 if the backend's did, 0 if neither */
  /* ENDED: for how long the client had been waiting when it ended its output or failed, in milliseconds. 0 if it was not
   * waiting, took an answer after that, or the connection was ended by this machine. */
  uint32_t waited;
  uint64_t bytes[2];   /* ENDED: read from the client, read from the backend */
};

/* The most pipes that an engine may have, which depends on `ulimit -n`. Each takes two descriptors. */
unsigned engine_pipe_limit(void);

/*
 * Starts the threads. When there are events to take, the engine writes a byte to wake_fd, which the controller keeps
 * open until engine_stop. NULL with errno set if the system refuses.
 */
struct engine *engine_start(unsigned threads, int wake_fd);

/*
 * Ends the threads, resets all connections and frees the engine. If a thread has not ended within STOP_MS, it returns
 * false and frees nothing, wake_fd has to stay open, and the sockets are reset when the process ends.
 */
enum { STOP_MS = 1000 };
bool engine_stop(struct engine *);

/*
 * To be called once a second. Wakes all threads, and the controller if that failed before. Returns how many threads
 * have not run since the last STUCK_CHECKS calls.
 */
enum { STUCK_CHECKS = 5 };
unsigned engine_check(struct engine *);

/*
 * Listens. Clients take dials from `stock` while it has some; -1: there is none. 0 with the number of the listener and
 * the address it is bound to, or an errno.
 */
int engine_listen(struct engine *, const struct sockaddr *, socklen_t, const struct settings *, int stock,
                  int *listener, struct sockaddr_storage *bound);

/*
 * The same for a socket that listens already, which other processes may have as well: they can go on to accept from it
 * when this listener is closed. EINVAL if it does not listen, EAFNOSUPPORT or EPROTOTYPE if it is of another kind. On
 * success the descriptor is the engine's.
 */
int engine_listen_on(struct engine *, int fd, const struct settings *, int stock, int *listener,
                     struct sockaddr_storage *bound);

/* Stops listening, at once. */
void engine_unlisten(struct engine *, int listener);

/*
 * A stock of dials that are decided before their clients come. A thread that has accepted a client takes the oldest and
 * dials at once; ACCEPTED has its ticket, and the outcome of the dial is reported as that of any other. The controller is
 * woken when half of a stock is left. Dials have consecutive tickets, in the order in which they were added, modulo 2^32;
 * the first has 0.
 */
enum { STOCK = 256 }; /* the most dials of one stock */
/* The number of a new stock, empty; -1 without memory. It is freed with the engine. */
int engine_new_stock(struct engine *);
/* Adds up to `copies` dials, as engine_dial. Returns how many were added: as many as fit, fewer without memory. */
unsigned engine_stock(struct engine *, int stock, const struct sockaddr_storage *, unsigned count, uint32_t timeout,
                      unsigned copies);
/* Takes out the oldest dial for a client that came without one. Returns its ticket; -1 if the stock is empty. */
int64_t engine_take_stocked(struct engine *, int stock);
/* Takes all dials back: no client that is accepted from now on is dialled for by them. Returns how many, the newest. */
unsigned engine_unstock(struct engine *, int stock);

/*
 * Copies up to `max` events, at least 3, oldest first. Fewer than `max` - 2 means that there are no more. Events of a
 * dial that an order of the controller has ended since this call are out of date.
 */
unsigned engine_take(struct engine *, struct event *, unsigned max);

/*
 * Orders for the connection in a slot. After its end, and until events are taken again, they do nothing.
 *
 * Connects to the first of up to DIAL_ADDRESSES addresses that accepts. The next is dialled in parallel
 * ATTEMPT_DELAY_MS after the last, or when one fails (RFC 8305). Each may take `timeout`. An address of no family
 * fails. 0, or ENOMEM: then nothing is dialled, and nothing reported.
 */
enum { DIAL_ADDRESSES = 16, ATTEMPT_DELAY_MS = 250 };
int engine_dial(struct engine *, uint32_t slot, const struct sockaddr_storage *, unsigned count, uint32_t timeout);
void engine_cancel_dial(struct engine *, uint32_t slot);
/* Closes a client that has no backend. The kernel resets it if it has sent bytes. */
void engine_close(struct engine *, uint32_t slot);
/* Resets both sides. */
void engine_abort(struct engine *, uint32_t slot);

/* Bytes read so far from the client, and from the backend. */
void engine_bytes(const struct engine *, uint32_t slot, uint64_t bytes[2]);
/* For how long the client has been waiting for an answer; how long ago the backend last sent a byte. In milliseconds,
 * less the pauses of this process, and at most 12 days. -1: it does not wait, never, or there is no stall timeout. */
int64_t engine_waiting(const struct engine *, uint32_t slot);
int64_t engine_answered(const struct engine *, uint32_t slot);
/* The address of the client. */
const struct sockaddr *engine_peer(const struct engine *, uint32_t slot);

/* Tries on loopback whether the engine works on this machine. 0, or an errno. */
int engine_self_test(void);

#endif
