/* host.c - unit program of csrc/host.c: whose turn it is. */
#include "cpp.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

enum { MANY = 100 };

static struct client client;
static struct request requests[MANY];

static struct request *request(int i, struct host *host) {
  memset(&requests[i], 0, sizeof requests[i]);
  requests[i].client = &client;
  requests[i].host = host;
  host_enqueue(&requests[i]);
  return &requests[i];
}

static void test_order(void) {
  struct host *h = host_of(&client, "https://a.example");
  struct request *first = request(0, h), *second = request(1, h),
                 *third = request(2, h);
  CHECK(h->first == first && h->last == third && second->place == QUEUED);
  host_depart(second);
  CHECK(second->place == NOWHERE && !second->host);
  host_add(h->first);
  CHECK(h->first == third && first->place == ADDED);
  CHECK(h->flying == 1 && h->unstarted == 1);
  host_depart(third);
  CHECK(!h->first && !h->last);
  client.vacancy = false;
  host_start(first, 0);
  host_start(first, '1');
  CHECK(h->flying == 1 && h->unstarted == 0 && h->spoken == '1');
  host_depart(first);
  host_depart(first);
  CHECK(h->flying == 0 && !client.vacancy);
  first = request(0, h);
  second = request(1, h);
  host_add(first);
  host_start(first, 0);
  CHECK(client.vacancy);
  client.vacancy = false;
  host_depart(first);
  CHECK(client.vacancy);
  host_depart(second);
}

static void test_room(void) {
  struct host h = {0};
  h.flying = h.unstarted = 15;
  CHECK(host_has_room(&h, 1) && host_has_room(&h, 40));
  h.flying = h.unstarted = 16;
  CHECK(!host_has_room(&h, 1) && host_has_room(&h, 40));
  h.spoken = '2';
  h.unstarted = 0;
  h.flying = 5000;
  CHECK(host_has_room(&h, 1));
  h.spoken = '1';
  CHECK(!host_has_room(&h, 5000) && host_has_room(&h, 5001));
}

/* One that nothing is under way to may be forgotten, no other. */
static void test_many(void) {
  struct host *busy = host_of(&client, "https://busy.example");
  struct request *r = request(0, busy);
  char origin[40];
  for (int i = 0; i < 1000; i++) {
    sprintf(origin, "https://%d.example", i);
    CHECK(host_of(&client, origin) == client.hosts);
  }
  CHECK(client.hosted <= 33);
  CHECK(host_of(&client, "https://busy.example") == busy);
  host_add(r);
  host_depart(r);
  hosts_free(&client);
  CHECK(!client.hosts && client.hosted == 0);
}

int main(void) {
  test_order();
  test_room();
  test_many();
  return report();
}
