// The filters that an SMTP session asks, in the order of the configuration: each sees what those before have changed.
// A part of the session, not an actor; each filter's connection is one (filter/milter_actor).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/filter/milter_actor.hpp"
#include "actors/mail/message_intake.hpp"
#include "actors/runtime/session.hpp"
#include "actors/session/services.hpp"
#include "protocols/smtp/server_engine.hpp"

namespace merpati::session {

/// A message between its end and the store.
struct filtered_message {
  std::string id;             ///< our name for it
  std::string header;         ///< without our own trace field, with its empty line
  mail::taken_message* taken; ///< the stored octets; the body begins at `body_at`
  std::uint64_t body_at = 0;
  std::optional<std::string> new_body;      ///< in place of that
  std::optional<smtp::reverse_path> sender; ///< in place of the envelope's
  std::vector<smtp::recipient> added;       ///< recipients
  std::vector<std::string> removed;         ///< recipients, as they were written
  std::optional<std::string> quarantine;    ///< why it is to be kept back
  bool changed = false;                     ///< header or body
  bool discard = false;                     ///< the client is told yes, and nobody gets it
};

class filter_chain {
public:
  /// `filters` are those of the listener; all outlive this.
  filter_chain(runtime::session_io& io, const services& services, const smtp::server_engine& engine,
               const std::vector<config::milter>& filters, std::string listener_kind);
  ~filter_chain();
  filter_chain(const filter_chain&) = delete;
  filter_chain& operator=(const filter_chain&) = delete;

  bool is_empty() const noexcept { return filters_.empty(); }
  /// What is known of the client besides its address, for macros.
  void know_client(std::string name, std::string account) {
    client_name_ = std::move(name);
    account_ = std::move(account);
  }

  // A reply: that, and no more; nothing: go on.
  runtime::task<std::optional<smtp::reply>> unknown(std::string line);
  runtime::task<std::optional<smtp::reply>> sender(smtp::mail_from from);
  runtime::task<std::optional<smtp::reply>> recipient(smtp::rcpt_to to);
  runtime::task<std::optional<smtp::reply>> content(filtered_message& message);
  /// The message is given up. Nothing happens where there is none.
  void abort();

private:
  struct link {
    config::milter settings;
    filter::milter_actor actor;
  };
  void connect_anew();
  milter::macro_table macros() const;
  std::vector<milter::step> introduction();
  runtime::task<std::optional<smtp::reply>> ask(link& to, std::vector<milter::step> steps, milter::macro_table macros,
                                                milter::said& said);
  runtime::task<std::optional<smtp::reply>> ask_all(std::vector<milter::step> steps, milter::macro_table macros);
  runtime::task<std::optional<smtp::reply>> content_of(link& to, filtered_message& message);
  void apply(const link& from, const milter::said& said, filtered_message& message);

  runtime::session_io& io_;
  const services& services_;
  const smtp::server_engine& engine_;
  const std::vector<config::milter>& filters_;
  std::string listener_kind_;
  std::vector<link> links_;
  std::string client_name_;
  std::string account_;
  std::string told_client_; ///< address and HELO name that the filters know
  std::optional<smtp::mail_from> from_;
  bool message_open_ = false;
  bool discard_ = false;
};

} // namespace merpati::session
