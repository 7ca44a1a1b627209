/* SPDX-License-Identifier: Apache-2.0 */
/* types.c - the tables that scripts give and get, for the reference and the
 * editors. Plain tables all of them: nothing here is called. */
#include "script/api/modules.h"
#include <stddef.h>

#define FIELD(name, type, doc)                                                 \
    {                                                                          \
        name, NULL, 0, API_FIELD, type, doc, "1"                               \
    }
#define END                                                                    \
    {                                                                          \
        NULL, NULL, 0, 0, NULL, NULL, NULL                                     \
    }

/* --- what a file returns -------------------------------------------------- */

static const struct api_call rule[] = {
    FIELD("api", "1", "Must be there."),
    FIELD("priority", "integer|nil",
          "Low ones are asked first. Without it: the number in front of the "
          "file's name, else 50."),
    FIELD("match", "Match|nil",
          "Which events it wants, as data that is asked without running Lua. "
          "Without it: all."),
    FIELD("on_inbound", "nil|fun(conv: Conversation, msg: Message): Decision?",
          "A visitor's message, before it is stored. May change, reject and "
          "tag."),
    FIELD("on_message", "nil|fun(conv: Conversation, msg: Message): Decision?",
          "A visitor's message has come."),
    FIELD("on_send", "nil|fun(conv: Conversation, msg: Message): Decision?",
          "An agent's or a script's message, before it is stored. May change "
          "and reject."),
    FIELD("on_assign", "nil|fun(conv: Conversation, agent: Agent?)",
          "It was given to this agent, or taken from one (nil)."),
    FIELD("on_queue", "nil|fun(conv: Conversation, position: integer)",
          "It began to wait in the queue."),
    FIELD("on_close",
          "nil|fun(conv: Conversation, how: { by: \"agent\"|\"visitor\"|"
          "\"bot\"|\"system\", agent?: string })",
          "It was closed; by whom."),
    FIELD("on_timer",
          "nil|fun(conv: Conversation?, name: string, data: any): Decision?",
          "An alarm of conv:after is due; on_timer(nil, \"every\") with every, "
          "on_timer(nil, \"cron\") with cron."),
    FIELD("on_event", "nil|fun(conv: Conversation?, event: table)",
          "One of the events listed in `events` has happened."),
    FIELD("on_conversation",
          "nil|fun(conv: Conversation, what: "
          "\"created\"|\"assigned\"|\"closed\"): Decision?",
          "The older form of on_assign and on_close, and the one that hears of "
          "new conversations."),
    FIELD("every", "Duration|nil",
          "Runs on_timer(nil, \"every\") that often; at least \"1s\"."),
    FIELD("cron", "string|nil",
          "Runs on_timer(nil, \"cron\") at these minutes: \"0 9 * * 1-5\" is "
          "9:00 from Monday to Friday."),
    FIELD("zone", "string|nil",
          "The time zone of cron; default: the server's."),
    FIELD("events", "string[]|nil",
          "Which events on_event wants, e.g. { \"contact.updated\" }."),
    FIELD("deadline", "Duration|nil",
          "How long this rule may take to decide before the default places "
          "the conversation; at most \"30s\"."),
    FIELD("limits", "Limits|nil", "Its own limits, below the house's."),
    FIELD("canary", "integer|Canary|nil",
          "A new version serves this percentage of new conversations first, "
          "and is compared with the old one."),
    FIELD("pin", "boolean|nil",
          "Running conversations stay on the version they began with."),
    FIELD("on_failure", "\"pass\"|\"reject\"|nil",
          "\"reject\": a message that on_inbound or on_send could not check "
          "(it failed, was stopped, took too long, is switched off) is "
          "refused. Else it passes as it is."),
    END};
const struct api_module rule_module = {
    .name = "Rule",
    .doc = "What a file below scripts/rules returns.",
    .calls = rule,
    .is_object = true};

static const struct api_call flow_file[] = {
    FIELD("api", "1", "Must be there."),
    FIELD("title", "string|nil", "For people who read the file."),
    FIELD("run", "nil|fun(conv: Conversation, args: any)",
          "The flow as straight code; see docs/author/flows.md for what that "
          "asks."),
    FIELD("states", "table|nil",
          "In place of run: what flow.states gave, a machine of states."),
    FIELD("limits", "Limits|nil", "Its own limits."),
    END};
