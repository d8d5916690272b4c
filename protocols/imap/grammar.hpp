// The grammar of each command's arguments. Each function starts at the space behind the verb and reads to the end of
// its arguments; errors are kept in the reader. Only command_parser.cpp includes this.
#pragma once

#include "protocols/imap/reader.hpp"

namespace merpati::imap::grammar {

// parse_session.cpp
void parse(reader& in, commands::login& c);
void parse(reader& in, commands::authenticate& c);
void parse(reader& in, commands::enable& c);
void parse(reader& in, commands::id& c);

// parse_mailbox.cpp
void parse(reader& in, commands::select& c);
void parse(reader& in, commands::create& c);
void parse(reader& in, commands::delete_mailbox& c);
void parse(reader& in, commands::rename& c);
void parse(reader& in, commands::compress& c);
void parse(reader& in, commands::get_quota& c);
void parse(reader& in, commands::get_quota_root& c);
void parse(reader& in, commands::subscribe& c);
void parse(reader& in, commands::unsubscribe& c);
void parse(reader& in, commands::status& c);
/// Up to the literal's announcement, which must be all that is left then.
void parse(reader& in, commands::append& c);
/// What stands before each message: flags, date and the literal's announcement.
void parse_message(reader& in, commands::append& c);
std::uint32_t status_items(reader& in);

// parse_list.cpp
void parse(reader& in, commands::list& c);
void parse(reader& in, commands::lsub& c);

// parse_messages.cpp: c.uid is set by the caller
void parse(reader& in, commands::expunge& c);
void parse(reader& in, commands::store& c);
void parse(reader& in, commands::copy& c);
void parse(reader& in, commands::move& c);

// parse_fetch.cpp
void parse(reader& in, commands::fetch& c);

// parse_search.cpp
void parse(reader& in, commands::search& c);
void parse(reader& in, commands::sort& c);
void parse(reader& in, commands::thread& c);

/// A special-use attribute such as \Sent as its bit; an error in the reader otherwise.
std::uint32_t special_use_attribute(reader& in);

} // namespace merpati::imap::grammar
