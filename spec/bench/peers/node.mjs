// Node's fetch, or undici's request (npm): node node.mjs fetch|undici
// BENCH_FLIGHT requests at a time.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { BENCH_URL: url, BENCH_TOKEN: token, BENCH_CA: ca } = process.env;
const polls = Number(process.env.BENCH_POLLS);
const flight = Number(process.env.BENCH_FLIGHT ?? 1);
const operations = Number(process.env.BENCH_OPERATIONS ?? 1);

// fetch takes its authorities from NODE_EXTRA_CA_CERTS.
function undici() {
  const { Agent, request } = createRequire(process.env.BENCH_NODE + "/")("undici");
  const connect = ca ? { ca: readFileSync(ca) } : {};
  const allowH2 = process.env.BENCH_HTTP === "2";
  const dispatcher = new Agent({ connect, allowH2, connections: flight });
  return async (url, options) => {
    const { statusCode, body } = await request(url, { ...options, dispatcher });
    return { status: statusCode, json: () => body.json() };
  };
}

const get = process.argv[2] === "undici" ? undici() : fetch;

async function poll(i) {
  const number = String(i % operations).padStart(12, "0");
  const answer = await get(url.replace("000000000000", number), {
    headers: {
      authorization: "Bearer " + token,
      "x-ms-client-request-id":
        "9781644a-4f8d-4000-8000-" + String(i).padStart(12, "0"),
      accept: "application/json",
    },
  });
  const document = await answer.json();
  if (answer.status !== 200 || document.status !== "running")
    throw new Error("this is not the document");
}

async function run(count) {
  let next = 0;
  const work = async () => {
    while (next < count) await poll(next++);
  };
  await Promise.all(Array.from({ length: flight }, work));
}

await run(Math.max(10, flight));
const wall = process.hrtime.bigint();
const cpu = process.cpuUsage();
await run(polls);
const { user, system } = process.cpuUsage(cpu);
const seconds = Number(process.hrtime.bigint() - wall) / 1e9;
console.log(polls, seconds.toFixed(6), ((user + system) / 1e6).toFixed(6));
process.exit();
