// Starts GraphiQL against /graphql of the server that served this page, and
// hands it the token of the bar: as a header, and in connection_init.
"use strict";

const { createElement, useMemo, useState, useEffect } = React;

// Only sessionStorage is used, by GraphiQL too: the token, and secrets typed as
// variables, are gone with the tab.
const kept = "tocsin.token";

const endpoint = new URL("/graphql", location.href);
const socket = new URL(endpoint);
socket.protocol = location.protocol === "https:" ? "wss:" : "ws:";

// The link of a ticket leads here, with the ticket's id behind the #.
const ticket = new URLSearchParams(location.hash.slice(1)).get("ticket");

const ticketTab = {
  query: `query Ticket {
  ticket(id: ${JSON.stringify(ticket)}) {
    number
    title
    status
    severity
    key
    openedAt
    acknowledgedBy { name }
    closedBy { name }
    alerts(first: 10) { nodes { summary severity receivedAt attributes } }
    events(first: 20) { nodes { at kind status by { name } text } }
    deliveries(first: 10) { nodes { apiConfigName status reason } }
  }
}
`,
};

function fetcherFor(token) {
  const authorization = token && `Bearer ${token}`;
  return GraphiQL.createFetcher({
    url: endpoint.href,
    subscriptionUrl: socket.href,
    headers: token ? { Authorization: authorization } : {},
    wsConnectionParams: token ? { authorization } : {},
    enableIncrementalDelivery: false,
  });
}

function App() {
  const [token, setToken] = useState(() => sessionStorage.getItem(kept) ?? "");
  // A new fetcher makes GraphiQL ask for the schema again.
  const fetcher = useMemo(() => fetcherFor(token), [token]);
  useEffect(() => wireBar(token, setToken), [token]);
  return createElement(GraphiQL, {
    fetcher,
    defaultTabs: ticket ? [ticketTab, ...examples] : examples,
    defaultEditorToolsVisibility: "variables",
    storage: sessionStorage,
  });
}

// wireBar shows the token in use and listens for another; it returns how to stop.
function wireBar(token, setToken) {
  const bar = document.getElementById("bar");
  const field = document.getElementById("token");
  field.value = token;
  document.getElementById("state").value = token
    ? ""
    : "No token yet: paste one, or the server refuses what you ask.";
  const submit = (event) => {
    event.preventDefault();
    sessionStorage.setItem(kept, field.value.trim());
    setToken(field.value.trim());
  };
  bar.addEventListener("submit", submit);
  return () => bar.removeEventListener("submit", submit);
}

ReactDOM.createRoot(document.getElementById("graphiql")).render(createElement(App));
