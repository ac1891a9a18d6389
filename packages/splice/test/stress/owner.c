/* The owner of the engine under stress: decides at random, and checks the order of events. */
#define _GNU_SOURCE
#include "stress.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SLOTS = 8192, MOST_EVENTS = 64, CALLERS = 8, CALLERS_HOST = 0x020000, LONG_MS = 120000 };
enum act { NO_ACT, CANCEL, CLOSE, KILL };
enum target { AT_BACKEND, AT_DEAD, AT_HOLE };

/* What the owner knows of a connection. */
struct known {
  bool open, dialling;
  struct session *session; /* NULL: a caller, see `call` */
  enum target target;
  enum act act;
  uint64_t act_at, bytes[2];
};

struct owner {
  struct engine *engine;
  uint64_t *random;
  struct known known[SLOTS];
  int doors[DOORS];
  unsigned open;
  int side_door, callers[CALLERS]; /* -1: none */
  uint64_t side_door_until, starved_until;
  bool was_starved;
  struct rlimit limit;
};

struct tally tally;

static void note(struct known *known, unsigned did) {
  if (!known->session) return;
  pthread_mutex_lock(&known->session->lock);
  known->session->told.did |= did;
  pthread_mutex_unlock(&known->session->lock);
}

static void dial(struct owner *owner, uint32_t slot, enum target target) {
  struct known *known = &owner->known[slot];
  const struct session *session = known->session ? known->session : &stress.sessions[0];
  const struct sockaddr_in *address = target == AT_DEAD ? &session->dead : target == AT_HOLE ? &stress.hole : &session->backend;
  uint32_t timeout = target == AT_HOLE && chance(owner->random, 50) ? 20 + (uint32_t)random_below(owner->random, 60) : LONG_MS;
  known->target = target;
  known->dialling = true;
  known->act = NO_ACT;
  if (target == AT_HOLE && timeout == LONG_MS) known->act = chance(owner->random, 60) ? CANCEL : KILL;
  else if (chance(owner->random, 20)) known->act = (enum act[]){CANCEL, CLOSE, KILL}[random_below(owner->random, 3)];
  uint64_t longest = known->act == KILL ? 50 : target == AT_HOLE ? 20 : 3;
  known->act_at = chance(owner->random, 30) ? 0 : now_ms() + random_below(owner->random, longest);
  engine_dial(owner->engine, slot, (const struct sockaddr *)address, sizeof *address, timeout);
}

static void end(struct owner *owner, uint32_t slot, enum act act) {
  struct known *known = &owner->known[slot];
  note(known, act == CLOSE ? DID_CLOSE : DID_KILL);
  known->dialling = false;
  if (act == CLOSE) engine_close(owner->engine, slot);
  if (act == KILL || chance(owner->random, 10)) {
    note(known, DID_KILL);
    engine_kill(owner->engine, slot);
  }
}

static void act(struct owner *owner, uint32_t slot) {
  struct known *known = &owner->known[slot];
  enum act due = known->act;
  known->act = NO_ACT;
  if (due != CANCEL) return end(owner, slot, due);
  note(known, DID_CANCEL);
  known->dialling = false;
  engine_cancel_dial(owner->engine, slot);
  if (!known->session || chance(owner->random, 20)) return end(owner, slot, chance(owner->random, 50) ? CLOSE : KILL);
  dial(owner, slot, (enum target[]){AT_BACKEND, AT_BACKEND, AT_DEAD, AT_HOLE}[random_below(owner->random, 4)]);
}

static void act_where_due(struct owner *owner) {
  uint64_t now = now_ms();
  for (uint32_t slot = 0; slot < SLOTS; slot++) {
    struct known *known = &owner->known[slot];
    if (!known->open) continue;
    if (known->act != NO_ACT && known->act_at <= now) act(owner, slot);
    if (!chance(owner->random, 5)) continue;
    uint64_t bytes[2];
    engine_bytes(owner->engine, slot, bytes);
    if (bytes[0] < known->bytes[0] || bytes[1] < known->bytes[1]) violation("slot %u: a counter went back", slot);
    memcpy(known->bytes, bytes, sizeof bytes);
  }
}

