// Runs graphql-http's audits, graphql-ws and graphql-sse against the real
// program: node wire.mjs PATH. Ends with 1 when anything is not as it must be.
import { auditServer } from 'graphql-http';
import { createClient as overSSE } from 'graphql-sse';
import { createClient as overWS } from 'graphql-ws';
import WebSocket from 'ws';
import { start } from './program.mjs';

const program = await start(process.argv[2]);
const { url, token } = program;
const auth = { authorization: `Bearer ${token}` };
const wsURL = url.replace('http', 'ws');
let good = 0;
let all = 0;

function check(name, ok, seen) {
  all++;
  if (ok) good++;
  else console.log(`not as it must be: ${name}: ${JSON.stringify(seen)}`);
}

function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`${what} did not come`)), 20_000); });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function post(query, variables) {
  const response = await fetch(url, { method: 'POST', headers: { ...auth, 'content-type': 'application/json' }, body: JSON.stringify({ query, variables }) });
  return response.json();
}

// one is what comes of an operation: its last answer, or why it failed.
function one(client, query, variables) {
  return within(new Promise((resolve) => {
    let last;
    client.subscribe({ query, variables }, { next: (answer) => { last = answer; }, error: (errors) => resolve({ errors }), complete: () => resolve(last) });
  }), query);
}

const opened = 'subscription($after: String) { ticketEvents(after: $after, kinds: [OPENED]) { cursor ticket { key } } }';
const head = async () => (await post('{ ledgerCursor }')).data.ledgerCursor;
const raise = (key) => post('mutation($key: String) { raiseAlert(input: {behaviorModel: "m", summary: "s", key: $key}) { ticketId } }', { key });

// follow resolves to so many events after a cursor, and then to what stops it.
function follow(client, after, count) {
  const seen = [];
  let stop;
  const enough = new Promise((resolve, reject) => {
    stop = client.subscribe({ query: opened, variables: { after } }, {
      next: ({ data }) => { if (seen.push(data.ticketEvents) === count) resolve(seen); }, error: reject, complete() {},
    });
  });
  return within(enough, 'the stream').then(() => ({ seen, stop }));
}

async function walk(name, client) {
  check(`${name}: a query`, (await one(client, '{ viewer { name } }')).data?.viewer);
  const partial = await one(client, '{ viewer { name } behaviorModel { id } }');
  check(`${name}: a part of an answer`, partial.data?.viewer && partial.errors?.length === 1, partial);
  const wrong = await one(client, '{ nothing }');
  check(`${name}: a document that is not valid`, wrong.errors?.[0].extensions.code === 'VALIDATION_FAILED', wrong);
  const stream = follow(client, await head(), 3);
  for (const key of ['a', 'b', 'c']) await raise(name + key);
  const { seen, stop } = await stream;
  check(`${name}: a stream`, seen.map((e) => e.ticket.key).join() === ['a', 'b', 'c'].map((key) => name + key).join(), seen);
  stop();
  await raise(`${name}d`);
  const again = await follow(client, seen[1].cursor, 2);
  check(`${name}: going on after a cursor`, again.seen.map((e) => e.ticket.key).join() === `${name}c,${name}d`, again.seen);
  check(`${name}: silence after the stop`, seen.length === 3, seen);
  again.stop();
  const many = await Promise.all(Array.from({ length: 20 }, (_, i) => one(client, 'query($n: Int) { tickets(first: $n) { nodes { key } } }', { n: i + 1 })));
  check(`${name}: 20 at once`, many.every((answer) => answer.data?.tickets.nodes.length > 0), many);
}

try {
  for (const audit of await auditServer({ url, fetchFn: (to, options = {}) => fetch(to, { ...options, headers: { ...options.headers, ...auth } }) })) {
    check(`audit ${audit.id} ${audit.name}`, audit.status === 'ok', audit.reason);
  }
  const made = await post('mutation { createApiConfig(input: {actorType: "notification"}) { apiConfig { id } } }');
  await post('mutation($c: [ID!]!) { createAction(input: {name: "all", allModels: true, apiConfigIds: $c}) { action { id } } }', { c: [made.data.createApiConfig.apiConfig.id] });
  const ws = overWS({ url: wsURL, webSocketImpl: WebSocket, connectionParams: auth, retryAttempts: 0 });
  await walk('graphql-ws', ws);
  await ws.dispose();
  await walk('graphql-sse', overSSE({ url, headers: auth, retryAttempts: 0 }));

  let tries = 0; // of a client that has a wrong token, with its own settings
  const fail = new Promise((resolve) => {
    overWS({ url: wsURL, webSocketImpl: WebSocket, connectionParams: { authorization: 'Bearer wrong' }, retryAttempts: 1, on: { opened: () => { tries++; } } })
      .subscribe({ query: '{ viewer { name } }' }, { next() {}, error: resolve, complete() {} });
  });
  const refused = await within(fail, 'the refusal');
  check('graphql-ws: a wrong token', refused.code === 4403 && tries === 2, [refused.code, tries]);
} finally {
  await program.stop();
}
console.log(`${good} of ${all} as they must be`);
process.exit(good === all ? 0 : 1);
