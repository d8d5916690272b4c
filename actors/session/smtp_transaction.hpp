// One mail transaction of an SMTP or LMTP session, from MAIL to the end of the data: who it is from and to, the message
// on its way into the store, and the commit. A part of the session, not an actor.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/mail/delivery_plan.hpp"
#include "actors/mail/message_intake.hpp"
#include "actors/runtime/session.hpp"
#include "actors/session/filter_chain.hpp"
#include "actors/session/services.hpp"
#include "protocols/smtp/message_header.hpp"
#include "protocols/smtp/server_engine.hpp"

namespace merpati::session {

/// The farthest release of a submission (RFC 4865) from now: what calendars of people reach.
inline constexpr std::chrono::seconds longest_hold = std::chrono::hours(24 * 365);

/// Nothing: go on.
using refusal = std::optional<smtp::reply>;

class smtp_transaction {
public:
  /// `engine` is asked for facts of the session; all outlive this.
  smtp_transaction(runtime::session_io& io, const services& services, const smtp::server_engine& engine,
                   filter_chain& filters);

  /// MAIL: forgets what was before.
  refusal begin(const smtp::mail_from& sender, const std::optional<auth::identity>& who);
  /// RCPT: whether it would be taken.
  refusal look_at(smtp::rcpt_to recipient);
  /// Takes the recipient that look_at() had nothing against.
  refusal add_recipient();
  const smtp::reverse_path& sender() const noexcept { return sender_; }
  /// DATA, or the first BDAT.
  void begin_message(const smtp::envelope& envelope, std::string client_name);
  /// The next octets of the message. What goes wrong is told by finish().
  runtime::task<void> take(std::string_view octets);

  /// The message is complete: makes it durable. One reply for all recipients, or over LMTP one for each in the order of
  /// the envelope (RFC 2033 4.2).
  runtime::task<std::vector<smtp::reply>> finish();

  /// Drops the message that is under way, if any.
  void forget_message();

private:
  void begin_body();
  /// The account that logged in may send as it.
  bool is_own(const smtp::mailbox& address) const;
  mail::sender_facts facts_of(const smtp::reverse_path& sender, std::uint64_t declared_bytes) const;
  runtime::task<refusal> pass_filters(mail::taken_message& taken);
  void plan_anew(const filtered_message& filtered);
  runtime::task<result<void>> take_anew(const filtered_message& filtered, mail::taken_message& taken);
  bool is_loop(const smtp::header_facts& facts) const;
  refusal complete_submission(const smtp::header_facts& facts, std::string& completed) const;
  std::string trace_header() const;
  runtime::task<std::vector<smtp::reply>> store(mail::taken_message taken);
  void add_deliveries(storage::add_message& message);
  std::vector<smtp::reply> replies_to(const storage::outcome& done) const;
  bool is_lmtp() const noexcept { return engine_.options().kind == smtp::server_kind::lmtp; }

  runtime::session_io& io_;
  const services& services_;
  const smtp::server_engine& engine_;
  filter_chain& filters_;
  std::optional<auth::identity> who_; ///< who logged in
  smtp::reverse_path sender_;
  std::string client_name_; ///< verified, or empty
  std::optional<mail::delivery_plan> plan_;
  std::optional<mail::delivery_plan::candidate> candidate_; ///< between look_at() and add_recipient()
  std::vector<std::optional<std::size_t>>
      place_of_; ///< for each recipient of the envelope, if it is one local delivery
  /// For each local delivery of the plan, its place in the commit; none: it waits.
  std::vector<std::optional<std::size_t>> target_of_;
  const smtp::envelope* envelope_ = nullptr; ///< the engine's, while a message is under way
  std::string message_id_;                   ///< our name for the message
  smtp::header_collector header_;
  std::optional<mail::message_intake> intake_;
  std::string trace_;                    ///< our own field, as it is in the store
  std::string stored_header_;            ///< the header behind it; kept for filters alone
  std::optional<timestamp> release_;     ///< when it is to be sent, where that is later
  bool discarded_ = false;               ///< a filter wants nobody to get it
  std::optional<std::string> kept_back_; ///< quarantine: why
  refusal failure_;                      ///< told at the end of the data; the rest is read and dropped
};

} // namespace merpati::session
