/* What the files of the engine share. */
#ifndef GW_INTERNAL_H
#define GW_INTERNAL_H

#include "engine.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>

/*
 * A system call, made again when a signal interrupts it. One that is interrupted each time has failed: nothing here may
 * spin.
 */
#define RETRIED(call)                                                       \
  ({                                                                        \
    int retries_left = 16;                                                  \
    __typeof__(call) call_result;                                           \
    do call_result = (call);                                                \
    while (call_result < 0 && errno == EINTR && --retries_left > 0);        \
    call_result;                                                            \
  })

enum { CLIENT, BACKEND };
enum { BACKLOG = 4096, BUFFER = 64 * 1024 };

/* Enough for every family that is listened on and dialled; a sockaddr_storage would be the largest thing in a flow. */
union address {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
};

/* A pipe that bytes are spliced through. */
struct pipe {
  struct pipe *next;
  int in, out;
  uint32_t length, size;
};

/* What was written and is not acknowledged, as far as it was asked for: unacked.c. */
struct unacked {
  uint32_t since;            /* when some of it was last acknowledged */
  uint32_t acked;            /* bytes that were acknowledged by then, modulo 2^32 */
  uint32_t unanswered_since; /* of window probes: since when there is one without an answer, */
  uint32_t probed_at;        /* and when their number last changed */
  uint8_t probes;            /* so many have no answer */
  bool exists;
  bool exempt; /* from the user timeout, while the peer has no room */
};

/* One direction of a flow: what is read from one side and written to the other. */
struct direction {
  _Atomic uint64_t bytes; /* read so far */
  uint8_t *pending;          /* copied, and not taken by the writing side yet: rest[rest_at .. rest_end] */
  uint32_t pending_start, pending_end;
  struct pipe *pipe;      /* set while bytes are spliced */
  uint32_t progress_at;   /* when the writing side last took something of what waits for it */
  uint32_t checked_bytes;   /* `bytes` at the last sweep, modulo 2^32 */
  struct unacked unacked;
  uint8_t bulk;           /* how much this looks like bulk; from BULK on it is spliced */
  bool eof;               /* the reading side has ended its output */
  bool write_side_closed;              /* and the writing side knows */
  bool all_acked;           /* nothing is pending since the last byte was read */
};

/* A dial to several addresses that is under way: see dial-race.c. */
struct race;

/* What epoll last said about a side. Edge-triggered: it holds until a system call says EAGAIN. */
struct side {
  int fd;
  bool readable, writable;
  bool has_eof_or_error; /* behind what is read next there is more: an end, a reset, or what follows urgent data */
};

/* A client and, once it is dialled, its backend. */
struct connection {
  struct side side[2];
  struct direction direction[2]; /* way[CLIENT] is read from the client */
  const struct settings *settings;

  /* The thread's own. */
  struct connection *previous, *next; /* among the flows of its thread */
  struct connection *next_ready;
  uint32_t active_at;           /* when a byte was last read */
  uint32_t dial_deadline;
  uint32_t dialled_in_tick; /* the turn of the thread */
  in_port_t dial_port;
  enum { WAITING, DIALLING, RELAYING, OVER } state;
  enum reason reason; /* of a flow that is over */
  int end_error;
  uint8_t ended_first; /* which side's input ended or failed first, plus 1; 0 if none did */
  bool is_ready, in_epoll;
  bool has_keepalive_options; /* the backend's socket has what matters to long connections only */
  uint8_t dial; /* the number of the dial under way */
  uint8_t dial_address; /* which of its addresses the last outcome is about */
  struct race *race;    /* while several addresses are dialled; then the backend's side has no socket yet */

  /* Orders; under the thread's lock. */
  struct connection *next_order;
  uint8_t orders;
  bool order_queued; /* it is among the orders of its thread */
  bool freed;   /* the owner is done with it; the thread frees it when it comes to its orders */
  uint8_t dial_ordered;
  uint32_t timeout;
  union address target;
  struct race *race_ordered; /* if set, in place of `target` */

  /* Events; under the engine's lock. */
  struct connection *next_event;
  uint8_t events;
  bool event_queued;
  uint8_t dial_reported; /* the dial that CONNECTED or DIAL_FAILED is about, */
  uint8_t address_reported; /* and which of its addresses */
  int dial_error;

