/* What the files of the binding share. */
#ifndef GW_BINDING_H
#define GW_BINDING_H

#define NAPI_VERSION 8
#include <node_api.h>
#include <stdint.h>
#include <sys/socket.h>

enum { MAX_ARGUMENTS = 5 };

/* values.c: conversions between the values of JavaScript and those of C. */
/* Copies the arguments of a call; those that are missing are undefined. */
void get_arguments(napi_env, napi_callback_info, napi_value values[MAX_ARGUMENTS]);

napi_value from_number(napi_env, double);
/* 0 for what is no number. */
uint32_t to_uint32(napi_env, napi_value);

/* An IP literal, with a zone if it has one, and a port; or `unix:` and a path. 0, or an errno. */
int to_address(napi_env, napi_value host, napi_value port, struct sockaddr_storage *, socklen_t *length);
/* Sets array[at] to the host, and array[at + 1] to the port. Of a Unix socket the host is `unix:`. */
void set_address(napi_env, napi_value array, uint32_t at, const struct sockaddr *);
/* The same; of a Unix socket with its path, or `@` and its abstract name. Beyond the address there are NULs. */
void set_bound_address(napi_env, napi_value array, uint32_t at, const struct sockaddr_storage *);

/* process.c */
napi_value exit_now(napi_env, napi_callback_info);
napi_value notify(napi_env, napi_callback_info);

#endif
