/* SPDX-License-Identifier: Apache-2.0 */
/* modules.h - the list of all modules and types of the script API.
 *
 * A new module is one line here, and `const struct api_module NAME_module` in
 * its bind_NAME.c. One that needs natives or values beside its rows has a
 * bind_NAME(), called by bind_open.
 */
#pragma once
#include "script/api/api.h"

/* In the order of the reference. */
/* clang-format off: one a line, so that two who add one do not collide */
#define API_MODULES(X)                                                         \
    X(globals)                                                                 \
    X(rule)                                                                    \
    X(match)                                                                   \
    X(sent)                                                                    \
    X(canary)                                                                  \
    X(flow_file)                                                               \
    X(channel)                                                                 \
    X(connector_file)                                                          \
    X(turn)                                                                    \
    X(assist_context)                                                          \
    X(tool_file)                                                               \
    X(limits)                                                                  \
    X(conversation)                                                            \
    X(message)                                                                 \
    X(messages)                                                                \
    X(body)                                                                    \
    X(card)                                                                    \
    X(button)                                                                  \
    X(contact)                                                                 \
    X(contact_change)                                                          \
    X(assignment)                                                              \
    X(conversations)                                                           \
    X(conversation_record)                                                     \
    X(contacts)                                                                \
    X(agents)                                                                  \
    X(agent)                                                                   \
    X(agent_filter)                                                            \
    X(team)                                                                    \
    X(flow)                                                                    \
    X(choice)                                                                  \
    X(saga_step)                                                               \
    X(queues)                                                                  \
    X(http)                                                                    \
    X(http_call)                                                               \
    X(http_answer)                                                             \
    X(stream)                                                                  \
    X(sse_event)                                                               \
    X(imap)                                                                    \
    X(imap_call)                                                               \
    X(imap_mark)                                                               \
    X(imap_answer)                                                             \
    X(imap_mail)                                                               \
    X(smtp)                                                                    \
    X(smtp_call)                                                               \
    X(smtp_answer)                                                             \
    X(kv)                                                                      \
    X(space)                                                                   \
    X(cache)                                                                   \
    X(cache_object)                                                            \
    X(metric)                                                                  \
    X(ai)                                                                      \
    X(kb)                                                                      \
    X(json)                                                                    \
    X(time)                                                                    \
    X(hours_table)                                                             \
    X(business_hours)                                                          \
    X(cron)                                                                    \
    X(date)                                                                    \
    X(log)                                                                     \
    X(context)                                                                 \
    X(webhook)                                                                 \
    X(file)                                                                    \
    X(delivery)                                                                \
    X(item)                                                                    \
    X(secret)                                                                  \
    X(secret_object)                                                           \
    X(crypto)                                                                  \
    X(url)                                                                     \
    X(url_parts)                                                               \
    X(text)                                                                    \
    X(matcher)                                                                 \
    X(utf8)                                                                    \
    X(xml)                                                                     \
    X(xml_node)                                                                \
    X(mime)                                                                    \
    X(mail)                                                                    \
    X(mail_draft)                                                              \
    X(mail_address)                                                            \
    X(mail_part)
/* clang-format on */

#define API_EXTERN(name) extern const struct api_module name##_module;
API_MODULES(API_EXTERN)
#undef API_EXTERN
