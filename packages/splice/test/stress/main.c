/* stress SEED SECONDS CONCURRENCY THREADS */
#define _GNU_SOURCE
#include "stress.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct stress stress = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .phase = STOPPED};

_Noreturn void violation(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "violation with seed %llu: ", (unsigned long long)stress.seed);
  vfprintf(stderr, format, arguments);
  fprintf(stderr, "\n");
  _exit(1);
}

static void on_alarm(int signal) {
  (void)signal;
  static const char message[] = "violation: timed out\n";
  (void)!write(STDERR_FILENO, message, sizeof message - 1);
  _exit(1);
}

/* splitmix64 */
uint64_t random_below(uint64_t *state, uint64_t limit) {
  uint64_t mixed = (*state += 0x9e3779b97f4a7c15);
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return (mixed ^ (mixed >> 31)) % limit;
}

uint64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct sockaddr_in loopback(uint32_t host, uint16_t port) {
  return (struct sockaddr_in){
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(0x7f000000 + host)};
}

int bound(uint32_t host, struct sockaddr_in *address) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  socklen_t length = sizeof *address;
  *address = loopback(host, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)address, length) < 0) violation("bind: %s", strerror(errno));
  getsockname(fd, (struct sockaddr *)address, &length);
  return fd;
}

static int descriptors(void) {
  int count = 0;
  DIR *folder = opendir("/proc/self/fd");
  while (folder && readdir(folder)) count++;
  if (folder) closedir(folder);
  return count;
}

/* A listener whose backlog is full, so that a dial gets no answer. */
static void make_blackhole(void) {
  int fd = bound(1, &stress.blackhole);
  listen(fd, 0);
  for (int filler = 0; filler < 4; filler++) {
    struct sockaddr_in from;
    connect(bound(1, &from), (struct sockaddr *)&stress.blackhole, sizeof stress.blackhole);
  }
}

static void open_session(struct session *session, unsigned number) {
  session->number = number;
  session->seed = stress.seed * 1000003 + number;
  session->address = loopback(0x010000 + number, 0);
  session->listener = bound(1, &session->backend);
  listen(session->listener, 64);
  session->refusing_fd = bound(1, &session->refusing);
  session->notify_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  /* Allocated here: in a new thread, the first malloc of glibc opens a file, which would be counted as a leak. */
  session->buffer = malloc(CHUNK);
  pthread_mutex_init(&session->lock, NULL);
  if (pthread_create(&session->thread, NULL, session_run, session) != 0) violation("no thread for a session");
}

static void close_session(struct session *session) {
  pthread_join(session->thread, NULL);
  close(session->listener);
  close(session->refusing_fd);
  close(session->notify_fd);
  free(session->buffer);
}

static void report(unsigned rounds) {
  printf("{\"seed\":%llu,\"rounds\":%u,\"connections\":%llu,\"bytes\":%llu,\"accepted\":%llu,\"ended\":%llu,"
         "\"failedDials\":%llu,\"failedAccepts\":%llu,\"listeners\":%llu,\"stalls\":%llu,\"stocked\":%llu,\"reasons\":[",
         (unsigned long long)stress.seed, rounds, stress.connections, stress.bytes, tally.accepted, tally.ended,
         tally.failed_dials, tally.failed_accepts, tally.listeners, tally.stalls, tally.stocked);
  for (int reason = 0; reason < REASONS; reason++) printf("%s%llu", reason ? "," : "", stress.reasons[reason]);
  printf("],\"resetByStop\":%llu}\n", stress.reset_by_engine_stop);
}

int main(int count, char **arguments) {
  if (count != 5) return fprintf(stderr, "usage: %s seed seconds concurrency threads\n", arguments[0]), 2;
  stress.seed = strtoull(arguments[1], NULL, 10);
  unsigned seconds = (unsigned)atoi(arguments[2]);
  stress.concurrency = (unsigned)atoi(arguments[3]);
  stress.threads = (unsigned)atoi(arguments[4]);
  signal(SIGALRM, on_alarm);
  signal(SIGCHLD, SIG_IGN); /* nothing is left of processes that have ended */
  alarm(seconds * 2 + 60);
  printf("seed %llu\n", (unsigned long long)stress.seed);
  make_blackhole();
  stress.sessions = calloc(stress.concurrency, sizeof *stress.sessions);
  for (unsigned number = 0; number < stress.concurrency; number++) open_session(&stress.sessions[number], number);
  unsigned rounds = 0;
  uint64_t random = stress.seed;
  int before = descriptors();
  for (uint64_t until = now_ms() + seconds * 1000; now_ms() < until; rounds++) {
    struct tally then = tally;
    bool drain = chance(&random, 60);
    run_engine(&random, 100 + (unsigned)random_below(&random, 2000), drain);
    if (drain && tally.accepted - then.accepted != tally.ended - then.ended)
      violation("%llu accepted and %llu ended", tally.accepted - then.accepted, tally.ended - then.ended);
    if (descriptors() != before) violation("%d descriptors, but %d before", descriptors(), before);
  }
  pthread_mutex_lock(&stress.lock);
  stress.phase = OVER;
  pthread_cond_broadcast(&stress.changed);
  pthread_mutex_unlock(&stress.lock);
  for (unsigned number = 0; number < stress.concurrency; number++) close_session(&stress.sessions[number]);
  free(stress.sessions);
  report(rounds);
  return 0;
}
