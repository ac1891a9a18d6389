/*
 * Stocks: dials that were decided before their clients came, so that the thread that accepts a client can dial at once.
 * The controller adds them and takes them back. Who has accepted a client takes the oldest, under the stock's lock:
 * once the controller has taken a dial back, no client that is accepted later is dialled for by it.
 *
 * A client that gets no answer from its backend is lost, so that the next ones must not follow it unasked, however late
 * the controller is: from then on, until the controller has heard of it, threads take no dials. The controller hears of it
 * when the connection is over. A client that has seen the end of its backend and stays does not hold up others for long.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

/* Lives as long as the engine. Dials are numbered in the order in which they were added, modulo 2^32: tickets. */
struct stock {
  struct stock *previous; /* created before this one */
  int number;
  pthread_mutex_t lock;
  uint32_t first, end; /* tickets, under the lock: of the oldest dial; of the next one to be added */
  uint32_t low_at;     /* when so few are left the controller is to be woken, once; under the lock */
  atomic_uint holds;   /* by connections that have ended without an answer; while there are any no thread takes a dial */
  struct dial *dials[STOCK]; /* by ticket, modulo STOCK, NULL where there is none; under the lock */
};

struct stock *stock_of(const struct engine *engine, int number) {
  struct stock *stock = engine->last_stock;
  while (stock && stock->number != number) stock = stock->previous;
  return stock;
}

int engine_new_stock(struct engine *engine) {
  struct stock *stock = calloc(1, sizeof *stock);
  if (!stock) return -1;
  pthread_mutex_init(&stock->lock, NULL);
  stock->previous = engine->last_stock;
  stock->number = stock->previous ? stock->previous->number + 1 : 0;
  engine->last_stock = stock;
  return stock->number;
}

unsigned engine_stock(struct engine *engine, int number, const struct sockaddr_storage *targets, unsigned count,
                      uint32_t timeout, unsigned copies) {
  struct stock *stock = stock_of(engine, number);
  unsigned added = 0;
  pthread_mutex_lock(&stock->lock);
  while (added < copies && stock->end - stock->first < STOCK) {
    struct dial *dial = new_dial(targets, count, timeout);
    if (!dial) break;
    /* Its client must get a slot. */
    if (!promise_slot(engine)) {
      free_dial(dial);
      break;
    }
    dial->stocked = true;
    stock->dials[stock->end++ % STOCK] = dial;
    added++;
  }
  stock->low_at = (stock->end - stock->first) / 2;
  pthread_mutex_unlock(&stock->lock);
  resume_accepting(engine);
  return added;
}

/* Takes the oldest dial out of a stock, whose lock is held. */
static struct dial *take_oldest(struct stock *stock, uint32_t *ticket) {
  *ticket = stock->first++;
  struct dial *dial = stock->dials[*ticket % STOCK];
  stock->dials[*ticket % STOCK] = NULL;
  return dial;
}

int64_t engine_take_stocked(struct engine *engine, int number) {
  struct stock *stock = stock_of(engine, number);
  int64_t taken = -1;
  uint32_t ticket;
  pthread_mutex_lock(&stock->lock);
  if (stock->first != stock->end) {
    free_dial(take_oldest(stock, &ticket));
    release_promise(engine);
    taken = ticket;
  }
  pthread_mutex_unlock(&stock->lock);
  return taken;
}

unsigned engine_unstock(struct engine *engine, int number) {
  struct stock *stock = stock_of(engine, number);
  unsigned count = 0;
  pthread_mutex_lock(&stock->lock);
  for (; stock->first != stock->end; count++) {
    struct dial **newest = &stock->dials[--stock->end % STOCK];
    free_dial(*newest);
    *newest = NULL;
    release_promise(engine);
  }
  pthread_mutex_unlock(&stock->lock);
  return count;
}

/* Whether a thread may take a dial from a stock, whose lock is held. */
static bool has_dials(struct stock *stock) { return atomic_load(&stock->holds) == 0 && stock->first != stock->end; }

bool is_stocked(struct stock *stock) {
  if (!stock) return false;
  pthread_mutex_lock(&stock->lock);
  bool any = has_dials(stock);
  pthread_mutex_unlock(&stock->lock);
  return any;
}

void hold_stock_if_unanswered(struct connection *connection) {
  struct stock *stock = connection->listener->stock;
  if (!stock || connection->holds_stock || connection->state != RELAYING) return;
  if (atomic_load_explicit(&connection->direction[BACKEND].bytes, memory_order_relaxed) > 0) return;
  connection->holds_stock = true;
  atomic_fetch_add(&stock->holds, 1);
}

void release_stock(struct connection *connection) {
  if (connection->holds_stock) atomic_fetch_sub(&connection->listener->stock->holds, 1);
  connection->holds_stock = false;
}

bool take_stocked(struct stock *stock, struct connection *connection, bool *is_low) {
  *is_low = false;
  if (!stock) return false;
  pthread_mutex_lock(&stock->lock);
  bool any = has_dials(stock);
  if (any) {
    connection->ordered_dial = take_oldest(stock, &connection->ticket);
    connection->stocked = true;
    *is_low = stock->end - stock->first == stock->low_at;
  }
  pthread_mutex_unlock(&stock->lock);
  return any;
}

void free_stocks(struct engine *engine) {
  for (struct stock *stock = engine->last_stock, *previous; stock; stock = previous) {
    previous = stock->previous;
    for (unsigned index = 0; index < STOCK; index++) free_dial(stock->dials[index]);
    pthread_mutex_destroy(&stock->lock);
    free(stock);
  }
}
