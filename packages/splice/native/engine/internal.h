/*
 * What the files of the engine share: its structs, grouped by the thread that owns them or the lock that guards them,
 * and the functions that files offer each other.
 */
#ifndef GW_INTERNAL_H
#define GW_INTERNAL_H

#include "engine.h"
#include "pipes.h"
#include "socket.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>

enum { CLIENT, BACKEND };
enum { BUFFER = 64 * 1024 }; /* of each thread, in bytes */

/* What was written to a side and its peer has not acknowledged, when the kernel was last asked: unacked.c. */
struct unacked {
  uint32_t since;            /* when some of it was last acknowledged */
  uint32_t acked;            /* bytes acknowledged by then, modulo 2^32 */
  uint32_t unanswered_since; /* since when a window probe has no answer */
  uint32_t probed_at;        /* when `probes` last changed */
  uint8_t probes;            /* window probes without an answer */
  bool exists;
  bool exempt; /* from the user timeout, while the peer's window is closed */
};

/* Bytes that were copied, and not yet written: bytes[start .. end]. direction.c. */
struct pending {
  uint32_t start, end;
  uint8_t bytes[];
};

/* One direction of a connection: read from one side, written to the other. direction.c. */
struct direction {
  _Atomic uint64_t bytes;  /* read so far */
  struct pending *pending; /* NULL: none */
  struct pipe *pipe;       /* while bytes are spliced; what it holds is pending as well */
  struct unacked *unacked; /* NULL: nothing was unacknowledged when last checked */
  uint32_t progress_at;    /* when pending bytes, or the end, were last written */
  uint8_t bulk;            /* how bulky recent reads were; spliced from BULK on */
  bool eof : 1;               /* the reading side has ended its output, */
  bool write_side_closed : 1; /* and the writing side was shut down */
  bool moved : 1;             /* bytes were read since timeouts were last checked */
  bool all_acked : 1;         /* nothing was pending or unacknowledged then, nor was anything read since */
};

static inline bool has_pending(const struct direction *it) { return it->pending || (it->pipe && it->pipe->length); }

/* The attempts of a dial to several addresses: dial-race.c. */
struct race;
/* Dials that wait for clients: stock.c. */
struct stock;

/* A dial, from its order to its outcome: dial.c. Owned by the stock, the order or the thread that has it. */
struct dial {
  struct race *race;    /* of several addresses, in place of `target` */
  union address target;
  uint32_t timeout;     /* of each attempt */
  uint32_t deadline;    /* once it is under way: when it is checked next */
  uint32_t accepted_us; /* of a dial of the stock: when its client was accepted, by clock_us() */
  bool stocked;
  uint8_t number;  /* among those of its connection, modulo 256 */
  uint8_t address; /* the index of the one that the outcome is about */
};

/* A socket, and what epoll last reported of it. Edge-triggered: it holds until a system call returns EAGAIN. */
struct side {
  int fd; /* -1 when closed */
  bool readable, writable;
  bool has_eof_or_error; /* an end, an error or urgent data is queued behind the bytes; its edge has passed */
  bool was_reset : 1;    /* by its peer, or lost: closing it sends nothing */
  bool was_written : 1;  /* bytes were sent to it */
  bool has_no_delay : 1; /* TCP_NODELAY is set */
};

enum state { WAITING, DIALLING, RELAYING, OVER };

/*
 * A client and, once it is dialled, its backend: connection.c. There is one for each open connection, so it is small:
 * what an idle connection does not need is allocated apart, enumerations are bytes, errnos (below 4096) are in two, and
 * fields are in an order that leaves few gaps. Flags that are tested together share no word with fields of other owners:
 * the compiler may load the whole word, which the thread sanitizer reports.
 */
struct connection {
  /* Set by the first dial, for good: before the client is reported if it is stocked, else by the controller. */
  struct thread *thread;

  /* Set before the client is reported, and then not changed. */
  struct listener *listener;
  union address peer;
  union {
    uint32_t ticket; /* of the stocked dial, until the controller takes ACCEPTED; */
    uint32_t slot;   /* from then on the controller's */
  };
  bool stocked; /* it has taken a dial of the stock */

  /* Owned by the controller once the client was reported. */
  uint8_t dials; /* counts dials, modulo 256: outcomes of earlier ones are not reported */

  /* Owned by its thread. */
  uint16_t end_error; /* once it is OVER */
  uint32_t active_at; /* when a byte was last read */
  struct direction direction[2]; /* direction[CLIENT] is read from the client */
  struct side side[2];
  struct connection *previous_visited, *next_visited; /* among those whose waits are checked */
  struct connection *previous, *next; /* among the connections of its thread */
  struct connection *next_ready;
  struct dial *dial; /* while it is DIALLING. In a race, the backend's side then has no socket yet */
  uint32_t dialled_in_tick;
  uint32_t watched; /* its place among those that its thread watches */
  uint32_t waited; /* when the client ended its output or failed; as in struct event once it is OVER */

