/* For LD_PRELOAD: the system refuses the relay's threads, known by their small stacks, after GW_TEST_THREADS of them. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

typedef int create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

int pthread_create(pthread_t *id, const pthread_attr_t *attributes, void *(*run)(void *), void *argument) {
  static int left = -1;
  size_t stack = 0;
  if (left < 0) left = atoi(getenv("GW_TEST_THREADS"));
  if (attributes) pthread_attr_getstacksize(attributes, &stack);
  if (stack == 256 * 1024 && left-- <= 0) return EAGAIN;
  return ((create *)dlsym(RTLD_NEXT, "pthread_create"))(id, attributes, run, argument);
}
