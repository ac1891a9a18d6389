/* The controller of the engine, and what it keeps of each connection. */
#ifndef GW_STRESS_CONTROLLER_H
#define GW_STRESS_CONTROLLER_H

#include "stress.h"

#include <sys/resource.h>

enum { SLOTS = 8192, EXTRA_CLIENTS = 8, EXTRA_CLIENTS_HOST = 0x020000 };
enum act { NO_ACT, CANCEL, CLOSE, ABORT };
enum target { AT_BACKEND, AT_REFUSING, AT_BLACKHOLE };

/* A connection by the events and orders so far. */
struct tracked {
  bool open, dialling, connected;
  bool ended; /* an order has ended it: only ENDED may follow */
  struct session *session; /* NULL: a client of the extra listener */
  enum target target;
  enum act act;
  uint64_t act_at, bytes[2];
  uint64_t ordered_at; /* the take after which it was last given an order */
};

struct controller {
  struct engine *engine;
  uint64_t *random;
  struct tracked tracked[SLOTS];
  int listeners[LISTENERS];
  unsigned open;
  uint64_t takes;
  int extra_listener, extra_clients[EXTRA_CLIENTS]; /* -1: none */
  uint64_t extra_listener_until, starved_until;
  bool was_starved;
  struct rlimit limit;
};

/* stocks.c */
/* A new stock for the clients of a session: its number. */
int new_stock(struct controller *, const struct session *);
/* Adds dials to some stocks, and takes those of others back. */
void change_stocks(struct controller *);
/* Where the dial with this ticket leads to, which a client has taken. */
enum target stocked_target(const struct session *, int64_t ticket);

/* controller.c: takes all events, and responds to them. */
void take_all(struct controller *);
/* Gives the orders that are due. */
void act_when_due(struct controller *);

#endif
