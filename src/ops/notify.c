/*
 * What Node can't do by itself.
 *
 * trim(): gives memory that the C library keeps, and nothing uses, back to the system, and the pages of files that
 * starting touched (see idle-memory.ts).
 *
 * text(bytes): the string of these bytes, Latin-1, without a copy. They must stay where they are for as long as the
 * process runs, as what lies in the executable does (see src/start.ts).
 *
 * notify(path, text): sends one datagram to the socket that systemd named in NOTIFY_SOCKET; answers 0 or an errno.
 *
 * Node has no datagram sockets of the unix family, and a helper process (systemd-notify) would cost a fork at every
 * beat of the watchdog and force NotifyAccess=all on the unit. The socket is made for each message and never waits: a
 * service manager that does not read must not hold up a sample. A path that begins with @ is an abstract address.
 */
#define _GNU_SOURCE
#define NAPI_VERSION 10
#include "file-pages.h"
#include <errno.h>
#include <malloc.h>
#include <node_api.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TEXT_LIMIT 4096

static int send_datagram(const char *path, size_t path_length, const char *text, size_t text_length) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (path_length < 2 || path_length >= sizeof address.sun_path) return EINVAL;
  memcpy(address.sun_path, path, path_length);
  if (path[0] == '@') address.sun_path[0] = '\0';
  int file = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (file < 0) return errno;
  socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_length);
  ssize_t sent = sendto(file, text, text_length, MSG_NOSIGNAL, (struct sockaddr *)&address, length);
  int problem = sent < 0 ? errno : 0;
  close(file);
  return problem;
}

static napi_value notify(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  size_t count = 2;
  char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
  char text[TEXT_LIMIT];
  size_t path_length = 0, text_length = 0;
  int problem = EINVAL;
  if (napi_get_cb_info(env, info, &count, arguments, NULL, NULL) == napi_ok && count == 2 &&
      napi_get_value_string_utf8(env, arguments[0], path, sizeof path, &path_length) == napi_ok &&
      napi_get_value_string_utf8(env, arguments[1], text, sizeof text, &text_length) == napi_ok) {
    problem = send_datagram(path, path_length, text, text_length);
  }
  napi_value result;
  return napi_create_int32(env, problem, &result) == napi_ok ? result : NULL;
}

static napi_value trim(napi_env env, napi_callback_info info) {
  (void)env;
  (void)info;
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  drop_file_pages();
  return NULL;
}

static napi_value text(napi_env env, napi_callback_info info) {
  napi_value bytes, result;
  size_t count = 1, length = 0;
  void *data = NULL;
  bool copied;
  if (napi_get_cb_info(env, info, &count, &bytes, NULL, NULL) != napi_ok || count != 1) return NULL;
  if (napi_get_arraybuffer_info(env, bytes, &data, &length) != napi_ok) return NULL;
  napi_status status = node_api_create_external_string_latin1(env, data, length, NULL, NULL, &result, &copied);
  return status == napi_ok ? result : NULL;
}

NAPI_MODULE_INIT() {
  napi_value function;
  if (napi_create_function(env, "text", NAPI_AUTO_LENGTH, text, NULL, &function) != napi_ok) return NULL;
  if (napi_set_named_property(env, exports, "text", function) != napi_ok) return NULL;
  if (napi_create_function(env, "trim", NAPI_AUTO_LENGTH, trim, NULL, &function) != napi_ok) return NULL;
  if (napi_set_named_property(env, exports, "trim", function) != napi_ok) return NULL;
  if (napi_create_function(env, "notify", NAPI_AUTO_LENGTH, notify, NULL, &function) != napi_ok) return NULL;
  if (napi_set_named_property(env, exports, "notify", function) != napi_ok) return NULL;
  return exports;
}