const struct api_module flow_file_module = {
    .name = "Flow",
    .doc = "What a file below scripts/flows returns, beside the hooks of a "
           "Rule.",
    .calls = flow_file,
    .is_object = true};

static const struct api_call channel[] = {
    FIELD("api", "1", "Must be there."),
    FIELD("title", "string|table<string, string>|nil",
          "What people call it, by language: { zh = ..., en = ... }."),
    FIELD("schema", "table<string, any>",
          "Its settings: { app_id = \"string\", secret = \"secret\" }."),
    FIELD("capabilities", "table<string, any>|nil",
          "What the platform can do: { text = 600, kinds = { \"text\", "
          "\"image\" }, image = \"10MB\", buttons = 10 }; what it cannot show "
          "comes as text."),
    FIELD("limits", "Limits|nil", "Its own limits."),
    FIELD("receive",
          "nil|fun(req: WebhookRequest, ctx: Context): integer, any, table?",
          "A webhook has come; gives the answer's status, body, headers."),
    FIELD("send", "nil|fun(item: OutgoingItem, ctx: Context): Sent",
          "One message out."),
    FIELD("push", "nil|fun(item: OutgoingItem, ctx: Context): Sent",
          "Of a channel whose visitors come by the socket: nobody was there to "
          "take these messages, tell them."),
    FIELD("typing",
          "nil|fun(item: { to: string, conversation: string }, ctx: "
          "Context)",
          "An agent or a bot is about to answer: every few seconds while they "
          "do, never again when it fails."),
    FIELD("passive",
          "nil|fun(item: OutgoingItem, req: WebhookRequest, ctx: Context): "
          "{ body: string, type: string? }|nil",
          "The message as the answer to a webhook that waits for it "
          "(Delivery.hold): its body and content type. nil: send it instead."),
    FIELD("recall",
          "nil|fun(item: { id: string, to: string, sent: string, attempt: "
          "integer }, ctx: Context): { recalled: true }|{ retry: number, "
          "why?: string }|{ failed: string, why?: string }",
          "A message that was sent is taken back: `sent` is what send() "
          "returned."),
    FIELD("poll", "nil|fun(ctx: Context)",
          "For a platform that must be asked."),
    FIELD("check", "nil|fun(config: table, ctx: Context): true|nil, string?",
          "Is this configuration right? true, or nil and why not."),
    END};
const struct api_module channel_module = {
    .name = "Channel",
    .doc = "What an adapter below channels/ returns.",
    .calls = channel,
    .is_object = true};

static const struct api_call connector_file[] = {
    FIELD("api", "1", "Must be there."),
    FIELD("title", "string|table<string, string>|nil",
          "What people call it, by language: { zh = ..., en = ... }."),
    FIELD("schema", "table<string, any>",
          "Its settings: { base = \"string\", key = \"secret\" }."),
    FIELD("capabilities", "table<string, any>|nil",
          "What the provider can do: { stream = true, tools = true, embed = "
          "true, files = true, json = true, state = true }."),
    FIELD("timeout", "{ connect?: string, first?: string, total?: string }|nil",
          "How long a call may take: to the connection, to the answer's first "
          "word, in all. An assistant's own settings count more."),
    FIELD("limits", "Limits|nil", "Its own limits."),
    FIELD("ask",
          "nil|fun(turn: Turn, ctx: AskContext): true|nil, string?, string?, "
          "number?",
          "One turn. true, or nil, class, detail, seconds; class is one of "
          "unauthorized rate_limited unavailable timeout too_long refused "
          "bad_request broken cancelled."),
    FIELD("embed",
          "nil|fun(texts: string[], ctx: AskContext): number[][]|nil, string?, "
          "string?",
          "Vectors of texts."),
    FIELD("check",
          "nil|fun(config: table, ctx: AskContext): true|nil, string?, string?",
          "Is this configuration right? true, or nil, code, sentence."),
    END};
const struct api_module connector_file_module = {
    .name = "Assistant",
    .doc = "What a connector below ai/ returns.",
    .calls = connector_file,
    .is_object = true};

