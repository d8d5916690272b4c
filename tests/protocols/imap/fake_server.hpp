// Mailboxes in memory and a session on them that carries out every command, so that engine, parser, fetch, search and
// snapshots are tested together from outside. Two sessions on one world see each other's changes.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "protocols/imap/command_table.hpp"
#include "protocols/imap/fetch_plan.hpp"
#include "protocols/imap/list_pattern.hpp"
#include "protocols/imap/response_writer.hpp"
#include "protocols/imap/search_program.hpp"
#include "protocols/imap/server_engine.hpp"
#include "tests/support/transcript.hpp"

namespace merpati::test {

struct fake_mailbox {
  imap::snapshot_ptr current;
  std::map<std::uint64_t, std::string> bodies; ///< by body id
  bool subscribed = false;
  std::uint32_t special_use = 0;
};

/// All mailboxes of one account. alice's password is "secret".
class fake_world {
public:
  fake_world();
  fake_mailbox* find(const std::string& name);
  fake_mailbox& create(const std::string& name);
  std::uint32_t append(fake_mailbox& box, std::string body, const imap::flag_list& flags, timestamp date);
  void change(fake_mailbox& box, std::vector<imap::message_item> items);
  void remove(fake_mailbox& box, const std::vector<uid>& ids);
  imap::mailbox_state next_state(const fake_mailbox& box) const;
  /// The bits of these keywords, which are added where there is room.
  std::uint64_t keywords(fake_mailbox& box, const std::vector<std::string>& names);

  std::map<std::string, fake_mailbox> boxes;
  std::map<std::string, bool> only_subscribed; ///< names without a mailbox
  timestamp now;

private:
  std::uint64_t next_body_ = 1;
  std::uint64_t next_mailbox_ = 1;
};

class fake_session final : public conversation {
public:
  fake_session(std::shared_ptr<fake_world> world, imap::engine_options options);

  std::string start() override;
  std::string feed(std::string_view octets) override;
  bool closed() const override { return closed_; }
  const std::vector<std::string>& events() const override { return events_; }

  /// What other sessions changed, as IDLE would tell it.
  std::string poll();
  imap::server_engine& engine() { return engine_; }
  imap::snapshot_ptr view() const { return view_; }

private:
  std::string drain();
  void handle(imap::step& s);
  void log_in(const imap::steps::log_in& s);
  void tell_changes(bool expunge_allowed, bool uid);
  std::vector<std::uint32_t> named(const imap::sequence_set& set, bool by_uid);
  fake_mailbox& selected() { return *world_->find(selected_); }

  imap::reply run(const imap::commands::select& c);
  imap::reply run(const imap::commands::create& c);
  imap::reply run(const imap::commands::delete_mailbox& c);
  imap::reply run(const imap::commands::rename& c);
  imap::reply run(const imap::commands::subscribe& c);
  imap::reply run(const imap::commands::unsubscribe& c);
  imap::reply run(const imap::commands::list& c);
  imap::reply run(const imap::commands::lsub& c);
  imap::reply run(const imap::commands::status& c);
  imap::reply run(const imap::commands::close& c);
  imap::reply run(const imap::commands::unselect& c);
  imap::reply run(const imap::commands::expunge& c);
  imap::reply run(const imap::commands::search& c);
  imap::reply run(const imap::commands::fetch& c);
  imap::reply run(const imap::commands::store& c);
  imap::reply run(const imap::commands::copy& c);
  imap::reply run(const imap::commands::move& c);
  template <class T>
  imap::reply run(const T&) {
    return imap::ok();
  }
  std::vector<imap::listed_mailbox> listed() const;
  void write_status_of(const std::string& name, std::uint32_t items);
  imap::reply copy_messages(const imap::sequence_set& set, bool by_uid, const std::string& to, bool move);
  bool matches(const imap::search_program& program, std::uint32_t sequence, const imap::message_item& item);

  std::shared_ptr<fake_world> world_;
  imap::server_engine engine_;
  std::string selected_;
  bool read_only_ = false;
  imap::snapshot_ptr view_;
  imap::sequence_set saved_;
  struct appended {
    imap::commands::append what;
    std::string octets;
  };
  std::vector<appended> appending_; ///< messages of the APPEND at hand
  std::vector<std::string> events_;
  bool closed_ = false;
};

} // namespace merpati::test