  /* Written by its thread: stalls.c. */
  _Atomic uint64_t wait;        /* whether the client waits for an answer, and since when */
  _Atomic uint32_t answered_at; /* when a byte was last read from the backend */

  /* Owned by its thread. */
  uint8_t state;  /* enum state */
  uint8_t reason; /* enum reason, once it is OVER */
  uint8_t ended_first : 2;        /* as in struct event */
  bool answered_late : 1;         /* the backend has sent a byte since the client ended its output */
  bool is_ready : 1, in_epoll : 1;
  bool visited : 1;               /* its waits are checked */
  bool has_keepalive_options : 1; /* set on the backend's socket */
  bool holds_stock : 1;           /* the controller's once its end is reported */

  /* Orders; under the thread's lock. */
  struct connection *next_order;
  struct dial *ordered_dial;
  uint8_t orders;
  bool order_queued; /* it is in the thread's list of orders */
  bool freed;        /* by the controller; the thread frees the memory when it comes to this connection's orders */

  /* Events; under the engine's lock. */
  uint32_t dial_us_reported;
  struct connection *next_event;
  uint8_t events;
  bool event_queued;
  uint8_t dial_reported;    /* the dial that CONNECTED or DIAL_FAILED is about, */
  uint8_t address_reported; /* and which of its addresses */
  uint16_t dial_error;
};

/* A thread's part in a listener: every thread accepts from every listener. Owned by the thread. */
struct acceptor {
  struct listener *listener;
  enum { UNREGISTERED, ACCEPTING, PAUSED, CLOSED_HERE } state; /* PAUSED: out of the epoll set for a while */
  uint32_t paused_until;
  unsigned empty_accepts; /* consecutive events without a client */
};

/* Lives as long as the engine, since connections point to it: listener.c. */
struct listener {
  struct listener *previous; /* opened before this one */
  struct settings settings;
  struct stock *stock; /* NULL: each client is asked for */
  int fd, number;
  bool is_inherited;   /* other processes may have the socket */
  atomic_bool closing; /* errors are no longer reported */
  atomic_bool closed;
  atomic_uint users;   /* threads that may still use the descriptor; the last one closes it */
  int error;           /* to be reported as ACCEPT_FAILED; under the engine's lock */
  atomic_int reported_error; /* the last one since a client was accepted, or 0 */
  _Atomic uint32_t reported_at;
  struct acceptor acceptors[]; /* by thread */
};

/* A place for a connection in a thread's epoll set. */
struct watched {
  struct connection *connection; /* NULL if it is free */
  uint32_t generation;           /* which of the connections at this place; never 0 */
  uint32_t next_free;
};

/* thread.c */
struct thread {
  struct engine *engine;
  pthread_t id;
  unsigned index;
  bool started;
  int epoll, wake_fd;   /* the latter an eventfd */
  atomic_bool has_work; /* orders, listeners, or the end of the engine */
  atomic_bool asleep;   /* in epoll_wait or about to be: it has to be woken */
  pthread_mutex_t lock;
  struct connection *orders, **orders_end; /* under the lock */
  struct connection *connections;
  struct watched *watched; /* it grows, and is freed with the thread */
  uint32_t watched_count, free_watched; /* the latter a place, or watched_count if none is free */
  /* They wait for their turn: bulk, and what was more than a turn allows. In the order in which they came. */
  struct connection *ready, **ready_end;
  unsigned ready_count;
  uint64_t bytes_in_turns; /* read since the turns of this tick began */
  bool in_turns;
  struct connection *over;  /* are reported, and may be freed, at the end of the tick */
  struct pipe *idle_pipes;
  bool lacks_pipes; /* none could be made since timeouts were last checked */
  unsigned paused;  /* listeners */
  struct connection *visited; /* their waits are checked */
  uint32_t now;
  _Atomic uint32_t check_at; /* when the thread checks timeouts or waits next; the controller reads it */
  uint32_t timeouts_at;      /* when it checks timeouts next */
  atomic_uint tick;       /* counts runs of the loop */
  unsigned wait_failures; /* consecutive ones, of epoll_wait */
  unsigned last_tick, missed_checks; /* the controller's: `tick` at its last check; checks for which it was the same */
  /* There are events that need not wake the controller at once, since `batched_since`, but within this time; 0: none. */
  uint32_t batch_ms, batched_since;
  atomic_uint load; /* connections that were given to this thread and have not ended */
  uint8_t *buffer;
};