static const struct api_call tool_file[] = {
    FIELD("api", "1", "Must be there."),
    FIELD("title", "string|table<string, string>|nil", "For people."),
    FIELD("description", "string", "What the model is told of it."),
    FIELD("parameters", "table", "A JSON schema of its arguments."),
    FIELD("permission", "\"bot\"|\"agent\"|nil",
          "Who may have it called: a bot by itself, or only an agent's "
          "co-pilot. \"bot\" if not given."),
    FIELD("confirm", "boolean|\"visitor\"|\"agent\"|table|nil",
          "Whose word it needs before it runs; true is the visitor's. As a "
          "table: { by = \"agent\", zh =, en = }, with the question in words, "
          "{no} standing for the argument of that name."),
    FIELD("limits", "Limits|nil", "Its own limits."),
    FIELD("run", "fun(args: table, ctx: table): any, string?, string?",
          "A table or a text for the model, or nil, code, detail."),
    END};
const struct api_module tool_file_module = {
    .name = "Tool",
    .doc = "What a file below ai/tools returns.",
    .calls = tool_file,
    .is_object = true};

static const struct api_call sent[] = {
    FIELD("sent", "string|nil", "It went out; the platform's id of it."),
    FIELD("retry", "number|nil", "Not now: again after so many seconds."),
    FIELD("until_heard", "boolean|nil",
          "With retry: the platform works, but takes no more for this visitor "
          "before they write; then it is tried at once."),
    FIELD("failed", "string|nil", "Never: a code such as \"window_closed\"."),
    FIELD("why", "string|nil", "A sentence for people, with retry and failed."),
    END};
const struct api_module sent_module = {
    .name = "Sent",
    .doc = "What became of a message that a channel was to send: sent, retry "
           "or failed.",
    .calls = sent,
    .is_object = true};

static const struct api_call canary[] = {
    FIELD("share", "integer", "Percent of the new conversations."),
    FIELD("conversations", "integer|nil", "Decide after so many of them."),
    FIELD("for_", "Duration|nil", "Decide after that time at the latest."),
    FIELD("errors", "number|nil",
          "So many percent points more errors are still good."),
    FIELD("slower", "number|nil", "A call may take that many times as long."),
    FIELD("handovers", "number|nil",
          "Percent points more or less handed over to people."),
    END};
const struct api_module canary_module = {.name = "Canary",
                                         .doc = "How a new version is tried.",
                                         .calls = canary,
                                         .is_object = true};

static const struct api_call match[] = {
    FIELD("text", "string|string[]|nil",
          "Any of the words is in the message, anywhere; \"Refund\" finds "
          "\"REFUND\"."),
    FIELD("kind", "Kind|Kind[]|nil", "The message's kind."),
    FIELD("channel", "string|string[]|nil",
          "The channel's id or its type (web, http ...)."),
    FIELD("tier", "string|string[]|nil", "The contact's tier."),
    FIELD("state", "State|State[]|nil", "The conversation's state."),
    FIELD("holder", "\"bot\"|\"assistant\"|\"agent\"|nil",
          "\"bot\": nobody answers yet; \"assistant\": a model does; "
          "\"agent\": a person does."),
    FIELD("first", "boolean|nil",
          "true: only the first message of a conversation."),
    END};
const struct api_module match_module = {
    .name = "Match",
    .doc = "What a rule wants to see. All parts must fit. text, kind and first "
           "count for messages only; a timer is for its own rule, whatever "
           "stands here.",
    .calls = match,
    .is_object = true};

static const struct api_call limits[] = {
    FIELD("cpu", "Duration|nil", "CPU time between two waits, e.g. \"20ms\"."),
    FIELD("wall", "Duration|nil", "A handler's whole time, waits included."),
    FIELD("memory", "string|nil", "E.g. \"8MB\" or \"512KB\"."),
    FIELD("http", "integer|nil", "HTTP calls of one handler."),
    FIELD("effects", "integer|nil", "Effects of one event."),
    END};
const struct api_module limits_module = {
    .name = "Limits",
    .doc = "A rule's own limits. One above the house's is the house's.",
    .calls = limits,
    .is_object = true};

/* --- messages ------------------------------------------------------------- */

static const struct api_call body[] = {
    FIELD("kind", "Kind", "Says which of the others count."),
    FIELD("text", "string|nil",
          "text: what is said, at most 16 KiB. The others: a caption."),
    FIELD("file", "string|nil",
          "image, file, audio, video: the id of an uploaded file."),
    FIELD("name", "string|nil", "image, file, audio, video: the file's name."),
    FIELD("lat", "number|nil", "location: degrees north."),
    FIELD("lng", "number|nil", "location: degrees east."),
    FIELD("label", "string|nil", "location: its name."),
    FIELD("address", "string|nil", "location: the address."),
    FIELD("card", "Card|nil", "card: what it shows."),
    END};