static void on_accepted(struct owner *owner, const struct event *event) {
  struct known *known = &owner->known[event->slot];
  const struct sockaddr_in *peer = (const struct sockaddr_in *)engine_peer(owner->engine, event->slot);
  uint32_t host = ntohl(peer->sin_addr.s_addr) & 0xffffff;
  *known = (struct known){.open = true};
  owner->open++;
  tally.accepted++;
  if (host < CALLERS_HOST) {
    known->session = &stress.sessions[host & 0xffff];
    pthread_mutex_lock(&known->session->lock);
    if (known->session->told.accepted) violation("session %u: accepted twice", known->session->number);
    known->session->told.accepted = true;
    known->session->told.door = event->listener == owner->doors[HASTY] ? HASTY : PATIENT;
    pthread_mutex_unlock(&known->session->lock);
  }
  uint64_t dice = random_below(owner->random, 100);
  if (dice < 6 || (!known->session && dice < 60)) end(owner, event->slot, dice % 2 ? CLOSE : KILL);
  else if (!known->session) dial(owner, event->slot, AT_HOLE);
  else dial(owner, event->slot, dice < 80 ? AT_BACKEND : dice < 88 ? AT_DEAD : AT_HOLE);
}

static bool is_expected(const struct owner *owner, const struct known *known, int error) {
  if (error == EMFILE) return owner->was_starved;
  if (known->target == AT_DEAD) return error == ECONNREFUSED;
  if (known->target == AT_HOLE) return error == ETIMEDOUT;
  return error == ECONNRESET || error == EPIPE; /* it was accepted, and reset before the engine looked */
}

static void on_dial_failed(struct owner *owner, const struct event *event) {
  struct known *known = &owner->known[event->slot];
  if (!is_expected(owner, known, event->error)) violation("dial %d failed: %s", known->target, strerror(event->error));
  known->dialling = false;
  known->act = NO_ACT;
  tally.failed_dials++;
  if (!known->session || chance(owner->random, 15)) end(owner, event->slot, CLOSE);
  else dial(owner, event->slot, AT_BACKEND);
}

static void on_ended(struct owner *owner, const struct event *event) {
  struct known *known = &owner->known[event->slot];
  known->open = false;
  owner->open--;
  tally.ended++;
  struct session *session = known->session;
  if (!session) return;
  uint64_t one = 1;
  pthread_mutex_lock(&session->lock);
  session->told.ended = true;
  session->told.reason = event->reason;
  session->told.error = event->error;
  memcpy(session->told.bytes, event->bytes, sizeof event->bytes);
  (void)!write(session->news, &one, sizeof one);
  pthread_mutex_unlock(&session->lock);
}

static void on_connected(struct known *known) {
  known->dialling = false;
  if (known->act != KILL) known->act = NO_ACT; /* cancelled and closed is what has no backend */
  if (known->target != AT_BACKEND) violation("connected where nobody accepts");
  pthread_mutex_lock(&known->session->lock);
  known->session->told.connected++;
  pthread_mutex_unlock(&known->session->lock);
}

static void on_event(struct owner *owner, const struct event *event) {
  if (event->kind == ACCEPT_FAILED) {
    if (event->error != EMFILE || !owner->was_starved) violation("accept failed: %s", strerror(event->error));
    tally.failed_accepts++;
    return;
  }
  if (event->slot >= SLOTS) violation("slot %u", event->slot);
  struct known *known = &owner->known[event->slot];
  if (known->open == (event->kind == ACCEPTED)) violation("slot %u: event %d out of turn", event->slot, event->kind);
  if ((event->kind == CONNECTED || event->kind == DIAL_FAILED) && !known->dialling)
    violation("slot %u: event %d without a dial", event->slot, event->kind);
  switch (event->kind) {
  case ACCEPTED: return on_accepted(owner, event);
  case CONNECTED: return on_connected(known);
  case DIAL_FAILED: return on_dial_failed(owner, event);
  default: return on_ended(owner, event);
  }
}

static void take_all(struct owner *owner) {
  struct event events[MOST_EVENTS];
  unsigned count, max;
  do {
    max = 2 + (unsigned)random_below(owner->random, MOST_EVENTS - 1);
    count = engine_take(owner->engine, events, max);
    for (unsigned index = 0; index < count; index++) on_event(owner, &events[index]);
  } while (count >= max - 1);
}

static void listen_at(struct owner *owner, const struct settings *settings, int *number, struct sockaddr_in *address) {
  struct sockaddr_in any = loopback(1, 0);
  struct sockaddr_storage bound_to;
  int error = engine_listen(owner->engine, (struct sockaddr *)&any, sizeof any, settings, number, &bound_to);
  if (error != 0) violation("listen: %s", strerror(error));
  memcpy(address, &bound_to, sizeof *address);
  tally.listeners++;
}

