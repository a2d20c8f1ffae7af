/* list.c - the operations of an offer, as a list shows them. */
#include "cpp.h"

/* Gives the item at `item`, whose id is on top of the stack, its location. The
 * list itself names none; this form is documented for the operation call. */
static bool set_item_location(lua_State *L, struct buffer *url, int item) {
  if (!exchange_write_url(L, url, "/operations", lua_gettop(L), NULL))
    return false;
  lua_pushlstring(L, url->data, url->length);
  lua_setfield(L, item, "location");
  return true;
}

/* Reads the object at `object`, and keeps it: items hold their tree. */
static void read_item(lua_State *L, int object, int item) {
  const char *word = "submissionState";
  lua_pushvalue(L, object);
  if (table_get(L, object, word) != LUA_TSTRING)
    word = "status";
  lua_pop(L, 1);
  operation_read(L, item, word);
  lua_setfield(L, item, "document");
}

/* Replaces the value on top of the stack by the operation it describes. One
 * that is no object says that there is something, and not what. False: out of
 * memory. */
static bool to_item(lua_State *L, struct transfer *t) {
  int object = lua_gettop(L), item = object + 1;
  lua_createtable(L, 0, 12);
  if (lua_istable(L, object))
    read_item(L, object, item);
  else
    operation_set_state(L, item, UNKNOWN);
  table_set_boolean(L, item, "changed", true);
  exchange_set_offer(L, item);
  table_get(L, item, "id");
  if (!check_id_fault(L, -1) && !set_item_location(L, &t->location, item))
    return false;
  lua_settop(L, item);
  operation_set_type(L, item);
  lua_replace(L, object);
  return true;
}

/* Fills the table with what matches of the array on top of the stack. False:
 * out of memory. */
bool list_keep(lua_State *L, struct transfer *t, const char *filter) {
  int array = lua_gettop(L);
  lua_Integer count = (lua_Integer)lua_rawlen(L, array), kept = 0;
  for (lua_Integer i = 1; i <= count; i++) {
    lua_settop(L, array);
    lua_rawgeti(L, array, i);
    if (!to_item(L, t))
      return false;
    if (operation_matches(L, filter))
      lua_rawseti(L, SLOT_TABLE, ++kept);
  }
  return true;
}