const struct api_module body_module = {
    .name = "Body",
    .doc = "What is said: conv:reply takes one; a Message has the same fields.",
    .calls = body,
    .is_object = true};

static const struct api_call card[] = {
    FIELD("title", "string|nil", "In bold, on top."),
    FIELD("text", "string|nil", "Below it."),
    FIELD("image", "string|nil", "The URL of a picture."),
    FIELD("url", "string|nil", "Opened by a click on the card."),
    FIELD("buttons", "Button[]|nil", "At most 10."),
    END};
const struct api_module card_module = {
    .name = "Card",
    .doc = "A card with buttons; made by message.card.",
    .calls = card,
    .is_object = true};

static const struct api_call button[] = {
    FIELD("label", "string", "What stands on it."),
    FIELD("value", "string|nil", "What the visitor says by pressing it."),
    FIELD("url", "string|nil", "Opened by pressing it; in place of value."),
    END};
const struct api_module button_module = {.name = "Button",
                                         .doc = "A button of a card.",
                                         .calls = button,
                                         .is_object = true};

/* --- people --------------------------------------------------------------- */

static const struct api_call conversation_record[] = {
    FIELD("id", "string", "\"cv_...\"."),
    FIELD("state", "State", "Who has it."),
    FIELD("channel", "{ id: string, type: string }", "Where it comes from."),
    FIELD("contact", "Contact", "The person; in lists only id, name and tier."),
    FIELD("assignee", "string|nil", "The agent's id."),
    FIELD("team", "string|nil", "The team's id."),
    FIELD("priority", "integer", "0 is normal."),
    FIELD("tags", "string[]", "Its tags."),
    FIELD("attributes", "table<string, any>", "What conv:set remembered."),
    FIELD("last_seq", "integer", "Number of the last message."),
    FIELD("unread", "integer", "Messages no agent has seen."),
    FIELD("preview", "string|nil", "How its last message begins."),
    FIELD("last_at", "integer|nil", "When that was, ms since 1970."),
    FIELD("created_at", "integer", "Ms since 1970."),
    FIELD("closed_at", "integer|nil", "Ms since 1970."),
    END};
const struct api_module conversation_record_module = {
    .name = "ConversationRecord",
    .doc = "A conversation as it is on disk: a plain table, without methods.",
    .calls = conversation_record,
    .is_object = true};

static const struct api_call contact[] = {
    FIELD("id", "string", "\"ct_...\"."),
    FIELD("user_id", "string|nil", "As the shop or the platform names them."),
    FIELD("name", "string|nil", "What they are called."),
    FIELD("email", "string|nil", "Their e-mail address."),
    FIELD("phone", "string|nil", "Their telephone number."),
    FIELD("tier", "string|nil", "E.g. \"vip\"."),
    FIELD("tags", "string[]", "What was noted about them."),
    FIELD("attributes", "table<string, any>", "What the shop tells of them."),
    END};
const struct api_module contact_module = {
    .name = "Contact",
    .doc = "A person who writes to us. What is not known is nil.",
    .calls = contact,
    .is_object = true};

static const struct api_call contact_change[] = {
    FIELD("name", "string|nil", "What they are called."),
    FIELD("email", "string|nil", "Their e-mail address."),
    FIELD("phone", "string|nil", "Their telephone number."),
    FIELD("tier", "string|nil", "E.g. \"vip\"."),
    FIELD("tags", "string[]|nil", "The whole list."),
    FIELD("attributes", "table<string, any>|nil",
          "Merged with what is there; json.null takes one away."),
    END};
const struct api_module contact_change_module = {
    .name = "ContactChange",
    .doc = "What conv:set_contact changes.",
    .calls = contact_change,
    .is_object = true};

static const struct api_call agent[] = {
    FIELD("id", "string", "\"ag_...\"."),
    FIELD("name", "string", "As visitors see it."),
    FIELD("email", "string", "The one they log in with."),
    FIELD("status", "\"online\"|\"busy\"|\"away\"|\"offline\"", "At the time."),
    FIELD("load", "integer", "Conversations they hold."),
    FIELD("max_load", "integer", "How many they can hold."),
    FIELD("skills", "string[]", "What they can do."),
    END};
const struct api_module agent_module = {.name = "Agent",
                                        .doc = "Somebody who answers.",
                                        .calls = agent,
                                        .is_object = true};

