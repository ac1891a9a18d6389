/* One engine from start to stop, disturbed by listeners that come and go, descriptors that run out, and forks. */
#define _GNU_SOURCE
#include "controller.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void listen_at(struct controller *controller, const struct settings *settings, int stock, int *number,
                      struct sockaddr_in *address) {
  struct sockaddr_in any = loopback(1, 0);
  struct sockaddr_storage bound_to;
  int error = engine_listen(controller->engine, (struct sockaddr *)&any, sizeof any, settings, stock, number, &bound_to);
  if (error != 0) violation("listen: %s", strerror(error));
  memcpy(address, &bound_to, sizeof *address);
  tally.listeners++;
}

/* Opens a listener for a moment, with clients that never send. */
static void open_extra_listener(struct controller *controller) {
  static const struct settings settings = {.keepalive_delay = 1000, .user_timeout = 1000};
  struct sockaddr_in address;
  listen_at(controller, &settings, -1, &controller->extra_listener, &address);
  controller->extra_listener_until = now_ms() + random_below(controller->random, 10);
  for (int client = 0; client < EXTRA_CLIENTS; client++) {
    struct sockaddr_in from = loopback(EXTRA_CLIENTS_HOST + 1 + (uint32_t)client, 0);
    int fd = controller->extra_clients[client] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) < 0) violation("bind: %s", strerror(errno));
    connect(fd, (struct sockaddr *)&address, sizeof address);
  }
}

static void close_extra_listener(struct controller *controller) {
  if (controller->extra_listener < 0) return;
  engine_unlisten(controller->engine, controller->extra_listener);
  if (chance(controller->random, 50)) engine_unlisten(controller->engine, controller->extra_listener);
  controller->extra_listener = -1;
  for (int client = 0; client < EXTRA_CLIENTS; client++) close(controller->extra_clients[client]);
}

/* Forbids descriptors beyond those in use, or allows them again. */
static void starve(struct controller *controller, bool on) {
  struct rlimit limit = {.rlim_cur = on ? 10 : controller->limit.rlim_cur, .rlim_max = controller->limit.rlim_max};
  if (setrlimit(RLIMIT_NOFILE, &limit) < 0) violation("setrlimit: %s", strerror(errno));
  stress.starved = on;
  controller->was_starved |= on;
}

/* A process that has copies of all descriptors for a while, as between fork and exec. Nobody waits for its end. */
static void fork_for(unsigned ms) {
  struct timespec time = {.tv_nsec = ms * 1000000L};
  pid_t child = fork();
  if (child < 0) violation("fork: %s", strerror(errno));
  if (child > 0) return;
  nanosleep(&time, NULL);
  _exit(0);
}

static void disturb(struct controller *controller) {
  uint64_t now = now_ms();
  if (controller->extra_listener >= 0 && controller->extra_listener_until <= now) close_extra_listener(controller);
  if (stress.starved && controller->starved_until <= now) starve(controller, false);
  if (stress.starved) return;
  if (controller->extra_listener < 0 && chance(controller->random, 2)) open_extra_listener(controller);
  if (random_below(controller->random, 1000) < 3) {
    starve(controller, true);
    controller->starved_until = now + random_below(controller->random, 30);
  }
  if (chance(controller->random, 1)) usleep((useconds_t)random_below(controller->random, 10000));
  if (random_below(controller->random, 1000) < 3) fork_for((unsigned)random_below(controller->random, 30));
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
  static const struct settings settings[LISTENERS] = {
      {.keepalive_delay = 30000, .keepalive_interval = 10000, 
       .keepalive_probes = 3,
       .user_timeout = 60000,
       .stall_timeout = 20},
      {.idle_timeout = 200, .half_close_timeout = 150, .write_timeout = 100, .stall_timeout = 1}};
  static struct controller controller;
  int wake[2];
  controller = (struct controller){.random = random, .extra_listener = -1};
  getrlimit(RLIMIT_NOFILE, &controller.limit);
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, wake) < 0) violation("socketpair");
  controller.engine = engine_start(stress.threads, wake[1]);
  if (!controller.engine) violation("engine_start: %s", strerror(errno));
  for (int listener = 0; listener < LISTENERS; listener++)
    listen_at(&controller, &settings[listener], -1, &controller.listeners[listener], &stress.addresses[listener]);
  for (unsigned number = 0; number < stress.concurrency; number++) {
    struct session *session = &stress.sessions[number];
    int listener, stock = new_stock(&controller, session);
    listen_at(&controller, &settings[WITHOUT_TIMEOUTS], stock, &listener, &session->stocked);
  }
  set_phase(RUNNING);
  struct pollfd poll_fd = {.fd = wake[0], .events = POLLIN};
  for (uint64_t until = now_ms() + ms;;) {
    char bytes[8];
    bool over = now_ms() >= until;
    if (over && stress.starved) starve(&controller, false);
    if (over && (!drain || (busy_sessions() == 0 && controller.open == 0))) break;
    if (over && drain) close_extra_listener(&controller), set_phase(DRAINING);
    else disturb(&controller);
    /* Only when woken, so that a lost wake-up is noticed. */
    if (poll(&poll_fd, 1, 1) > 0 && read(wake[0], bytes, sizeof bytes) > 0) take_all(&controller);
    act_when_due(&controller);
    change_stocks(&controller);
  }
  close_extra_listener(&controller);
  engine_stop(controller.engine);
  set_phase(STOPPED);
  while (busy_sessions() > 0) usleep(1000);
  close(wake[0]);
  close(wake[1]);
}