struct engine {
  unsigned thread_count;
  struct thread *threads;
  int wake_fd; /* wakes the controller */
  atomic_bool stopping, controller_woken;
  atomic_bool wake_failed;     /* the controller has to be woken again */
  atomic_uint untaken_clients; /* accepted, and not yet taken by the controller */
  atomic_int pipes_left;       /* of engine_pipe_limit */
  int highest_pipe;            /* above this descriptor no pipe is kept */
  struct ports ephemeral_ports; /* when the engine was started */
  atomic_uint extra_attempts;  /* of races, beside the first of each */
  atomic_bool accept_paused;   /* a listener waits until the controller has taken clients */
  pthread_mutex_t lock;
  struct connection *events, **events_end; /* under the lock */
  bool accept_failed;                      /* under the lock: a listener has an error to report */
  _Atomic(struct listener *) last_listener;
  struct connection *to_free; /* the controller's: connections whose ENDED was taken last */
  struct stock *last_stock; /* the controller's */
  struct connection **slots;
  uint32_t slot_count, *free_slots, free_count;
  uint32_t promised_slots; /* of those that are free: for clients that take stocked dials */
};

/* mailbox.c: what crosses threads. */
/* ORDER_ADOPT, by a thread: reports a client that another one has accepted, and dials. */
enum { ORDER_DIAL = 1, ORDER_CANCEL = 2, ORDER_CLOSE = 4, ORDER_ABORT = 8, ORDER_ADOPT = 16 };
enum { REPORT_ACCEPTED = 1, REPORT_CONNECTED = 2, REPORT_DIAL_FAILED = 4, REPORT_ENDED = 8, REPORT_STALLED = 16 };
/*
 * Queues an event for the controller. `thread` is the one that calls, NULL the controller itself. The controller may free
 * the connection as soon as REPORT_ENDED is queued.
 */
void report(struct engine *, struct thread *, struct connection *, uint8_t what, int error);
void report_accept_failed(struct engine *, struct listener *, int error);
/* Makes the controller take events now. */
void wake_controller(struct engine *);
void retry_wake(struct engine *); /* if that failed before */
/* Wakes the threads if a listener waits for the controller. */
void resume_accepting(struct engine *);
/* Gives a client that has taken a stocked dial to another thread. */
void hand_over(struct thread *to, struct connection *);
/* The thread with the fewest connections, or the `preferred` one unless it has many more. */
struct thread *least_loaded(struct engine *, struct thread *preferred);
/* Keeps a slot free for a client that will take a stocked dial. False without memory. */
bool promise_slot(struct engine *);
void release_promise(struct engine *);

/* stock.c */
struct stock *stock_of(const struct engine *, int number);
bool is_stocked(struct stock *);
/* Orders the oldest dial for a client that was just accepted. False if there is none. `is_low`: the controller is to be woken. */
bool take_stocked(struct stock *, struct connection *, bool *is_low);
/* Its backend has ended its output or failed. If there was no answer, no dials are taken until the controller has
 * handled the end of the connection, or its client has not ended it for a while: */
void hold_stock_if_unanswered(struct connection *);
void release_stock(struct connection *);
void free_stocks(struct engine *);

/* thread.c */
/* epoll's data has its kind in the low bits: the client of a connection (0) or its backend (1), with the connection's place
 * and generation; or a pointer to an acceptor (2) or to a connection whose race has sockets (3). 0 is the thread's wake_fd. */
enum { OF_ACCEPTOR = 2, OF_RACE = 3, KIND = 3 };
enum { SIDE_EVENTS = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET };
/* Adds a descriptor to the thread's epoll set. */
int watch(struct thread *, int fd, uint32_t events, uint64_t what);
/* Closes a descriptor, of which no event comes from then on. */
void close_watched(struct thread *, int fd);
/* Gives the connection a place. False without memory. */
bool begin_watching(struct thread *, struct connection *);
/* No event of the connection's sides is handled from now on: they may be closed without close_watched. */
void end_watching(struct thread *, struct connection *);
/* epoll's data for a side of a connection that has a place. */
uint64_t data_of_side(const struct thread *, const struct connection *, int which);
void *run_thread(void *thread);
/* The connection goes on after those that wait already, when the events of this tick were handled. */
void wait_for_turn(struct thread *, struct connection *);
/* Makes a thread do its work, now or after its tick. */
void wake_thread(struct thread *);

/* listener.c */
void on_listener(struct thread *, struct acceptor *);
/* Registers listeners that are new or have paused long enough; leaves those that the controller has closed. */
void update_listeners(struct thread *);
/* Reports why no client can be accepted; the same error once in REPORT_INTERVAL_MS. */
void report_listener_error(struct thread *, struct listener *, int error);