  /* The owner's own. */
  struct thread *thread; /* set by the first dial, for good */
  uint32_t slot;
  int listener;
  uint8_t dials; /* counts them, modulo 256: what becomes of one that was given up is not told */
  union address peer;
};

/* Lives as long as the engine, since flows have its settings. */
struct listener {
  struct listener *previous; /* the one that was opened before it */
  struct settings settings;
  int fd, number;
  struct thread *thread;
  atomic_bool closing; /* its errors are of no interest any more */
  atomic_bool closed;
  bool is_new;  /* set before the thread knows of it */
  bool paused;  /* not in the epoll set for a while; the thread's own */
  uint32_t paused_until;
  int error; /* to be told as ACCEPT_FAILED; under the engine's lock */
  unsigned empty_accepts;     /* events in a row without a client; the thread's own */
  int reported_error;         /* the error that was reported last, 0 since a client was accepted; the thread's own */
  uint32_t reported_at;
};

struct thread {
  struct engine *engine;
  pthread_t id;
  bool started;
  int epoll, wake_fd;
  atomic_bool has_work; /* there is something to see to: orders, listeners, the end */
  atomic_bool asleep; /* it waits for events, or is about to, and has to be poked */
  pthread_mutex_t lock;
  struct connection *orders, **orders_end; /* under the lock */
  struct connection *connections;
  struct connection *ready; /* those that have more to do than one turn allows */
  struct connection *over;  /* the owner is told of them when the turn is over */
  struct pipe *idle_pipes; /* unused ones */
  unsigned pipe_count;
  bool lacks_pipes; /* none could be made since the last sweep */
  unsigned paused; /* listeners */
  uint32_t now, check_at;
  atomic_uint tick; /* counts the runs of the loop */
  unsigned wait_failures; /* of epoll_wait, in a row */
  unsigned last_tick, missed_checks; /* the owner's: `turn` when it last checked, and how many checks have seen no other */
  bool batched;           /* there is something that the owner need not be told at once, */
  uint32_t batched_since; /* since then */
  unsigned load; /* the owner's: flows that it gave to this thread */
  uint8_t *buffer;
};

struct engine {
  unsigned thread_count;
  struct thread *threads;
  int wake_fd;
  atomic_bool stopping, controller_woken;
  atomic_bool wake_failed; /* the owner could not be woken, and has to be woken again */
  atomic_uint untaken_clients; /* accepted clients that the owner has not seen */
  atomic_int pipes_left; /* that may still be made, of engine_pipe_limit */
  int highest_pipe;      /* above this descriptor there are too few left for pipes */
  atomic_uint extra_attempts; /* beside the first of their dial */
  atomic_bool accept_paused; /* a listener waits until the owner has seen them */
  pthread_mutex_t lock;
  struct connection *events, **events_end; /* under the lock */
  bool accept_failed;                /* under the lock: a listener has an error to tell */
  _Atomic(struct listener *) last_listener;
  struct connection *to_free; /* the owner's: flows whose ENDED was taken last */
  struct connection **slots;
  uint32_t slot_count, *free_slots, free_count;
};

enum { ORDER_DIAL = 1, ORDER_CANCEL = 2, ORDER_CLOSE = 4, ORDER_ABORT = 8 };
enum { REPORT_ACCEPTED = 1, REPORT_CONNECTED = 2, REPORT_DIAL_FAILED = 4, REPORT_ENDED = 8 };

/* mailbox.c: what threads tell the owner. */
void report(struct engine *, struct connection *, uint8_t what, int error);
void report_accept_failed(struct engine *, struct listener *, int error);
/* Has the owner take what it was told, now. */
void wake_controller(struct engine *);
/* Wakes the owner again if that has failed before. */
void retry_wake(struct engine *);
/* Has a thread see to what is new, now or when its turn is over. */
void wake_thread(struct thread *);

/* thread.c */
/* What an epoll event is about is a pointer with its kind in the low bits: the client of a flow (0), its backend (1), a
 * listener (2), one of the backends that a flow dials beside each other (3); or NULL, which is the owner's poke. */
enum { OF_LISTENER = 2, OF_RACE = 3, KIND = 3 };
int watch(struct thread *, int fd, uint32_t events, uintptr_t what);
void *thread_run(void *thread);

/* listener.c */
void on_listener(struct thread *, struct listener *);
/* Listeners that are new, closed, or have paused long enough. */
void update_listeners(struct thread *);

