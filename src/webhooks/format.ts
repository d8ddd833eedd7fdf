/**
 * What a webhook's body says, in the three forms that receivers understand: the CloudEvent itself
 * (https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/http-protocol-binding.md, structured mode), a Slack
 * message (https://api.slack.com/messaging/webhooks), a PagerDuty event
 * (https://developer.pagerduty.com/docs/events-api-v2-overview).
 */
import type { FeedEvent } from "../wire/event.ts";

export const FORMATS = ["cloudevents", "slack", "pagerduty"] as const;
export type Format = (typeof FORMATS)[number];

/** An event as the feed keeps it, with what the formats show of it. */
export type ToldEvent = FeedEvent & {
  data: { anomaly_id?: string; summary?: string; url?: string; started_at?: string; ended_at?: string };
};

export interface Body {
  contentType: string;
  text: string;
}

/** Slack cuts longer texts by itself, without a word. */
const SLACK_TEXT_MAX = 2_900;
const PAGERDUTY_SUMMARY_MAX = 1_024;
const COLOURS = { info: "#5b7083", warning: "#b7791f", critical: "#c53030" };

/** `routingKey`: of PagerDuty, which has it in the body. */
export function bodyOf(format: Format, event: ToldEvent, routingKey: string | undefined): Body {
  switch (format) {
    case "cloudevents":
      return { contentType: "application/cloudevents+json; charset=utf-8", text: JSON.stringify(event) };
    case "slack":
      return json(slack(event));
    case "pagerduty":
      return json(pagerduty(event, routingKey ?? ""));
  }
}

function json(value: unknown): Body {
  return { contentType: "application/json; charset=utf-8", text: JSON.stringify(value) };
}

function siteOf({ source }: ToldEvent): string {
  return source.slice("/sites/".length);
}

/** `hellotide.anomaly.raised` → `raised`. */
function stepOf({ type }: ToldEvent): string {
  return type.slice(type.lastIndexOf(".") + 1);
}

/** Links of events are relative where nobody said what the service's address is: useless elsewhere. */
function linkOf({ data }: ToldEvent): string | undefined {
  return data.url !== undefined && /^https?:\/\//.test(data.url) ? data.url : undefined;
}

function headline(event: ToldEvent): string {
  const { kind, severity } = event.data;
  return `${severity} ${kind} ${stepOf(event)} on ${siteOf(event)}: ${event.subject}`;
}

function slack(event: ToldEvent): object {
  const title = slackText(headline(event));
  const summary = slackText(event.data.summary ?? "").slice(0, SLACK_TEXT_MAX);
  const link = linkOf(event);
  const linked = link === undefined ? `*${title}*` : `*<${slackText(link)}|${title}>*`;
  const text = summary === "" ? linked : `${linked}\n${summary}`;
  return {
    text: `${title}${summary === "" ? "" : ` – ${summary}`}`,
    attachments: [
      {
        color: stepOf(event) === "cleared" ? "#2f855a" : COLOURS[event.data.severity],
        blocks: [{ type: "section", text: { type: "mrkdwn", text } }],
      },
    ],
  };
}

/**
 * The three characters that Slack reads as markup (https://api.slack.com/reference/surfaces/formatting#escaping). Paths and
 * agents in a summary come from attackers: unescaped, `<!channel>` would call everybody.
 */
function slackText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function pagerduty(event: ToldEvent, routingKey: string): object {
  const { data } = event;
  const link = linkOf(event);
  const summary = `${headline(event)}${data.summary === undefined ? "" : ` – ${data.summary}`}`;
  return {
    routing_key: routingKey,
    // One incident an episode: raised and updated trigger it, cleared resolves it.
    event_action: stepOf(event) === "cleared" ? "resolve" : "trigger",
    dedup_key: `${siteOf(event)}/${data.anomaly_id ?? event.id}`,
    payload: {
      summary: summary.slice(0, PAGERDUTY_SUMMARY_MAX),
      source: siteOf(event),
      severity: data.severity,
      timestamp: event.time,
      component: event.subject,
      class: data.kind,
      custom_details: data,
    },
    client: "HelloTide",
    ...(link === undefined ? {} : { client_url: link, links: [{ href: link, text: "In HelloTide" }] }),
  };
}