/* connection.c */
void on_side(struct thread *, struct connection *, int which, uint32_t events);
void handle_orders(struct thread *, struct connection *);
/* Reports a client that has taken a stocked dial, and dials. */
void serve_stocked(struct thread *, struct connection *);
/* Ends a connection because one side failed; or because of this machine, if is_local_error. */
void fail_connection(struct thread *, struct connection *, int side, int error);
/* Adds a side to the thread's epoll set. */
int watch_side(struct thread *, struct connection *, int which);
/* Closes a side, if it is open, of a connection that goes on. */
void close_side(struct thread *, struct side *, bool reset);
/* Closes both sides. The connection is reported as ended at the end of the tick. */
void end_connection(struct thread *, struct connection *, enum reason, int error);
/* Frees a connection that no list has; open sockets are reset. */
void free_connection(struct connection *);

/* dial.c */
struct dial *new_dial(const struct sockaddr_storage *, unsigned count, uint32_t timeout); /* NULL without memory */
/* Frees a dial that is not under way; NULL is none. */
void free_dial(struct dial *);
/* Begins the dial of a connection. */
void start_dial(struct thread *, struct connection *);
/* The socket of a dial to one address has connected or failed. */
void on_dialled(struct thread *, struct connection *, uint32_t events);
/* The dial has reached its deadline. */
void check_dial(struct thread *, struct connection *);
/* Extends the timeouts of a dial that is under way. */
void extend_dial(struct dial *, uint32_t ms);
/* Frees the dial of a connection, if there is one, and closes the sockets of its race. */
void end_dial(struct thread *, struct connection *);
/* The connection is without a backend from now on, even if its dial has just succeeded. */
void abandon_dial(struct thread *, struct connection *);
/* A socket that has begun to connect; -1 with errno set. */
int connecting_socket(struct thread *, const union address *target);
void dial_failed(struct thread *, struct connection *, int error);
/* The backend's side is connected: bytes flow from now on. */
void dial_succeeded(struct thread *, struct connection *);

/* dial-race.c */
struct race *new_race(const struct sockaddr_storage *, unsigned count, uint32_t timeout); /* NULL without memory */
/* Begins the race of a connection's dial. */
void start_race(struct thread *, struct connection *);
void on_race(struct thread *, struct connection *);
/* Ends attempts that have timed out, and starts the next when it is due. */
void check_race(struct thread *, struct connection *);
void extend_race(struct race *, uint32_t ms);
/* Closes all attempts and frees the race, if there is one. */
void end_race(struct thread *, struct dial *);

/* direction.c */
/* Moves bytes both ways while there are any. Ends the connection when it is finished or has failed. */
void move_bytes(struct thread *, struct connection *);
/* Frees what both directions hold. */
void drop_pending(struct thread *, struct connection *);

/* stalls.c */
/* Called after each read. */
void client_sent(struct thread *, struct connection *);
void backend_answered(struct thread *, struct connection *);
/* There is no answer to wait for any more: the backend, or the connection, has ended. */
void end_wait(struct thread *, struct connection *);
/* Reports waits that are longer than the stall timeout, and schedules the next check. */
void check_waits(struct thread *);
void extend_wait(struct connection *, uint32_t ms);
/* The client has ended its output: notes for how long it has been waiting. */
void client_ended(struct connection *);
/* Decides `waited` of a connection that ends. To be called before end_wait. */
void settle_wait(struct connection *, enum reason);
/* Called from time to time, since the clock wraps. */
void limit_ages(struct thread *, struct connection *);
/* Whether the wait that was reported goes on. The controller may call it. */
bool is_still_stalled(const struct connection *);

/* unacked.c */
/* Whether the peer has yet to acknowledge something, be it the end. */
bool has_unacked(int fd);
/*
 * Updates what is unacknowledged in a direction, and whether all is acknowledged. False when the connection has ended:
 * its peer has vanished. Without memory, what is unacknowledged is timed from a later check on.
 */
bool check_unacked(struct thread *, struct connection *, int from);
void extend_unacked(struct unacked *, uint32_t ms);

/* timeouts.c */
uint32_t clock_ms(void);
/* Microseconds, of a finer clock; wraps every 71 minutes. */
uint32_t clock_us(void);
/* Whether `moment` has come. The clock wraps every 49 days. */
bool is_past(uint32_t now, uint32_t moment);
/* Has timeouts checked no later than at `moment`. */
void schedule_check(struct thread *, uint32_t moment);
/* Has the thread wake no later than at `moment`. */
void wake_by(struct thread *, uint32_t moment);
uint32_t load_check_at(const struct thread *);
bool needs_checks(const struct thread *);
bool is_time_to_check(const struct thread *, bool has_more_events);
/* Checks waits and listeners that pause, and timeouts where that is due. */
void run_checks(struct thread *);
/* Extends all timeouts by the time for which this process did not run. */
void extend_after_pause(struct thread *);

#endif
