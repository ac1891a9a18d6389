/*
 * Loads the binary as Node does and runs its self-test: napi-host FILE. For C libraries without a Node to test with,
 * such as musl. It has what the self-test needs of Node-API; any other function ends the process.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void *value;
typedef value (*callback)(void *env, void *info);
static callback self_test;
static double result = -1;

int napi_create_function(void *env, const char *name, size_t length, callback call, void *data, value *function) {
  (void)env, (void)length, (void)data;
  if (strcmp(name, "selfTest") == 0) self_test = call;
  *function = (value)name;
  return 0;
}

int napi_set_named_property(void *env, value object, const char *name, value property) {
  (void)env, (void)object, (void)name, (void)property;
  return 0;
}

int napi_create_double(void *env, double number, value *out) {
  (void)env;
  result = number;
  *out = &result;
  return 0;
}

#define NEVER(name) \
  int name(void) { \
    fprintf(stderr, #name " was called\n"); \
    abort(); \
  }
NEVER(napi_add_env_cleanup_hook)
NEVER(napi_create_array_with_length)
NEVER(napi_create_external)
NEVER(napi_create_string_utf8)
NEVER(napi_get_array_length)
NEVER(napi_get_cb_info)
NEVER(napi_get_element)
NEVER(napi_get_typedarray_info)
NEVER(napi_get_value_external)
NEVER(napi_get_value_int32)
NEVER(napi_get_value_string_utf8)
NEVER(napi_get_value_uint32)
NEVER(napi_remove_env_cleanup_hook)
NEVER(napi_set_element)

int main(int count, char **arguments) {
  void *library = count == 2 ? dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL) : NULL;
  if (!library) return fprintf(stderr, "cannot be loaded: %s\n", dlerror()), 1;
  value (*load)(void *, value) = (value (*)(void *, value))dlsym(library, "napi_register_module_v1");
  if (!load) return fprintf(stderr, "%s\n", dlerror()), 1;
  load(NULL, NULL);
  self_test(NULL, NULL);
  printf("self-test: %s\n", result == 0 ? "passed" : strerror((int)result));
  return result != 0;
}
