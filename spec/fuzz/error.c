/* error.c - fuzz target: documents of answers that are errors.
 *
 * The first byte chooses the call and the status, the rest is the body. */
#include "exchange.h"

static const int statuses[] = {400, 401, 403, 404, 408, 412, 429,
                               500, 503, 302, 300, 599, 999};

static int build(lua_State *L) {
  const struct buffer *input = lua_touserdata(L, 1);
  unsigned char choice = (unsigned char)input->data[0];
  enum purpose purpose = choice & 1   ? TO_POLL
                         : choice & 2 ? TO_CANCEL
                         : choice & 4 ? TO_TOKEN
                                      : TO_LIST;
  struct request r;
  char line[32];
  lua_settop(L, 0);
  push_arguments(L, purpose);
  lay_out(L, &r, purpose);
  snprintf(line, sizeof line, "HTTP/1.1 %d\r\n\r\n",
           statuses[(choice >> 3) % (sizeof statuses / sizeof *statuses)]);
  CHECK(feed_head(&transfer->answer, line, strlen(line)) > 0);
  CHECK(feed_body(&transfer->answer, input->data + 1, input->length - 1));
  failure_from_status(L, &r);
  CHECK(lua_gettop(L) == SLOT_TOP);
  secret_redact(L, &r, SLOT_TABLE);
  CHECK(lua_gettop(L) == SLOT_TOP);
  CHECK(field_is(L, SLOT_TABLE, "status", LUA_TNUMBER));
  check_error(L, SLOT_TABLE);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > 0)
    run(build, data, size);
  return 0;
}