/* Opens a listener that lives for a moment, with clients that never send. */
static void call(struct owner *owner) {
  static const struct settings settings = {.keepalive_delay = 1000, .user_timeout = 1000};
  struct sockaddr_in address;
  listen_at(owner, &settings, &owner->side_door, &address);
  owner->side_door_until = now_ms() + random_below(owner->random, 10);
  for (int caller = 0; caller < CALLERS; caller++) {
    struct sockaddr_in from = loopback(CALLERS_HOST + 1 + (uint32_t)caller, 0);
    int fd = owner->callers[caller] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) < 0) violation("bind: %s", strerror(errno));
    connect(fd, (struct sockaddr *)&address, sizeof address);
  }
}

static void hang_up(struct owner *owner) {
  if (owner->side_door < 0) return;
  engine_unlisten(owner->engine, owner->side_door);
  if (chance(owner->random, 50)) engine_unlisten(owner->engine, owner->side_door);
  owner->side_door = -1;
  for (int caller = 0; caller < CALLERS; caller++) close(owner->callers[caller]);
}

/* Takes all descriptors away that are not in use, or gives them back. */
static void starve(struct owner *owner, bool on) {
  struct rlimit limit = {.rlim_cur = on ? 10 : owner->limit.rlim_cur, .rlim_max = owner->limit.rlim_max};
  if (setrlimit(RLIMIT_NOFILE, &limit) < 0) violation("setrlimit: %s", strerror(errno));
  stress.starved = on;
  owner->was_starved |= on;
}

static void be_capricious(struct owner *owner) {
  uint64_t now = now_ms();
  if (owner->side_door >= 0 && owner->side_door_until <= now) hang_up(owner);
  if (stress.starved && owner->starved_until <= now) starve(owner, false);
  if (stress.starved) return;
  if (owner->side_door < 0 && chance(owner->random, 2)) call(owner);
  if (random_below(owner->random, 1000) < 3) {
    starve(owner, true);
    owner->starved_until = now + random_below(owner->random, 30);
  }
  if (chance(owner->random, 1)) usleep((useconds_t)random_below(owner->random, 10000));
}

static void set_phase(enum phase phase) {
  pthread_mutex_lock(&stress.lock);
  stress.phase = phase;
  pthread_cond_broadcast(&stress.changed);
  pthread_mutex_unlock(&stress.lock);
}

static unsigned busy_sessions(void) {
  pthread_mutex_lock(&stress.lock);
  unsigned busy = stress.busy;
  pthread_mutex_unlock(&stress.lock);
  return busy;
}

void run_engine(uint64_t *random, unsigned ms, bool drain) {
  static const struct settings settings[DOORS] = {
      {.keepalive_delay = 30000, .keepalive_interval = 10000, .keepalive_probes = 3, .user_timeout = 60000},
      {.idle_timeout = 200, .half_close_timeout = 150, .write_timeout = 100}};
  static struct owner owner;
  int wake[2];
  owner = (struct owner){.random = random, .side_door = -1};
  getrlimit(RLIMIT_NOFILE, &owner.limit);
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, wake) < 0) violation("socketpair");
  owner.engine = engine_start(stress.threads, wake[1]);
  if (!owner.engine) violation("engine_start: %s", strerror(errno));
  for (int door = 0; door < DOORS; door++) listen_at(&owner, &settings[door], &owner.doors[door], &stress.doors[door]);
  set_phase(RUNNING);
  struct pollfd poll_fd = {.fd = wake[0], .events = POLLIN};
  for (uint64_t until = now_ms() + ms;;) {
    char bytes[8];
    bool over = now_ms() >= until;
    if (over && stress.starved) starve(&owner, false);
    if (over && (!drain || (busy_sessions() == 0 && owner.open == 0))) break;
    if (over && drain) hang_up(&owner), set_phase(DRAINING);
    else be_capricious(&owner);
    /* Only when it is woken: a wake-up that is lost shows. */
    if (poll(&poll_fd, 1, 1) > 0 && read(wake[0], bytes, sizeof bytes) > 0) take_all(&owner);
    act_where_due(&owner);
  }
  hang_up(&owner);
  engine_stop(owner.engine);
  set_phase(STOPPED);
  while (busy_sessions() > 0) usleep(1000);
  close(wake[0]);
  close(wake[1]);
}
