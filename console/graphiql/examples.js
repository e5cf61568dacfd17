// The tabs that a first visit finds: one walk, from the alert to the retry.
"use strict";

const examples = [
  {
    // Its input is written out: GraphiQL 4 does not show the variables of the first default tab.
    query: `# An alert comes in. What this answers is stored;
# the deliveries follow at once.
mutation Raise {
  raiseAlert(input: {
    behaviorModel: "Impossible travel"
    summary: "jdoe logged in from two continents within an hour"
    behavior: "account login"
    key: "jdoe"
    keyType: "username"
    severity: HIGH
    riskScore: 4200
    risks: ["impossible-travel"]
    attributes: { countries: ["US", "SG"] }
  }) {
    alertId
    ticketNumber
    ticketStatus
    deliveryCount
    isRepeat
    userErrors { code message path }
  }
}
`,
  },
  {
    query: `# What is not closed yet, the newest first.
# Subscribe after ledgerCursor and miss nothing.
query Board($after: String) {
  tickets(first: 20, after: $after, filter: { statuses: [OPEN, ACKNOWLEDGED] }) {
    ledgerCursor
    nodes {
      id
      number
      title
      status
      severity
      key
      alertCount
      openedAt
      links { actorName externalId state }
    }
    pageInfo { hasNextPage endCursor }
  }
}
`,
  },
  {
    query: `# Every change of a ticket's status as it happens.
# With after, first what came since that cursor.
subscription Watch($after: String) {
  ticketStatusChanged(after: $after) {
    cursor
    at
    kind
    statusBefore
    status
    by { kind name }
    ticket { number title severity }
  }
}
`,
  },
  {
    query: `# A Slack workspace to send to. Secrets never come out again.
# actorTypes { name actorSchema setupHelp } says what each type needs.
mutation CreateSlackActor($botToken: String!) {
  createActor(input: {
    type: "slack"
    name: "Slack"
    secrets: { botToken: $botToken }
  }) {
    actor {
      id
      name
      secrets { field isSet }
      health { status lastError }
    }
    userErrors { code message path }
  }
}
`,
    variables: `{ "botToken": "xoxb-your-token" }
`,
  },
  {
    query: `# What was given up goes out again, as it was promised.
mutation RetryFailed($input: RetryDeliveriesInput!) {
  retryDeliveries(input: $input) {
    affected
    deliveries { id apiConfigName status nextAttemptAt }
    userErrors { code message path }
  }
}
`,
    variables: `{
  "input": { "filter": { "statuses": ["FAILED"] } }
}
`,
  },
];
