/* One engine from start to stop, with what happens around it: listeners that come and go, a want of descriptors. */
#define _GNU_SOURCE
#include "owner.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

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