static const struct api_call agent_filter[] = {
    FIELD("id", "string|nil", "Their id."),
    FIELD("email", "string|nil", "The one they log in with."),
    FIELD("name", "string|nil", "As visitors see it."),
    FIELD("skill", "string|nil", "One of their skills."),
    FIELD("team", "string|nil", "A team they are in; its name or id."),
    FIELD("status", "\"online\"|\"busy\"|\"away\"|\"offline\"|nil",
          "Their status."),
    FIELD("room", "boolean|nil", "true: can hold one more conversation."),
    END};
const struct api_module agent_filter_module = {
    .name = "AgentFilter",
    .doc = "Conditions for agents; all must apply.",
    .calls = agent_filter,
    .is_object = true};

static const struct api_call team[] = {
    FIELD("id", "string", "\"tm_...\"."), FIELD("name", "string", "Its name."),
    FIELD("members", "string[]", "The agents' ids."),
    FIELD("waiting", "integer", "Conversations in its queue."), END};
const struct api_module team_module = {
    .name = "Team", .doc = "Agents by name.", .calls = team, .is_object = true};

static const struct api_call assignment[] = {
    FIELD("agent", "string|nil", "An agent's id or e-mail address."),
    FIELD("team", "string|nil", "A team's id or name."),
    FIELD("ai", "string|nil",
          "An assistant's name: it holds the conversation and answers each "
          "message of the visitor, until a person takes over."),
    FIELD("queue", "boolean|nil", "true: wait for anybody."),
    FIELD("within", "Duration|nil",
          "So long (\"1s\" to \"1d\") whoever gets it has to read or answer: "
          "then another one of the team gets it, else anybody with room; with "
          "nobody else it stays. Who waits in a team's queue waits for anybody "
          "from then on."),
    FIELD("pick", "\"least_busy\"|\"round_robin\"|nil",
          "How one of several is chosen."),
    FIELD("note", "string|nil", "A private note for whoever gets it."),
    END};
const struct api_module assignment_module = {.name = "Assignment",
                                             .doc = "Who shall have it.",
                                             .calls = assignment,
                                             .is_object = true};

static const struct api_call hours_table[] = {
    FIELD("mon", "string|nil",
          "\"9:00-18:00\", \"9:00-12:00, 13:00-18:00\", \"22:00-06:00\" "
          "(over midnight) or \"closed\"; so are tue wed thu fri sat sun. A "
          "day not named is closed."),
    FIELD("tue", "string|nil", "Likewise."),
    FIELD("wed", "string|nil", "Likewise."),
    FIELD("thu", "string|nil", "Likewise."),
    FIELD("fri", "string|nil", "Likewise."),
    FIELD("sat", "string|nil", "Likewise."),
    FIELD("sun", "string|nil", "Likewise."),
    FIELD("weekdays", "string|nil",
          "For those from Monday to Friday that are not named."),
    FIELD("every_day", "string|nil", "For all that are not named."),
    FIELD("zone", "string|nil",
          "\"Asia/Shanghai\", \"+08:00\"; default: the machine's."),
    FIELD("holidays", "table|nil",
          "Dates that are closed: \"2026-02-15\", "
          "\"2026-02-15..2026-02-23\"; or [date] = \"9:00-12:00\", open for "
          "less."),
    FIELD("workdays", "table|nil",
          "Dates that are worked although they are not like it (make-up days): "
          "with Monday's hours, or [date] = hours. They win over holidays."),
    END};
const struct api_module hours_table_module = {
    .name = "HoursTable",
    .doc = "What time.business_hours is made of.",
    .calls = hours_table,
    .is_object = true};

static const struct api_call date[] = {
    FIELD("year", "integer", "E.g. 2030."),
    FIELD("month", "integer", "1 to 12."),
    FIELD("day", "integer", "1 to 31."),
    FIELD("hour", "integer", "0 to 23."),
    FIELD("min", "integer", "0 to 59."),
    FIELD("sec", "integer", "0 to 59."),
    FIELD("wday", "integer", "1 is Sunday, as in Lua's os.date."),
    FIELD("yday", "integer", "1 to 366."),
    FIELD("offset", "integer", "Seconds east of UTC."),
    END};
const struct api_module date_module = {.name = "Date",
                                       .doc =
                                           "A moment as the calendar sees it.",
                                       .calls = date,
                                       .is_object = true};