/* Has the owner report that `error` is in the way of new clients, once in a while for the same error. */
void report_listener_error(struct thread *, struct listener *, int error);

/* connection.c */
/* What epoll says of one side. */
void on_side(struct thread *, struct connection *, int which, uint32_t events);
/* What the owner has ordered since the last time. */
void handle_orders(struct thread *, struct connection *);
void dial_failed(struct thread *, struct connection *, int error);
/* The backend's side is connected: bytes flow. */
void dial_succeeded(struct thread *, struct connection *);
/* Ends a flow because of one side, or of this machine where the error is its own. */
void fail_connection(struct thread *, struct connection *, int side, int error);
/* Closes what is open, and puts the flow among those that are over. */
void end_connection(struct thread *, struct connection *, enum reason reason, int error);
/* Frees a flow that nobody else knows any more; what is open is reset. */
void free_connection(struct connection *);

/* dial-race.c */
enum { SIDE_EVENTS = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET };
/* NULL without memory. */
struct race *new_race(const struct sockaddr_storage *, unsigned count, uint32_t timeout);
/* Begins to dial; the flow owns the race from now on. */
void start_race(struct thread *, struct connection *, struct race *);
/* What epoll says of one of the sockets. */
void on_race(struct thread *, struct connection *);
/* What is due: timeouts, and the next address. */
void check_race(struct thread *, struct connection *);
/* Adds to all its timeouts. */
void extend_race(struct race *, uint32_t ms);
/* Closes what is open, and frees the race, if there is one. */
void end_race(struct thread *, struct connection *);
/* A socket that has begun to connect; -1 with errno set. */
int connecting_socket(struct thread *, const struct settings *, const union address *target);

/* timeouts.c */
uint32_t clock_ms(void);
/* Whether `moment` has come. */
bool is_past(uint32_t now, uint32_t moment);
/* Looks at times no later than `moment`. */
void schedule_check(struct thread *, uint32_t moment);
/* Looks at all flows, and says when to look again. */
void check_timeouts(struct thread *);
bool has_timeouts(const struct thread *);
bool is_time_to_check(const struct thread *, bool has_more_events);
/* Adds the time in which this process did not run to all timeouts. */
void extend_after_pause(struct thread *);

/* socket.c */
/* A socket that listens; -1 with errno set. */
int bound_socket(const struct sockaddr *, socklen_t length, const struct settings *);
/* Whether an error is this machine's (memory, descriptors, a sandbox), so that no peer is to blame. */
bool is_local_error(int error);
/* The error that is pending on a socket, or 0. */
int socket_error(int fd);
/* Sets TCP_NODELAY, and when keepalive begins. 0, or an errno. */
int set_socket_options(int fd, const struct settings *);
/* Sets how long a silent peer is waited for: three system calls that a short connection can do without. */
int set_keepalive_options(int fd, const struct settings *);
/* False if the system refuses it. 0: as the system does. */
bool set_user_timeout(int fd, uint32_t ms);
/* Makes closing send a reset, and drop what is not sent yet. */
void reset_on_close(int fd);
/* In network order. */
in_port_t port_of(const union address *);
/* Whether a socket that was dialled to `port` is its own peer. */
bool is_connected_to_itself(int fd, in_port_t port);

/* unacked.c */
/* Whether the peer has yet to acknowledge something, also an end. */
enum { TCP_INFO_OPTION = 11 }; /* TCP_INFO */
bool has_unacked(int fd);
/* Sees to a direction in which something may be pending. False when the flow has ended. */
bool check_unacked(struct thread *, struct connection *, int from);

/* direction.c */
/* Whether there is something that the writing side has not taken. */
static inline bool has_pending(const struct direction *direction) { return direction->pending || (direction->pipe && direction->pipe->length > 0); }
/* Moves what can be moved, in both directions. Ends the flow when it is finished or has failed. */
void move_bytes(struct thread *, struct connection *);
/* Descriptors that are kept for all but connections and pipes: as in descriptors.ts of @gw/tcpproxy. */
enum { KEPT_DESCRIPTORS = 64 };
int highest_pipe(void);
/* Forgets the bytes that a flow holds. */
void drop_pending(struct thread *, struct connection *);
/* Closes the pipes that are not in use. */
void close_idle_pipes(struct thread *);

#endif
