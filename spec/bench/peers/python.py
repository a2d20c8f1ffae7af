"""Python's http.client, or requests: python.py http_client|requests
BENCH_FLIGHT threads, each with a connection that it keeps."""
import http.client
import itertools
import json
import os
import ssl
import sys
import threading
import time
import urllib.parse

URL = os.environ["BENCH_URL"]
CA = os.environ.get("BENCH_CA")
POLLS = int(os.environ["BENCH_POLLS"])
FLIGHT = int(os.environ.get("BENCH_FLIGHT", 1))
OPERATIONS = int(os.environ.get("BENCH_OPERATIONS", 1))


def http_client():
    parts = urllib.parse.urlsplit(URL)
    if CA:
        context = ssl.create_default_context(cafile=CA)
        connection = http.client.HTTPSConnection(parts.netloc, context=context)
    else:
        connection = http.client.HTTPConnection(parts.netloc)

    def get(url, headers):
        connection.request("GET", url[url.index("/api"):], headers=headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    return get


def requests():
    import requests

    session = requests.Session()

    def get(url, headers):
        answer = session.get(url, headers=headers, verify=CA or True)
        return answer.status_code, answer.json()

    return get


def poll(get, number):
    status, document = get(
        URL.replace("0" * 12, "%012d" % (number % OPERATIONS)),
        {
            "Authorization": "Bearer " + os.environ["BENCH_TOKEN"],
            "x-ms-client-request-id": "9781644a-4f8d-4000-8000-%012d" % number,
            "Accept": "application/json",
        },
    )
    assert status == 200 and document["status"] == "running"


def run(gets, count):
    numbers = itertools.count()

    def work(get):
        while (number := next(numbers)) < count:
            poll(get, number)

    if len(gets) == 1:
        return work(gets[0])
    threads = [threading.Thread(target=work, args=(get,)) for get in gets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


gets = [globals()[sys.argv[1]]() for _ in range(FLIGHT)]
run(gets, max(10, FLIGHT))
wall, cpu = time.monotonic(), time.process_time()
run(gets, POLLS)
print(POLLS, "%.6f" % (time.monotonic() - wall), "%.6f" % (time.process_time() - cpu))
