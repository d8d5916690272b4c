// Carries out the commands of one IMAP client. The engine parses and keeps the state machine; this is where commands
// meet mailboxes and store. Members that serve one verb are in a file of their own: imap_fetch.cpp, imap_search.cpp,
// ...
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "actors/mail/mailboxes_actor.hpp"
#include "actors/mail/message_intake.hpp"
#include "actors/runtime/session.hpp"
#include "actors/session/body_stream.hpp"
#include "actors/session/services.hpp"
#include "protocols/imap/fetch_plan.hpp"
#include "protocols/imap/mailbox_snapshot.hpp"
#include "protocols/imap/response_writer.hpp"
#include "protocols/imap/search_program.hpp"
#include "protocols/imap/server_engine.hpp"

namespace merpati::session {

class imap_service {
public:
  imap_service(runtime::session_io& io, services_ptr services, door_ptr entrance);
  ~imap_service();

  runtime::task<void> run();

private:
  template <class T>
  using task = runtime::task<T>;

  /// The mailbox that SELECT or EXAMINE opened.
  struct open_mailbox {
    std::string name;
    bool read_only = false;
    mail::mailbox_actor actor;
    imap::snapshot_ptr view; ///< what the client knows: its sequence numbers mean this
    imap::snapshot_ptr now;  ///< the latest that we know
  };

  struct stored_message {
    body_stream body;
    std::string summary; ///< opens as mime::summary_view
  };

  // the loop
  imap::engine_options engine_options(const door& entrance) const;
  task<bool> read_more();
  void admit(result<auth::identity> who);
  task<imap::reply> carry_out(imap::command_body body);
  void take_notice(const runtime::notice& notice);
  /// Sends what the engine's output holds. False: the connection is gone.
  task<bool> send_output();

  // the open mailbox
  void adopt(imap::snapshot_ptr now);
  /// Appends what the client does not know yet; where it is not allowed to hear of removals they are kept for later.
  void report_changes(bool expunge_allowed);
  result<void> tell_vanished(modseq since, const imap::sequence_set& among);
  std::string highest_modseq_code() const;
  result<void> resynchronise(const imap::commands::known_mailbox& known);
  task<void> refresh();
  task<mail::mailbox_reply> change(storage::mutation what);
  void leave_mailbox();
  /// UIDs of the client's view that `asked` names; errc::invalid: a sequence number that is not there.
  result<std::vector<uid>> resolve(const imap::sequence_set& asked, bool uids) const;

  // mailboxes: imap_mailboxes.cpp
  task<imap::reply> serve(imap::commands::select command);
  task<imap::reply> serve(imap::commands::create command);
  task<imap::reply> serve(imap::commands::delete_mailbox command);
  task<imap::reply> serve(imap::commands::rename command);
  task<imap::reply> serve(imap::commands::subscribe command);
  task<imap::reply> serve(imap::commands::unsubscribe command);
  task<imap::reply> serve(imap::commands::list command);
  task<imap::reply> serve(imap::commands::lsub command);
  task<imap::reply> serve(imap::commands::status command);
  task<imap::reply> serve(imap::commands::get_quota command);
  task<imap::reply> serve(imap::commands::get_quota_root command);
  task<imap::reply> serve(imap::commands::unauthenticate command);
  task<imap::reply> set_subscription(std::string name, bool on);
  result<storage::mailbox_row> find_mailbox(const std::string& name) const;
  imap::status_values status_of(const storage::read_view& view, const storage::mailbox_row& row,
                                std::uint32_t items) const;
  result<void> write_account_quota();
  task<result<storage::outcome>> commit(storage::mutation what);

  // the open mailbox: imap_selected.cpp, imap_fetch.cpp, imap_search.cpp
  task<imap::reply> serve(imap::commands::noop command);
  task<imap::reply> serve(imap::commands::check command);
  task<imap::reply> serve(imap::commands::close command);
  task<imap::reply> serve(imap::commands::unselect command);
  task<imap::reply> serve(imap::commands::expunge command);
  task<imap::reply> serve(imap::commands::store command);
  task<imap::reply> serve(imap::commands::copy command);
  task<imap::reply> serve(imap::commands::move command);
  task<imap::reply> copy_messages(imap::sequence_set set, bool uids, std::string target, bool remove_source);
  task<imap::reply> serve(imap::commands::fetch command);
  task<imap::reply> serve(imap::commands::search command);
  task<imap::reply> serve(imap::commands::sort command);
  task<imap::reply> serve(imap::commands::thread command);
  task<result<std::vector<std::uint32_t>>> find(const imap::search_key& key);
  task<result<void>> for_each_summary(
      const std::vector<std::uint32_t>& sequences,
      std::function<void(const imap::message_item&, std::uint32_t sequence, const mime::summary_view&)> each);
  task<result<std::vector<uid>>> set_seen(const imap::fetch_plan& plan, const std::vector<uid>& ids);
  task<result<void>> fetch_rows(const imap::fetch_plan& plan, const std::vector<uid>& ids);
  task<result<void>> fetch_summaries(const imap::fetch_plan& plan, const std::vector<uid>& ids);
  task<result<void>> fetch_bodies(const imap::fetch_plan& plan, const std::vector<uid>& ids,
                                  const std::vector<uid>& seen_now);
  task<result<void>> fetch_one(const imap::fetch_plan& plan, std::uint32_t sequence, bool seen_now);
  task<result<void>> send_piece(const imap::fetch_piece& piece, body_stream& body);
  task<result<std::string>> read_octets(body_stream& body, std::uint64_t offset, std::uint64_t length);
  /// A message's octets and its summary, which is made anew from them where it is lost or damaged.
  task<result<stored_message>> open_message(body_id id);
  task<result<bool>> search_octets(const imap::search_program& program, std::uint32_t sequence,
                                   imap::message_item item);
  /// Gives other actors of this thread a turn in the middle of long work.
  task<void> breathe();

  // APPEND: imap_append.cpp
  task<void> begin_append(imap::commands::append command);
  task<void> next_append(imap::commands::append command);
  result<uid> replaced_message(const imap::commands::replaced_message& named) const;
  void start_message(imap::commands::append command);
  /// The message at hand is whole: it joins those that are to be added together.
  task<result<void>> complete_message();
  void refuse_append(const imap::reply& answer);
  task<void> append_octets(std::string_view octets);
  task<imap::reply> end_append();

  runtime::session_io& io_;
  services_ptr services_;
  imap::server_engine engine_;
  auth::identity user_;
  imap::sequence_set saved_; ///< UIDs of the last SEARCH that saved its result
  std::optional<open_mailbox> open_;

  /// Messages of one APPEND may hold this much memory together; what comes then waits in files.
  static constexpr std::uint64_t append_memory_bytes = 1024 * 1024;

  struct append_state {
    mailbox_id mailbox;
    storage::append_messages whole;                         ///< with the messages that are complete
    std::vector<std::shared_ptr<mail::message_spool>> kept; ///< their files
    std::uint64_t held_bytes = 0;                           ///< of complete messages, in memory
    storage::target target;                                 ///< of the message at hand
    std::optional<timestamp> internal_date;
    std::optional<mail::message_intake> intake;
  };
  mail::intake_limits to_disk_; ///< every message waits in a file
  std::optional<append_state> append_;
};

} // namespace merpati::session
